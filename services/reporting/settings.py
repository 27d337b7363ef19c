"""What reporting is told by its environment."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from shared.http.keys import Keys
from shared.settings import env


@dataclass(frozen=True, slots=True)
class Settings:
    database_url: str
    kafka: str
    keys: Keys
    blob_url: str
    zone: ZoneInfo
    replica: str | None

    @classmethod
    def read(cls) -> "Settings":
        return cls(
            database_url=env("LEDGERDESK_DATABASE_URL"),
            kafka=env("LEDGERDESK_KAFKA_BOOTSTRAP"),
            keys=Keys.read(),
            blob_url=env("LEDGERDESK_BLOB_URL"),
            zone=ZoneInfo(env("LEDGERDESK_TIMEZONE", "UTC")),
            replica=env("LEDGERDESK_REPLICA", "") or None,
        )
