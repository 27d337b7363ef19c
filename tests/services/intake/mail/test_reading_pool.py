"""Mails are read in separate processes. A mail that crashes its process is kept, and does not affect others."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from services.intake.mail.digest import digest
from services.intake.mail.reading import read
from services.intake.mail.reading_pool import Readers

LETTER = (
    b"From: per@customer.example\r\nTo: team: a@b.example, c@d.example;\r\nSubject: =?utf-8?q?Pr=C3=B8ve?=\r\nDate: Mon, 23 Nov 2026 10:00:00 +0100\r\n"
    b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nwords\r\n--x\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment;"
    b" filename=a.pdf\r\n\r\n%PDF\x00\xff\r\n--x\r\nContent-Type: image/png\r\nContent-ID: <a@b>\r\n\r\n\r\n--x--\r\n"
)
LARGE = b"Subject: x\r\n\r\n" + b"word\r\n" * 1_000_000


@pytest.fixture
async def readers() -> AsyncIterator[Readers]:
    pool = Readers(2)
    yield pool
    await pool.close()


async def test_a_mail_is_read_as_it_would_be_here(readers: Readers) -> None:
    bounce = LETTER.replace(b"From: per", b"From: mailer-daemon").replace(b"=?utf-8?q?Pr=C3=B8ve?=", b"failure notice")
    for raw in (LETTER, bounce, b"", b"\x00\xff", LARGE):
        assert await readers.read(raw) == (digest(raw), read(raw))


async def test_mails_that_are_read_at_once_get_their_own_results(readers: Readers) -> None:
    mails = [LETTER.replace(b"words", b"words %d" % n) for n in range(100)]
    found = await asyncio.gather(*map(readers.read, mails))
    assert [reading.text for _, reading in found] == [f"words {n}" for n in range(100)]


async def test_a_mail_that_takes_too_long_ends_only_its_own_reader() -> None:
    readers = Readers(1, most_seconds=0.02)
    try:
        key, reading = await readers.read(LARGE)
        assert key == digest(LARGE)
        assert reading.wrong == ("could not be read: reading it took too long",)
        assert [file.content for file in reading.files] == [LARGE]
        assert reading.no_answer
        readers._most_seconds = 5.0
        assert (await readers.read(LETTER))[1].text == "words"
    finally:
        await readers.close()


async def test_a_mail_whose_reading_never_ends_is_kept() -> None:
    readers = Readers(1, most_wait=0.0)
    try:
        reading = (await readers.read(LETTER))[1]
        assert reading.wrong == ("could not be read: reading it did not finish",)
    finally:
        await readers.close()


async def test_a_reader_that_died_is_replaced_and_its_mail_read_again(readers: Readers) -> None:
    await readers.read(LETTER)
    (reader,) = readers._idle
    await reader.kill()
    assert (await readers.read(LETTER))[1].text == "words"


async def test_a_cancelled_caller_leaves_no_result_for_the_next(readers: Readers) -> None:
    await readers.read(LETTER)
    waiting = asyncio.create_task(readers.read(LARGE))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert (await readers.read(LETTER))[1].text == "words"


async def test_a_reader_knows_no_secrets(readers: Readers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEDGERDESK_MAIL_KEY", "x")
    await readers.read(LETTER)
    (reader,) = readers._idle
    with open(f"/proc/{reader._process.pid}/environ", "rb") as environment:
        assert b"LEDGERDESK" not in environment.read()


async def test_closed_readers_are_gone() -> None:
    readers = Readers(1)
    await readers.read(LETTER)
    (reader,) = readers._idle
    await readers.close()
    assert reader._process.returncode is not None
