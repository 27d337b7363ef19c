"""The settings of the gateway, from the environment."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from shared.http.keys import Keys, SigningKey, gateways_keys
from shared.languages.known import Language
from shared.languages.setting import desk_language
from shared.messaging.access.account import KafkaAccount
from shared.settings import SettingMissing, env

SERVICES = ("intake", "routing", "notify", "reporting")


@dataclass(frozen=True, slots=True)
class Settings:
    """`signing_key` signs identities for the services; `keys` holds the gateway's own secret and the public half of
    that key.

    `services` maps names to base URLs. `trusts_proxy`: X-Forwarded-For and X-Forwarded-Proto come from a trusted
    reverse proxy. `replica` names this process among others. `blob_url`: where the files of reports are stored; without
    it, no report is sent by mail. `zone` and `language`: the desk's. `public_url`: where people reach the desk, for
    links in mails; without it, no link to a new password is sent.
    """

    database_url: str
    kafka: KafkaAccount
    signing_key: SigningKey
    keys: Keys
    services: Mapping[str, str]
    trusts_proxy: bool
    session_lifetime: timedelta
    blob_url: str | None
    upstream_seconds: float
    zone: ZoneInfo
    language: Language
    public_url: str | None
    replica: str | None

    @classmethod
    def read(cls) -> "Settings":
        urls = {name: env(f"LEDGERDESK_{name.upper()}_URL", "").rstrip("/") for name in SERVICES}
        signing_key, keys = gateways_keys()
        return cls(
            database_url=env("LEDGERDESK_DATABASE_URL"),
            kafka=KafkaAccount.read("gateway"),
            signing_key=signing_key,
            keys=keys,
            services={name: url for name, url in urls.items() if url},
            trusts_proxy=env("LEDGERDESK_TRUST_PROXY", "") == "1",
            session_lifetime=timedelta(hours=float(env("LEDGERDESK_SESSION_HOURS", "12"))),
            blob_url=env("LEDGERDESK_BLOB_URL", "") or None,
            upstream_seconds=float(env("LEDGERDESK_UPSTREAM_SECONDS", "30")),
            zone=_zone(env("LEDGERDESK_TIMEZONE", "UTC")),
            language=desk_language(),
            public_url=_public_url(env("LEDGERDESK_PUBLIC_URL", "")),
            replica=env("LEDGERDESK_REPLICA", "") or None,
        )


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise SettingMissing("LEDGERDESK_TIMEZONE must be a time zone such as Europe/Oslo") from None


def _public_url(text: str) -> str | None:
    """Where people reach the desk, without a slash at the end. Raises SettingMissing."""
    if not text:
        return None
    try:
        parts = urlsplit(text)
        fine = parts.scheme in ("http", "https") and parts.hostname and not parts.query and not parts.fragment
        fine = fine and parts.username is None and parts.port != 0 and text.isascii() and text.isprintable()
    except ValueError:
        fine = False
    if not fine or " " in text:
        raise SettingMissing("LEDGERDESK_PUBLIC_URL must be an address such as https://help.example.org")
    return text.rstrip("/")
