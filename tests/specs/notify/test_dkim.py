"""DKIM signatures, verified with an independent library (dkimpy)."""

import base64
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from uuid import UUID

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from hypothesis import given, settings
from hypothesis import strategies as st

from services.notify.writing.dkim import BadKey, Key, Signer
from services.notify.writing.message import encode
from shared.contracts.parts import Address, Attachment, Blob
from tests.specs.notify.tickets import mail

MOMENT = datetime(2026, 11, 23, 8, 30, 15, tzinfo=UTC)
NOTIFICATION = UUID(int=7)
DOMAIN = "help.example.org"
RSA = Key("rsa1", rsa.generate_private_key(65537, 2048))
ED25519 = Key("ed1", ed25519.Ed25519PrivateKey.generate())
SIGNER = Signer(DOMAIN, (RSA, ED25519))


def published(key: Key) -> bytes:
    """The key's record in DNS."""
    if isinstance(key.private, rsa.RSAPrivateKey):
        kind, form = "rsa", serialization.PublicFormat.SubjectPublicKeyInfo
        raw = key.private.public_key().public_bytes(serialization.Encoding.DER, form)
    else:
        kind, raw = "ed25519", key.private.public_key().public_bytes_raw()
    return f"v=DKIM1; k={kind}; p={base64.b64encode(raw).decode()}".encode()


RECORDS = {f"{key.selector}._domainkey.{DOMAIN}.": published(key) for key in (RSA, ED25519)}


def verified(content: bytes) -> list[bool]:
    """Whether each of the mail's signatures is valid."""
    count = content.partition(b"\r\n\r\n")[0].count(b"DKIM-Signature:")
    found = []
    for n in range(count):
        try:
            found.append(dkim.DKIM(content).verify(n, dnsfunc=lambda name, timeout=5: RECORDS.get(name.decode(), b"")))
        except dkim.DKIMException:
            found.append(False)
    return found


def written(**more: Any) -> bytes:
    return SIGNER.signed(encode(NOTIFICATION, mail(**more), MOMENT).content, MOMENT)


def test_both_signatures_are_valid_and_every_attempt_has_the_same_bytes() -> None:
    assert verified(written()) == [True, True]
    assert written() == written()


words = st.text(max_size=120) | st.text(alphabet=st.sampled_from('\r\n\t .:;=<>"@æ🖨ab'), max_size=120)


@given(words, words, words)
@settings(max_examples=60)
def test_the_signatures_of_any_mail_are_valid(subject: str, name: str, text: str) -> None:
    content = written(
        subject=subject, to=(Address(email="per@customer.example", name=name),), text=text, html=f"<p>{text}</p>"
    )
    assert verified(content) == [True, True]
    assert max(map(len, content.split(b"\r\n"))) <= 998


def test_the_signature_covers_attachments() -> None:
    file = Attachment(id=UUID(int=3), name="å.pdf", blob=Blob(sha256="0" * 64, size=3, type="application/pdf"))
    one = encode(
        NOTIFICATION,
        mail(attachments=(file,)),
        MOMENT,
        [(file, base64.encodebytes(b"abc" * 99).replace(b"\n", b"\r\n"))],
    )
    assert verified(SIGNER.signed(one.content, MOMENT)) == [True, True]


@pytest.mark.parametrize(
    "added",
    [b"From: Boss <boss@help.example.org>", b"Subject: Pay at once", b"To: you@x.example",
     b"Reply-To: thief@x.example", b"Cc: a@x.example", b"Sender: a@x.example",
     b"Date: Mon, 23 Nov 2026 08:30:15 +0000", b"Message-ID: <other@x.example>", b"In-Reply-To: <other@x.example>",
     b"References: <other@x.example>", b"Content-Type: text/html", b"MIME-Version: 1.0",
     b"Content-Transfer-Encoding: base64"],
)  # fmt: skip
def test_an_added_field_invalidates_the_signatures(added: bytes) -> None:
    content = written()
    header, _, body = content.partition(b"\r\n\r\n")
    assert verified(added + b"\r\n" + content) == [False, False]
    assert verified(header + b"\r\n" + added + b"\r\n\r\n" + body) == [False, False]


def test_a_changed_body_invalidates_the_signatures_and_refolding_does_not() -> None:
    content = written()
    assert verified(content.replace(b"serial number", b"password")) == [False, False]
    assert verified(content.replace(b"auto", b"x").replace(b"My computer hums", b"My computer bums")) == [False, False]
    assert verified(b"Received: from a\r\n\tby b\r\n" + content.replace(b"My computer", b"My\r\n  computer")) == [
        True,
        True,
    ]


def test_the_fields_of_automatic_mail_are_signed() -> None:
    content = written(auto_submitted="auto-replied")
    assert verified(content) == [True, True]
    assert verified(content.replace(b"auto-replied", b"no")) == [False, False]


def test_a_resent_mail_keeps_its_signature() -> None:
    original = EmailMessage()
    original["From"], original["Subject"], original["Message-ID"] = (
        "per@customer.example",
        "hums",
        "<1@customer.example>",
    )
    original.set_content("It hums.\n")
    theirs = SIGNER.signed(original.as_bytes().replace(b"\n", b"\r\n"), MOMENT)
    resent = mail(resent=Blob(sha256="0" * 64, size=len(theirs), type="message/rfc822"), text="")
    assert verified(encode(NOTIFICATION, resent, MOMENT, (), None, theirs).content) == [True, True]


def pem(private: PrivateKeyTypes, encryption: serialization.KeySerializationEncryption | None = None) -> bytes:
    return private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption or serialization.NoEncryption()
    )


def test_keys_are_read_from_files(tmp_path: Path) -> None:
    for key in (RSA, ED25519):
        path = tmp_path / key.selector
        path.write_bytes(pem(key.private))
        assert Key.read(key.selector, path).sign(b"x") == key.sign(b"x")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is not a private key in PEM"),
        (pem(ed25519.Ed25519PrivateKey.generate())[:40], "it is not a private key in PEM"),
        (pem(ed25519.Ed25519PrivateKey.generate(), serialization.BestAvailableEncryption(b"x")), "it is encrypted"),
        (pem(ec.generate_private_key(ec.SECP256R1())), "neither an RSA nor an Ed25519 key"),
        (pem(rsa.generate_private_key(65537, 1023 + 1)), ""),
    ],
)
def test_the_error_for_a_bad_key_is_one_line(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(content)
    if not reason:
        Key.read("s1", path)
        return
    with pytest.raises(BadKey, match=reason) as told:
        Key.read("s1", path)
    assert "\n" not in str(told.value)


def test_a_missing_key_and_an_invalid_selector_are_errors(tmp_path: Path) -> None:
    with pytest.raises(BadKey, match="cannot be read: No such file"):
        Key.read("s1", tmp_path / "missing")
    with pytest.raises(BadKey, match="is not a selector"):
        Key.read("s1; d=evil.example", tmp_path / "missing")
