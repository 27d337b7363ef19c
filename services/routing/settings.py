"""What routing is told by its environment."""

from dataclasses import dataclass

from shared.settings import env


@dataclass(frozen=True, slots=True)
class Settings:
    database_url: str
    kafka: str
    identity_key: str
    replica: str | None
    blob_url: str

    @classmethod
    def read(cls) -> "Settings":
        return cls(
            database_url=env("LEDGERDESK_DATABASE_URL"),
            kafka=env("LEDGERDESK_KAFKA_BOOTSTRAP"),
            identity_key=env("LEDGERDESK_IDENTITY_KEY"),
            replica=env("LEDGERDESK_REPLICA", "") or None,
            blob_url=env("LEDGERDESK_BLOB_URL"),
        )
