"""What notify is told by its environment."""

from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from services.notify.addresses import mailable
from services.notify.transports.maildir import Maildir
from services.notify.transports.smtp import Server, Smtp
from services.notify.transports.transport import Transport
from shared.settings import SettingMissing, env


@dataclass(frozen=True, slots=True)
class MailSettings:
    """What outgoing mail is written with: the key of its Message-IDs and their domain, the desk's time zone, and whether the mail system
    brings what is sent to `it+anything@` to `it@`, so that answers may come back to an address with a tag."""

    key: bytes
    domain: str
    zone: ZoneInfo
    reply_tags: bool = False

    @classmethod
    def read(cls) -> "MailSettings":
        """Raises SettingMissing when there is no key, or when the domain or the time zone is none."""
        key, domain = env("LEDGERDESK_MAIL_KEY"), env("LEDGERDESK_MAIL_DOMAIN", "ledgerdesk.invalid")
        if not key:
            raise SettingMissing("LEDGERDESK_MAIL_KEY is empty: anybody could make up Message-IDs")
        if not domain.isascii() or not mailable(f"postmaster@{domain}"):
            raise SettingMissing("LEDGERDESK_MAIL_DOMAIN must be a domain such as help.example.org")
        try:
            zone = ZoneInfo(env("LEDGERDESK_TIMEZONE", "UTC"))
        except (ZoneInfoNotFoundError, ValueError):
            raise SettingMissing("LEDGERDESK_TIMEZONE must be a time zone such as Europe/Oslo") from None
        return cls(key.encode(), domain, zone, env("LEDGERDESK_REPLY_TAGS", "") == "1")


@dataclass(frozen=True, slots=True)
class Settings:
    database_url: str
    kafka: str
    identity_key: str
    replica: str | None
    smtp_url: str | None
    maildir: str | None
    blob_url: str | None

    @classmethod
    def read(cls) -> "Settings":
        return cls(
            database_url=env("LEDGERDESK_DATABASE_URL"),
            kafka=env("LEDGERDESK_KAFKA_BOOTSTRAP"),
            identity_key=env("LEDGERDESK_IDENTITY_KEY"),
            replica=env("LEDGERDESK_REPLICA", "") or None,
            smtp_url=env("LEDGERDESK_SMTP_URL", "") or None,
            maildir=env("LEDGERDESK_MAILDIR", "") or None,
            blob_url=env("LEDGERDESK_BLOB_URL", "") or None,
        )

    def transport(self) -> Transport:
        """The mail server if there is one, else the Maildir. Raises SettingMissing."""
        if self.smtp_url:
            try:
                return Smtp(Server.at(self.smtp_url))
            except ValueError as error:
                raise SettingMissing(str(error)) from None
        if self.maildir:
            return Maildir(Path(self.maildir))
        raise SettingMissing("set LEDGERDESK_SMTP_URL to a mail server or LEDGERDESK_MAILDIR to a directory")
