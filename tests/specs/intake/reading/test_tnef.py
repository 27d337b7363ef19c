"""Outlook's winmail.dat: its files and text are found, and broken ones do no harm."""

import base64
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake.mail.reading import read
from services.intake.mail.structure import tnef


def attribute(name: int, data: bytes, level: int = 1) -> bytes:
    return struct.pack("<BII", level, name, len(data)) + data + struct.pack("<H", sum(data) & 0xFFFF)


def text_property(name: int, value: str) -> bytes:
    data = value.encode("utf-16-le") + b"\0\0"
    return struct.pack("<HHII", 0x1F, name, 1, len(data)) + data + b"\0" * (-len(data) % 4)


def binary_property(name: int, value: bytes) -> bytes:
    return struct.pack("<HHII", 0x102, name, 1, len(value)) + value + b"\0" * (-len(value) % 4)


def properties(*each: bytes) -> bytes:
    return struct.pack("<I", len(each)) + b"".join(each)


NUMBER = struct.pack("<HHI", 0x3, 0x3705, 1)
NAMED = struct.pack("<HH", 0x3, 0x8001) + b"g" * 16 + struct.pack("<II", 0, 7) + struct.pack("<I", 5)
ENVELOPE = (
    struct.pack("<IH", tnef.SIGNATURE, 1)
    + attribute(0x9007, struct.pack("<II", 1252, 0))
    + attribute(0x9003, properties(NUMBER, NAMED, text_property(0x1000, "The words, på norsk.")))
    + attribute(0x9002, b"\0" * 14, 2)
    + attribute(0x8010, b"SHORT~1.PDF\0", 2)
    + attribute(0x800F, b"%PDF-1.7", 2)
    + attribute(0x9005, properties(text_property(0x3707, "långt namn.pdf"), text_property(0x370E, "application/pdf"), NUMBER), 2)
    + attribute(0x9002, b"\0" * 14, 2)
    + attribute(0x9005, properties(text_property(0x3704, "logo.png"), text_property(0x3712, "logo@1"), binary_property(0x3701, b"png!!")), 2)
)  # fmt: skip


def test_text_and_files_of_winmail_dat() -> None:
    found = tnef.read(ENVELOPE)
    assert found is not None
    assert found.whole
    assert found.text == "The words, på norsk."
    assert [(f.name, f.type, f.content, f.content_id) for f in found.files] == [
        ("långt namn.pdf", "application/pdf", b"%PDF-1.7", ""),
        ("logo.png", "", b"png!!", "logo@1"),
    ]


def test_a_mail_that_is_only_winmail_dat_reads_like_any_other() -> None:
    raw = (
        b"Content-Type: application/ms-tnef; name=winmail.dat\nContent-Transfer-Encoding: base64\n\n"
        + base64.encodebytes(ENVELOPE)
    )
    reading = read(raw)
    assert reading.text == "The words, på norsk."
    assert [(f.name, f.type, f.inline_id) for f in reading.files] == [
        ("långt namn.pdf", "application/pdf", None),
        ("logo.png", "application/octet-stream", "logo@1"),
    ]
    assert reading.wrong == ()


@pytest.mark.parametrize("length", [0, 5, 6, 50, 200, len(ENVELOPE) - 3])
def test_a_broken_winmail_dat_is_kept_beside_what_could_be_read(length: int) -> None:
    raw = b"Content-Type: application/ms-tnef; name=winmail.dat\nContent-Transfer-Encoding: base64\n\n"
    reading = read(raw + base64.encodebytes(ENVELOPE[:length]))
    assert reading.wrong == ("winmail.dat could not be read to its end",) or length == 6
    assert "winmail.dat" in [f.name for f in reading.files] or length == 6


@given(st.binary(max_size=300), st.integers(0, len(ENVELOPE)))
def test_any_bytes_as_winmail_dat_are_harmless(noise: bytes, at: int) -> None:
    tnef.read(ENVELOPE[:at] + noise + ENVELOPE[at + len(noise) :])


def test_compressed_rtf_of_the_specification() -> None:
    # [MS-OXRTFCP] 4.1.1 and 4.2.1
    simple = b"-\0\0\0+\0\0\0LZFu\xf1\xc5\xc7\xa7\x03\0\n\0rcpg125B2\n\xf3 hel\t\0 bw\x05\xb0ld}\n\x80\x0f\xa0"
    assert tnef.decompressed(simple) == b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n"
    crossing = b"\x1a\0\0\0\x1c\0\0\0LZFu\xe2\xd4KQA\0\x04 WXYZ\rn}\x01\x0e\xb0"
    assert tnef.decompressed(crossing) == b"{\\rtf1 WXYZWXYZWXYZWXYZWXYZ}"


@given(st.binary(max_size=500))
def test_any_compressed_bytes_stay_within_their_bound(data: bytes) -> None:
    head = struct.pack("<III", len(data) + 12, 1_000, 0x75465A4C) + b"\0\0\0\0"
    assert len(tnef.decompressed(head + data)) <= 1_000
