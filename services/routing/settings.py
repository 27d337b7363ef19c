"""Routing's settings, from its environment."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from shared.http.keys import Keys
from shared.messaging.access.account import KafkaAccount
from shared.settings import SettingMissing, env


@dataclass(frozen=True, slots=True)
class Settings:
    database_url: str
    kafka: KafkaAccount
    keys: Keys
    replica: str | None
    blob_url: str
    zone: ZoneInfo

    @classmethod
    def read(cls) -> "Settings":
        return cls(
            database_url=env("LEDGERDESK_DATABASE_URL"),
            kafka=KafkaAccount.read("routing"),
            keys=Keys.read(),
            replica=env("LEDGERDESK_REPLICA", "") or None,
            blob_url=env("LEDGERDESK_BLOB_URL"),
            zone=_zone(env("LEDGERDESK_TIMEZONE", "UTC")),
        )


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise SettingMissing("LEDGERDESK_TIMEZONE must be a time zone such as Europe/Oslo") from None
