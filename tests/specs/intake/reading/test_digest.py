"""The same mail twice is one: equal bytes but for trace fields, whatever the recipient."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake.mail.digest import digest
from services.intake.mailroom.queue_choice import without_tag

MAIL = b"From: per@customer.example\r\nTo: it@help.example.org\r\nSubject: hums\r\n\r\nReceived: in the text\r\n"


@pytest.mark.parametrize(
    "trace",
    [
        b"Return-Path: <per@customer.example>\r\n",
        b"Received: from a by b;\r\n\tMon, 23 Nov 2026 10:00:00 +0000\r\n",
        b"received: from a\r\n by b\r\n with c\r\n",
        b"Delivered-To: x@y.example\r\n",
        b"X-Original-To: x@y.example\r\n",
        b"Authentication-Results: mx; spf=pass\r\n",
        b"ARC-Seal: i=1\r\nARC-Message-Signature: i=1;\r\n b=xyz\r\nARC-Authentication-Results: i=1\r\n",
    ],
)
@pytest.mark.parametrize("place", ["first", "later"])
def test_trace_fields_do_not_change_the_digest(trace: bytes, place: str) -> None:
    at = 0 if place == "first" else MAIL.index(b"To:")
    assert digest(MAIL[:at] + trace + MAIL[at:]) == digest(MAIL)


@pytest.mark.parametrize(
    "other",
    [
        MAIL.replace(b"hums", b"drums"),
        MAIL.replace(b"Received: in", b"Received: out"),
        MAIL.replace(b"Subject", b"X-Received"),
        MAIL + b" ",
        MAIL.replace(b"From", b"Received-From"),
    ],
)
def test_everything_else_changes_the_digest(other: bytes) -> None:
    assert digest(other) != digest(MAIL)


@given(st.binary(), st.binary())
def test_different_texts_have_different_digests(one: bytes, other: bytes) -> None:
    assert (digest(b"Subject: x\n\n" + one) == digest(b"Subject: x\n\n" + other)) == (one == other)


@given(st.binary())
def test_any_bytes_have_a_digest(raw: bytes) -> None:
    assert len(digest(raw)) == 32


@pytest.mark.parametrize(
    ("address", "plain"),
    [
        ("it+printer@help.example.org", "it@help.example.org"),
        ("it@help.example.org", "it@help.example.org"),
        ("", ""),
        ("x", "x"),
    ],
)
def test_a_tag_in_an_address_changes_nothing(address: str, plain: str) -> None:
    assert without_tag(address) == plain
