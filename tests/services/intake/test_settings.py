"""Intake's settings, and messages about invalid ones."""

import pytest

from services.intake.settings import Settings
from shared.settings import SettingMissing
from shared.testing.keys import ENVIRONMENT
from tests.servers import NO_KAFKA

NEEDED = {
    "LEDGERDESK_DATABASE_URL": "postgresql://x@127.0.0.1/x",
    **NO_KAFKA.environment("intake"),
    **ENVIRONMENT,
    "LEDGERDESK_MAIL_KEY": "key",
    "LEDGERDESK_BLOB_URL": "memory:///",
}


def settings(monkeypatch: pytest.MonkeyPatch, **more: str) -> Settings:
    for name, value in (NEEDED | more).items():
        monkeypatch.setenv(name, value)
    return Settings.read()


def test_nothing_is_needed_beyond_the_essentials(monkeypatch: pytest.MonkeyPatch) -> None:
    made = settings(monkeypatch)
    assert (made.nameservers, made.clamd, made.trusted_servers, made.lmtp_trusted) == (None, "", frozenset(), False)
    assert (made.tickets_a_day, made.receipts_a_day, made.all_receipts_a_day) == (100, 20, 50_000)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("off", None),
        ("system", ()),
        ("127.0.0.1", ("127.0.0.1",)),
        ("127.0.0.1:5300, ::1 [::1]:53", ("127.0.0.1:5300", "::1", "[::1]:53")),
    ],
)
def test_the_setting_of_name_servers(
    monkeypatch: pytest.MonkeyPatch, written: str, read: tuple[str, ...] | None
) -> None:
    assert settings(monkeypatch, LEDGERDESK_VERIFY_SENDERS=written).nameservers == read


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LEDGERDESK_VERIFY_SENDERS", "on"),
        ("LEDGERDESK_VERIFY_SENDERS", "dns.example:53"),
        ("LEDGERDESK_VERIFY_SENDERS", "127.0.0.1:x"),
        ("LEDGERDESK_VERIFY_SENDERS", "127.0.0.1:99999"),
        ("LEDGERDESK_CLAMD", "clamd"),
        ("LEDGERDESK_CLAMD", "clamd:x"),
        ("LEDGERDESK_CLAMD", ":3310"),
        ("LEDGERDESK_RECEIPTS_A_DAY", "-1"),
        ("LEDGERDESK_ALL_RECEIPTS_A_DAY", "many"),
    ],
)
def test_invalid_settings_are_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    with pytest.raises(SettingMissing, match=name):
        settings(monkeypatch, **{name: value})
