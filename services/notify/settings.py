"""Notify's settings, from the environment."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from services.notify.sending.domain_queues import Limits
from services.notify.sending.transports.maildir import Maildir
from services.notify.sending.transports.smtp import DEFAULT_LIMITS, Server, Smtp
from services.notify.sending.transports.transport import Transport
from services.notify.writing.dkim import BadKey, Key, Signer
from shared.addresses import canonical_domain
from shared.http.keys import Keys
from shared.languages.known import Language
from shared.languages.setting import desk_language
from shared.languages.translator import Translator
from shared.messaging.access.account import KafkaAccount
from shared.settings import SettingMissing, env


@dataclass(frozen=True, slots=True)
class MailSettings:
    """How outgoing mail is written: the key and the domain of its Message-IDs, and the desk's time zone and language.

    `reply_tags`: the mail system delivers mail for `it+anything@` to `it@`, so that replies may come back to an address
    with a tag. `notices_wait`: for how long a notice to an agent waits for others of the same ticket.
    """

    key: bytes
    domain: str
    zone: ZoneInfo
    reply_tags: bool = False
    notices_wait: timedelta = timedelta(seconds=60)
    language: Language = "en"

    @property
    def desk(self) -> Translator:
        """The language and time zone of readers who have chosen none."""
        return Translator(self.language, self.zone)

    @classmethod
    def read(cls) -> "MailSettings":
        """Raises SettingMissing if there is no key, or if another setting is not valid."""
        key, domain = env("LEDGERDESK_MAIL_KEY"), env("LEDGERDESK_MAIL_DOMAIN", "ledgerdesk.invalid")
        if not key:
            raise SettingMissing("LEDGERDESK_MAIL_KEY is empty: anybody could forge Message-IDs")
        if not domain.isascii() or canonical_domain(domain) is None:
            raise SettingMissing("LEDGERDESK_MAIL_DOMAIN must be a domain such as help.example.org")
        try:
            zone = ZoneInfo(env("LEDGERDESK_TIMEZONE", "UTC"))
        except (ZoneInfoNotFoundError, ValueError):
            raise SettingMissing("LEDGERDESK_TIMEZONE must be a time zone such as Europe/Oslo") from None
        return cls(
            key.encode(),
            domain,
            zone,
            env("LEDGERDESK_REPLY_TAGS", "") == "1",
            _notices_wait(env("LEDGERDESK_NOTICE_SECONDS", "60")),
            desk_language(),
        )


def _notices_wait(text: str) -> timedelta:
    if not (text.isascii() and text.isdecimal() and len(text) <= 4 and int(text) <= 3600):
        raise SettingMissing("LEDGERDESK_NOTICE_SECONDS must be a whole number from 0 to 3600")
    return timedelta(seconds=int(text))


@dataclass(frozen=True, slots=True)
class Settings:
    database_url: str
    kafka: KafkaAccount
    keys: Keys
    replica: str | None
    smtp_url: str | None
    maildir: str | None
    blob_url: str | None
    signer: Signer | None = None
    limits: Limits = DEFAULT_LIMITS

    @classmethod
    def read(cls) -> "Settings":
        """Raises SettingMissing, also for a key that cannot sign: servers would refuse unsigned mails, and nobody
        would notice."""
        return cls(
            database_url=env("LEDGERDESK_DATABASE_URL"),
            kafka=KafkaAccount.read("notify"),
            keys=Keys.read(),
            replica=env("LEDGERDESK_REPLICA", "") or None,
            smtp_url=env("LEDGERDESK_SMTP_URL", "") or None,
            maildir=env("LEDGERDESK_MAILDIR", "") or None,
            blob_url=env("LEDGERDESK_BLOB_URL", "") or None,
            limits=_limits(env("LEDGERDESK_SMTP_LIMITS", "")),
            signer=_signer(env("LEDGERDESK_DKIM_KEYS", ""), env("LEDGERDESK_DKIM_DOMAIN", "")),
        )

    def transport(self) -> Transport:
        """The mail server if there is one, else the Maildir. Raises SettingMissing."""
        if self.smtp_url:
            try:
                return Smtp(Server.at(self.smtp_url), limits=self.limits)
            except ValueError as error:
                raise SettingMissing(str(error)) from None
        if self.maildir:
            return Maildir(Path(self.maildir))
        raise SettingMissing("set LEDGERDESK_SMTP_URL to a mail server or LEDGERDESK_MAILDIR to a directory")


def _limits(text: str) -> Limits:
    try:
        return Limits.parse(text, DEFAULT_LIMITS.default)
    except ValueError as error:
        raise SettingMissing(f"LEDGERDESK_SMTP_LIMITS: {error}") from None


def _signer(keys: str, domain: str) -> Signer | None:
    """Signs our mails; None if there are no keys. `keys` are `selector:path`, separated by spaces."""
    if not keys.strip():
        return None
    domain = domain or MailSettings.read().domain
    known = canonical_domain(domain)
    if known is None:
        raise SettingMissing("LEDGERDESK_DKIM_DOMAIN must be a domain such as help.example.org")
    found: list[Key] = []
    for each in keys.split():
        selector, colon, path = each.partition(":")
        if not colon or not path:
            raise SettingMissing("LEDGERDESK_DKIM_KEYS must be selector:path, several of them separated by spaces")
        try:
            found.append(Key.read(selector, Path(path)))
        except BadKey as error:
            raise SettingMissing(f"LEDGERDESK_DKIM_KEYS: {error}") from None
    if len({key.selector for key in found}) < len(found):
        raise SettingMissing("LEDGERDESK_DKIM_KEYS names a selector twice")
    return Signer(known, tuple(found))
