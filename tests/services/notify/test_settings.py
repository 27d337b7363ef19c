from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from services.notify.sending.transports.maildir import Maildir
from services.notify.sending.transports.smtp import Smtp
from services.notify.settings import MailSettings, Settings
from shared.settings import SettingMissing
from shared.testing.keys import ENVIRONMENT, KEYS
from tests.servers import NO_KAFKA

KAFKA = NO_KAFKA.account("notify")
BASE = Settings("postgresql://x@127.0.0.1/x", KAFKA, KEYS, None, None, None, None)


def test_a_mail_server_is_preferred_to_a_maildir(tmp_path: Path) -> None:
    assert isinstance(Settings("", KAFKA, KEYS, None, "smtp://mx.example", str(tmp_path), None).transport(), Smtp)
    assert isinstance(Settings("", KAFKA, KEYS, None, None, str(tmp_path), None).transport(), Maildir)


def test_without_a_transport_the_error_says_what_to_set() -> None:
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


def test_dkim_keys_are_configured_with_their_selectors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = tmp_path / "key.pem"
    key.write_bytes(Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    for name in ("DATABASE_URL", "MAIL_KEY"):
        monkeypatch.setenv(f"LEDGERDESK_{name}", "x")
    for name, value in (NO_KAFKA.environment("notify") | ENVIRONMENT).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("LEDGERDESK_MAIL_DOMAIN", "help.example.org")
    assert Settings.read().signer is None
    monkeypatch.setenv("LEDGERDESK_DKIM_KEYS", f" a:{key}  b:{key}")
    signer = Settings.read().signer
    assert signer is not None
    assert (signer.domain, [each.selector for each in signer.keys]) == ("help.example.org", ["a", "b"])
    for wrong in ("a", "a:", str(key), f"a:{key} a:{key}", f"a:{tmp_path}/none", f"a:{tmp_path}", f"a=b;:{key}"):
        monkeypatch.setenv("LEDGERDESK_DKIM_KEYS", wrong)
        with pytest.raises(SettingMissing, match="LEDGERDESK_DKIM_KEYS") as told:
            Settings.read()
        assert "\n" not in str(told.value)
    monkeypatch.setenv("LEDGERDESK_DKIM_KEYS", f"a:{key}")
    monkeypatch.setenv("LEDGERDESK_DKIM_DOMAIN", "x\r\ny")
    with pytest.raises(SettingMissing, match="LEDGERDESK_DKIM_DOMAIN"):
        Settings.read()
