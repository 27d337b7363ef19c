from pathlib import Path

import pytest

from services.notify.settings import MailSettings, Settings
from services.notify.transports.maildir import Maildir
from services.notify.transports.smtp import Smtp
from shared.settings import SettingMissing

BASE = Settings("postgresql://x@127.0.0.1/x", "127.0.0.1:1", "key", None, None, None, None)


def test_a_mail_server_is_preferred_to_a_maildir(tmp_path: Path) -> None:
    assert isinstance(Settings("", "", "", None, "smtp://mx.example", str(tmp_path), None).transport(), Smtp)
    assert isinstance(Settings("", "", "", None, None, str(tmp_path), None).transport(), Maildir)


def test_without_a_way_out_notify_says_what_to_set() -> None:
    with pytest.raises(SettingMissing, match="LEDGERDESK_SMTP_URL"):
        BASE.transport()


@pytest.mark.parametrize(
    ("key", "domain"),
    [("", "help.example.org"), ("k", ""), ("k", "a b"), ("k", "x>\r\nBcc: y@z"), ("k", "blåbær.example")],
)
def test_message_ids_need_a_key_and_a_domain(key: str, domain: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEDGERDESK_MAIL_KEY", key)
    monkeypatch.setenv("LEDGERDESK_MAIL_DOMAIN", domain)
    with pytest.raises(SettingMissing):
        MailSettings.read()
