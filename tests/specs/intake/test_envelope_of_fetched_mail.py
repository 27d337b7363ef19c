"""The envelope of a fetched mail, from its header."""

from uuid import UUID

import pytest

from services.intake.transports.mailboxes.envelope import envelope_of
from shared.contracts.directory import Mailbox, Password
from tests.specs.requirement import requirement

BOX = Mailbox(
    id=UUID(int=1),
    slug="support",
    name="Support",
    protocol="imap",
    host="mail.example.org",
    port=993,
    user="support",
    credential=Password(kind="password", secret="support"),
)
TRUSTED = BOX.model_copy(update={"trusted": True})
LETTER = b"From: Per <per@customer.example>\r\nTo: it@help.example\r\n\r\nDelivered-To: body@x.example\r\n"


@pytest.mark.parametrize(
    ("top", "sender"),
    [
        (b"Return-Path: <bounce+1@customer.example>\r\n", "bounce+1@customer.example"),
        (b"Return-Path: <>\r\n", ""),
        (b"return-path:\r\n <folded@customer.example>\r\n", "folded@customer.example"),
        (b"Received: x\r\nReturn-Path: a@customer.example\r\n", "a@customer.example"),
        (b"", "per@customer.example"),
        (b"Return-Path: MAILER-DAEMON\r\n", ""),
    ],
)
def test_the_sender_of_a_mail(top: bytes, sender: str) -> None:
    assert envelope_of(top + LETTER, BOX).sender == sender


@requirement("A1.02", "A1.26")
@pytest.mark.parametrize(
    ("top", "recipients"),
    [
        (b"Delivered-To: it@help.example\r\n", ("it@help.example",)),
        (b"Delivered-To: box@help.example\r\nX-Original-To: it@help.example\r\n", ("it@help.example",)),
        (b"Envelope-To: it@help.example,\r\n\tsales@help.example\r\n", ("it@help.example", "sales@help.example")),
        (b"Received: from x\r\nDelivered-To: forged@help.example\r\n", ()),
        (b"Delivered-To: it@help.example\r\nReceived: x\r\nX-Original-To: f@help.example\r\n", ("it@help.example",)),
        (b"Delivered-To: no address\r\n", ()),
        (b"", ()),
    ],
)
def test_the_recipients_of_a_mail(top: bytes, recipients: tuple[str, ...]) -> None:
    found = envelope_of(top + LETTER, TRUSTED)
    assert (found.recipients, found.trusted) == (recipients, True)
    untrusted = envelope_of(top + LETTER, BOX)
    assert (untrusted.recipients, untrusted.trusted) == ((), False)


def test_the_recipient_in_the_mailboxes_document_counts_first() -> None:
    box = TRUSTED.model_copy(update={"recipient": "sales@help.example"})
    found = envelope_of(b"Delivered-To: it@help.example\r\n" + LETTER, box)
    assert found.recipients == ("sales@help.example",)


@pytest.mark.parametrize("raw", [b"", b"\r\n", b"\x00" * 100, b":" * 1000, b"From:" + b"<" * 100_000, b"a" * 300_000])
def test_anything_has_an_envelope(raw: bytes) -> None:
    assert envelope_of(raw, TRUSTED).recipients == ()
