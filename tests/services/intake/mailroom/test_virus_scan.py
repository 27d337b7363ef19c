"""Files are scanned if a scanner is configured; mails are taken whatever the scanner does."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.local.ports import free_ports
from services.intake.mailroom.envelope import Envelope
from services.intake.mailroom.mailroom import Mailroom
from services.intake.records.mails import Mail
from services.intake.uploads.virus_scan import NOT_SCANNED, Scan, VirusScan
from shared.contracts.intake import TicketOpened
from shared.contracts.parts import Attachment
from tests.services.intake.mailroom.scanner import EICAR, Scanner, scanner
from tests.services.intake.reception import mail

INFECTED = Scan("infected", "Eicar-Signature")
ENVELOPE = Envelope("per@customer.example", ("it@help.example",))


@pytest.fixture
def clamd() -> Iterator[Scanner]:
    with scanner() as made:
        yield made


def with_files(*files: bytes) -> bytes:
    parts = "".join(
        f"--b\r\nContent-Type: application/octet-stream\r\nContent-Disposition: attachment; filename=f{n}.bin\r\n\r\n{each.decode()}\r\n"
        for n, each in enumerate(files)
    )
    head = mail(text="", Content_Type='multipart/mixed; boundary="b"').rstrip(b"\r\n")
    return head + f"\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nSee.\r\n{parts}--b--\r\n".encode()


async def opened(desk: Mailroom, taken: Mail) -> TicketOpened:
    assert taken.ticket_id is not None
    (event,) = await desk.records.store.load(taken.ticket_id)
    assert isinstance(event.payload, TicketOpened)
    return event.payload


async def scans(desk: Mailroom, raw: bytes) -> list[tuple[str | None, str]]:
    taken = await desk.take(raw, ENVELOPE)
    assert taken.outcome == "created"
    files: tuple[Attachment, ...] = (await opened(desk, taken)).message.attachments
    return [(each.scan, each.threat) for each in files]


async def test_every_file_is_told_what_the_scanner_said(clamd: Scanner) -> None:
    large = b"x" * 700_000
    found = await VirusScan(clamd.address).scan([b"harmless", EICAR, b"", large])
    assert found == [Scan("clean"), INFECTED, Scan("clean"), Scan("clean")]
    assert sorted(map(len, clamd.streams)) == [0, 8, len(EICAR), 700_000]
    assert large in clamd.streams


async def test_a_file_beyond_the_scanners_limit_was_not_scanned(clamd: Scanner) -> None:
    clamd.longest = 100_000
    assert await VirusScan(clamd.address).scan([b"x" * 20_000_000, b"small"]) == [NOT_SCANNED, Scan("clean")]


@pytest.mark.parametrize(
    "answer", [b"", b"nonsense\0", b"stream: x ERROR\0", b"x: OK\0", b"OK\0", b"y" * 9_000, b"stream:"]
)
async def test_a_reply_without_a_verdict_counts_as_not_scanned(clamd: Scanner, answer: bytes) -> None:
    clamd.answers = answer
    assert await VirusScan(clamd.address).scan([EICAR]) == [NOT_SCANNED]


async def test_a_name_of_a_threat_is_one_line(clamd: Scanner) -> None:
    clamd.answers = b"stream: Bad\r\nX-Header: " + b"y" * 300 + b" FOUND\0"
    (found,) = await VirusScan(clamd.address).scan([b""])
    assert (found.result, found.threat[:14], len(found.threat)) == ("infected", "BadX-Header: y", 100)


async def test_a_scanner_that_hangs_holds_no_mail(clamd: Scanner) -> None:
    clamd.hangs = True
    found = await VirusScan(clamd.address, file_seconds=0.2, mail_seconds=0.5).scan([b"a file"] * 40)
    assert found == [NOT_SCANNED] * 40
    assert len(clamd.streams) < 40


async def test_a_scanner_that_is_down_is_asked_again_after_a_pause(clamd: Scanner) -> None:
    now = 0.0
    (closed,) = free_ports(1)
    scan = VirusScan(f"127.0.0.1:{closed}", clock=lambda: now)
    assert await scan.scan([b"a file"]) == [NOT_SCANNED]
    scan.address = clamd.address
    assert await scan.scan([b"a file"]) == [NOT_SCANNED]
    now = 11.0
    assert await scan.scan([b"a file"]) == [Scan("clean")]


async def test_an_article_says_what_was_found_in_its_files(mailroom: Mailroom, clamd: Scanner) -> None:
    desk = replace(mailroom, virus_scan=VirusScan(clamd.address))
    raw = with_files(b"harmless", EICAR)
    taken = await desk.take(raw, ENVELOPE)
    ticket = await opened(desk, taken)
    files = ticket.message.attachments
    assert [(each.scan, each.threat) for each in files] == [("clean", ""), ("infected", "Eicar-Signature")]
    assert await desk.blobs.get(files[1].blob.sha256) == EICAR  # nothing is lost
    assert taken.found["wrong"] == ["f1.bin is infected: Eicar-Signature"]
    assert list(ticket.message.reading_notes) == taken.found["wrong"]
    assert not ticket.receipt  # whoever sends malware writes in somebody else's name


async def test_without_a_scanner_or_with_a_broken_one_an_article_says_that_nothing_was_scanned(
    mailroom: Mailroom,
) -> None:
    assert await scans(mailroom, with_files(EICAR)) == [("not_scanned", "")]
    (closed,) = free_ports(1)
    down = replace(mailroom, virus_scan=VirusScan(f"127.0.0.1:{closed}"))
    assert await scans(down, with_files(EICAR)) == [("not_scanned", "")]


@pytest.fixture
def real_clamd(tmp_path: Path) -> Iterator[str]:
    program = shutil.which("clamd")
    if program is None:
        pytest.skip("clamd of Debian's clamav-daemon is not installed here")
    database, place = tmp_path / "db", tmp_path / "clamd.sock"
    database.mkdir()
    (database / "test.ndb").write_text(f"Eicar-Signature:0:*:{EICAR.hex()}\n")
    settings = tmp_path / "clamd.conf"
    settings.write_text(
        f"LocalSocket {place}\nDatabaseDirectory {database}\nForeground yes\nStreamMaxLength 1M\nLogTime no\n"
    )
    process = subprocess.Popen(
        [program, "--config-file", str(settings)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        end = time.monotonic() + 60
        while not place.exists():
            assert process.poll() is None, process.stdout.read() if process.stdout else ""
            assert time.monotonic() < end
            time.sleep(0.05)
        yield str(place)
    finally:
        process.kill()
        process.wait()


async def test_the_real_clamd_says_the_same(real_clamd: str) -> None:
    found = await VirusScan(real_clamd).scan([b"harmless", EICAR, b"x" * 5_000_000])
    assert found[0] == Scan("clean")
    assert (found[1].result, found[1].threat.startswith("Eicar-Signature")) == ("infected", True)
    assert found[2] == NOT_SCANNED
