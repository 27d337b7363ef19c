"""What reporting is told by its environment."""

from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from shared.http.keys import Keys
from shared.languages.known import Language
from shared.languages.setting import desk_language
from shared.messaging.access.account import KafkaAccount
from shared.settings import env


@dataclass(frozen=True, slots=True)
class Settings:
    database_url: str
    kafka: KafkaAccount
    keys: Keys
    blob_url: str
    zone: ZoneInfo
    replica: str | None
    search_directory: Path
    language: Language

    @classmethod
    def read(cls) -> "Settings":
        return cls(
            database_url=env("LEDGERDESK_DATABASE_URL"),
            kafka=KafkaAccount.read("reporting"),
            keys=Keys.read(),
            blob_url=env("LEDGERDESK_BLOB_URL"),
            zone=ZoneInfo(env("LEDGERDESK_TIMEZONE", "UTC")),
            replica=env("LEDGERDESK_REPLICA", "") or None,
            search_directory=Path(env("LEDGERDESK_SEARCH_DIR", "var/search")),
            language=desk_language(),
        )
