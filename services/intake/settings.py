"""Intake's settings, from the environment."""

from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from services.intake.opening.quotas import Quota
from services.intake.transports.mailboxes.destinations import Destinations
from shared.http.keys import Keys
from shared.messaging.access.account import KafkaAccount
from shared.settings import SettingMissing, env

MOST_TICKETS_A_DAY = 100
MOST_RECEIPTS_A_DAY = 20
ALL_RECEIPTS_A_DAY = 50_000
UPLOAD_MIB_A_DAY = 100
AGENT_TICKETS_A_DAY = 100_000
AGENT_UPLOAD_MIB_A_DAY = 20_480
MESSAGES_A_TICKET = 10
"""The messages that a customer may write in a day, for each ticket that they may open."""


@dataclass(frozen=True, slots=True)
class Settings:
    """- `trusted_servers`: names of servers whose Authentication-Results count.
    - `lmtp_trusted`: whether mails over LMTP may carry instructions (A1.26).
    - `tickets_a_day`: tickets that one sender may open by mail; further mails go to the newest of them. 0: no limit.
    - `customers`, `agents`: the quota of each of them for a day over the API.
    - `receipts_a_day`: to one mailbox; `all_receipts_a_day`: to all. 0: no limit.
    - `secrets`: the folder with the secrets of mailboxes; `mailbox_hosts`: private servers to which mailboxes may lead.
    - `nameservers`: for verifying senders. Empty: those of the machine; None: senders are not verified.
    - `trusted_sealers`: domains whose ARC seals count.
    - `clamd`: the virus scanner's `host:port` or socket; empty: files are not scanned.
    """

    database_url: str
    kafka: KafkaAccount
    keys: Keys
    mail_key: bytes
    blob_url: str
    lmtp_listen: str
    timezone: ZoneInfo
    replica: str | None
    trusted_servers: frozenset[str]
    lmtp_trusted: bool
    tickets_a_day: int
    customers: Quota
    agents: Quota
    secrets: Path | None
    mailbox_hosts: Destinations
    receipts_a_day: int
    all_receipts_a_day: int
    nameservers: tuple[str, ...] | None
    trusted_sealers: frozenset[str]
    clamd: str

    @classmethod
    def read(cls) -> "Settings":
        return cls(
            database_url=env("LEDGERDESK_DATABASE_URL"),
            kafka=KafkaAccount.read("intake"),
            keys=Keys.read(),
            mail_key=env("LEDGERDESK_MAIL_KEY").encode(),
            blob_url=env("LEDGERDESK_BLOB_URL"),
            lmtp_listen=env("LEDGERDESK_LMTP_LISTEN", ""),
            timezone=_timezone(env("LEDGERDESK_TIMEZONE", "UTC")),
            replica=env("LEDGERDESK_REPLICA", "") or None,
            trusted_servers=_words(env("LEDGERDESK_TRUSTED_AUTHSERV", "")),
            lmtp_trusted=env("LEDGERDESK_LMTP_TRUSTED", "") == "1",
            tickets_a_day=_count("LEDGERDESK_TICKETS_A_DAY", MOST_TICKETS_A_DAY),
            customers=_customers(),
            agents=Quota(
                tickets=_count("LEDGERDESK_AGENT_TICKETS_A_DAY", AGENT_TICKETS_A_DAY),
                bytes=_count("LEDGERDESK_AGENT_UPLOAD_MIB_A_DAY", AGENT_UPLOAD_MIB_A_DAY) << 20,
            ),
            secrets=Path(folder) if (folder := env("LEDGERDESK_SECRETS_DIR", "")) else None,
            mailbox_hosts=_hosts(env("LEDGERDESK_MAILBOX_HOSTS", "")),
            receipts_a_day=_count("LEDGERDESK_RECEIPTS_A_DAY", MOST_RECEIPTS_A_DAY),
            all_receipts_a_day=_count("LEDGERDESK_ALL_RECEIPTS_A_DAY", ALL_RECEIPTS_A_DAY),
            nameservers=_nameservers(env("LEDGERDESK_VERIFY_SENDERS", "")),
            trusted_sealers=_words(env("LEDGERDESK_TRUSTED_SEALERS", "")),
            clamd=_scanner(env("LEDGERDESK_CLAMD", "")),
        )


def _words(value: str) -> frozenset[str]:
    return frozenset(value.lower().replace(",", " ").split())


def _nameservers(value: str) -> tuple[str, ...] | None:
    """`off`, `system`, or the addresses of DNS servers with an optional port."""
    if value in ("", "off"):
        return None
    if value == "system":
        return ()
    found = tuple(value.replace(",", " ").split())
    for each in found:
        host, _, port = each.rpartition(":") if "]:" in each or each.count(":") == 1 else (each, "", "53")
        try:
            ip_address(host.strip("[]"))
            usable = 0 < int(port) < 65_536
        except ValueError:
            usable = False
        if not usable:
            raise SettingMissing(
                f"LEDGERDESK_VERIFY_SENDERS is {value!r}: write off, system, or addresses of DNS servers such as"
                " 127.0.0.1:53"
            )
    return found


def _customers() -> Quota:
    tickets = _count("LEDGERDESK_TICKETS_A_DAY", MOST_TICKETS_A_DAY)
    size = _count("LEDGERDESK_UPLOAD_MIB_A_DAY", UPLOAD_MIB_A_DAY)
    return Quota(tickets, messages=tickets * MESSAGES_A_TICKET, bytes=size << 20)


def _hosts(value: str) -> Destinations:
    try:
        return Destinations.parsed(value)
    except ValueError as error:
        raise SettingMissing(
            f"LEDGERDESK_MAILBOX_HOSTS is {value!r}: write names, addresses or networks such as"
            f" mail.example.org 10.0.0.0/24 ({error})"
        ) from error


def _scanner(value: str) -> str:
    host, _, port = value.rpartition(":")
    if value and not value.startswith("/") and not (host and port.isdigit() and 0 < int(port) < 65_536):
        raise SettingMissing(f"LEDGERDESK_CLAMD is {value!r}: write host:port or the path of its socket")
    return value


def _count(name: str, default: int) -> int:
    value = env(name, str(default))
    if not value.isascii() or not value.isdigit():
        raise SettingMissing(f"{name} is {value!r}, which is not a number: write one such as {default}")
    return int(value)


def _timezone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise SettingMissing(
            f"LEDGERDESK_TIMEZONE is {name!r}, which is not a time zone: write one such as Europe/Oslo"
        ) from error
