"""What intake is told by its environment."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from shared.settings import SettingMissing, env


@dataclass(frozen=True, slots=True)
class Settings:
    database_url: str
    kafka: str
    identity_key: str
    mail_key: bytes
    blob_url: str
    lmtp_listen: str
    timezone: ZoneInfo
    replica: str | None

    @classmethod
    def read(cls) -> "Settings":
        return cls(
            database_url=env("LEDGERDESK_DATABASE_URL"),
            kafka=env("LEDGERDESK_KAFKA_BOOTSTRAP"),
            identity_key=env("LEDGERDESK_IDENTITY_KEY"),
            mail_key=env("LEDGERDESK_MAIL_KEY").encode(),
            blob_url=env("LEDGERDESK_BLOB_URL"),
            lmtp_listen=env("LEDGERDESK_LMTP_LISTEN", ""),
            timezone=_timezone(env("LEDGERDESK_TIMEZONE", "UTC")),
            replica=env("LEDGERDESK_REPLICA", "") or None,
        )


def _timezone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise SettingMissing(
            f"LEDGERDESK_TIMEZONE is {name!r}, which is no time zone: write one such as Europe/Oslo"
        ) from error
