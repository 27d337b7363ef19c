"""Mailboxes on a real Dovecot: fetching and marking mails, also during restarts, kills and renumbering."""

import asyncio
import shutil
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.intake.mail.reading_pool import Readers
from services.intake.mailroom.mailroom import Mailroom
from shared.testing.documents import seed
from shared.testing.progress import until
from tests.services.intake.reception import ADMIN, Reception, mail
from tests.services.intake.transports.dovecot import MISSING, WORD, Dovecot, dovecot, program
from tests.services.intake.transports.fetching import (
    configure,
    failed,
    fetching,
    mailbox,
    secrets,
    subjects,
    succeeded,
    taken,
)
from tests.specs.requirement import requirement

pytestmark = pytest.mark.skipif(program() is None, reason=MISSING)


@pytest.fixture
def server(scratch: Path) -> Iterator[Dovecot]:
    home = scratch / f"dovecot-{uuid.uuid4().hex[:8]}"
    with dovecot(home) as running:
        yield running
    shutil.rmtree(home)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return secrets(tmp_path / "secrets", WORD)


@requirement("A1.01")
async def test_what_is_unseen_is_fetched_and_then_seen(mailroom: Mailroom, server: Dovecot, folder: Path) -> None:
    server.put(mail("Read long ago"), seen=True)
    server.put(mail("First"), mail("Second"))
    box = mailbox(server.imap)
    async with fetching(mailroom, folder, box):
        assert await taken(mailroom, 2) == ["First", "Second"]
        await succeeded(mailroom, box.id)
        assert await until(lambda: _flags(server, 3)) == [(b"\\Seen",)] * 3
        server.put(mail("Third"))  # IDLE tells
        assert await taken(mailroom, 3) == ["First", "Second", "Third"]


async def _flags(server: Dovecot, count: int) -> list[tuple[bytes, ...]] | None:
    found = await asyncio.to_thread(server.flags)
    return found if len(found) == count and all(found) else None


async def _empty(server: Dovecot) -> bool:
    return await asyncio.to_thread(server.flags) == []


async def test_what_somebody_else_reads_first_is_fetched_too(mailroom: Mailroom, server: Dovecot, folder: Path) -> None:
    box = mailbox(server.imap)
    async with fetching(mailroom, folder, box):
        await succeeded(mailroom, box.id)
    server.put(mail("Read in another program"), seen=True)
    async with fetching(mailroom, folder, box):
        assert await taken(mailroom, 1) == ["Read in another program"]


@pytest.mark.parametrize("tls", ["implicit", "starttls"])
@pytest.mark.parametrize("protocol", ["imap", "pop3"])
async def test_encrypted(
    mailroom: Mailroom, server: Dovecot, folder: Path, monkeypatch: pytest.MonkeyPatch, protocol: str, tls: str
) -> None:
    ports = {
        ("imap", "implicit"): server.imaps,
        ("imap", "starttls"): server.imap,
        ("pop3", "implicit"): server.pop3s,
        ("pop3", "starttls"): server.pop3,
    }
    server.put(mail("Secret"))
    how: dict[str, Any] = {"protocol": protocol, "tls": tls, "afterwards": "delete"}
    box = mailbox(ports[protocol, tls], **how)
    async with fetching(mailroom, folder, box):
        await failed(mailroom, box.id, "self-signed certificate")
    assert await subjects(mailroom) == []
    monkeypatch.setenv("SSL_CERT_FILE", str(server.certificate))
    async with fetching(mailroom, folder, box):
        assert await taken(mailroom, 1) == ["Secret"]
        await until(lambda: _empty(server))


async def test_a_mail_is_moved_to_a_folder_that_is_made(mailroom: Mailroom, server: Dovecot, folder: Path) -> None:
    server.put(mail("Moved"), mail("Moved though seen"))
    async with fetching(mailroom, folder, mailbox(server.imap, afterwards="move", move_to="Done & dusted")):
        await taken(mailroom, 2)
        await until(lambda: _empty(server))
        assert len(server.flags("Done & dusted")) == 2


@requirement("A1.01")
async def test_pop3_deletes_mails_that_are_stored_here(mailroom: Mailroom, server: Dovecot, folder: Path) -> None:
    long_line = mail("Long", "x" * 5_000)
    server.put(long_line, mail("Dots", ".\r\n..\r\n.x"), *(mail(f"Nr {n}") for n in range(120)))
    box = mailbox(server.pop3, protocol="pop3", afterwards="delete")
    async with fetching(mailroom, folder, box):
        assert (await taken(mailroom, 122))[:3] == ["Long", "Dots", "Nr 0"]
        await until(lambda: _empty(server))
    kept = await mailroom.records.pool.fetchval("SELECT blob FROM intake.mails ORDER BY mail_id LIMIT 1")
    assert await mailroom.blobs.get(kept) == long_line


async def test_a_wrong_password_is_reported(mailroom: Mailroom, server: Dovecot, folder: Path) -> None:
    for protocol, port in (("imap", server.imap), ("pop3", server.pop3)):
        box = mailbox(port, protocol=protocol, afterwards="delete", user="nobody-here")
        async with fetching(mailroom, folder, box):
            state = await failed(mailroom, box.id, "the server refuses to sign us in")
            assert WORD not in str(state.last_error)


async def test_a_missing_folder_is_reported(mailroom: Mailroom, server: Dovecot, folder: Path) -> None:
    box = mailbox(server.imap, folder="Nowhere")
    async with fetching(mailroom, folder, box):
        await failed(mailroom, box.id, "the folder Nowhere cannot be opened")


async def test_a_server_that_restarts_in_mid_fetch(mailroom: Mailroom, server: Dovecot, folder: Path) -> None:
    names = [f"Nr {n}" for n in range(60)]
    server.put(*(mail(name) for name in names))
    box = mailbox(server.imap)
    async with fetching(mailroom, folder, box):
        await taken(mailroom, 5)
        await asyncio.to_thread(server.restart)
        assert await taken(mailroom, 60) == names
        await until(lambda: _flags(server, 60))
    assert await subjects(mailroom) == names


async def test_a_new_uidvalidity_reads_what_is_unseen_and_makes_no_second_ticket(
    mailroom: Mailroom, server: Dovecot, folder: Path
) -> None:
    first = mail("First")
    server.put(first)
    box = mailbox(server.imap)
    async with fetching(mailroom, folder, box):
        await taken(mailroom, 1)
        await until(lambda: _flags(server, 1))
    with server.client() as client:  # the folder is made anew, its mail comes back as unseen with another number
        client.append("INBOX", first)
        before = client.folder_status("INBOX", ["UIDVALIDITY"])[b"UIDVALIDITY"]
    server.stop()
    for index in (server.home / "mail").glob("dovecot*"):
        index.unlink()
    server.start()
    server.put(mail("Second"))
    with server.client() as client:
        assert client.folder_status("INBOX", ["UIDVALIDITY"])[b"UIDVALIDITY"] != before
    async with fetching(mailroom, folder, box):
        assert await taken(mailroom, 2) == ["First", "Second"]
        await until(lambda: _flags(server, 3))
    assert await subjects(mailroom) == ["First", "Second"]


@requirement("A1.01")
async def test_two_fetchers_never_fetch_one_mailbox_at_once(mailroom: Mailroom, server: Dovecot, folder: Path) -> None:
    names = [f"Nr {n}" for n in range(30)]
    server.put(*(mail(name) for name in names))
    box = mailbox(server.imap)
    async with fetching(mailroom, folder, box) as one:
        await until(lambda: _answer(one.leases == {box.id}))
        async with fetching(mailroom, folder, box) as other:
            assert await taken(mailroom, 30) == names
            assert other.leases == set()
            configure(mailroom)  # the document is retired: nobody fetches
            await until(lambda: _answer(not one.leases))
            configure(mailroom, box)
            await until(lambda: _answer(len(one.leases) + len(other.leases) == 1))
    assert await subjects(mailroom) == names


async def _answer(value: bool) -> bool:
    return value


async def test_another_takes_over_from_a_fetcher_that_ends(mailroom: Mailroom, server: Dovecot, folder: Path) -> None:
    box = mailbox(server.imap)
    async with fetching(mailroom, folder, box) as other:
        await until(lambda: _answer(other.leases == {box.id}))
        waiting = fetching(mailroom, folder, box)
        second = await waiting.__aenter__()
        await until(lambda: _answer(bool(second.rounds)))
        assert second.leases == set()
    try:
        server.put(mail("After the change"))
        assert await taken(mailroom, 1) == ["After the change"]
        assert second.leases == {box.id}
    finally:
        await waiting.__aexit__(None, None, None)


@requirement("A1.01")
@pytest.mark.parametrize("protocol", ["imap", "pop3"])
def test_a_fetcher_that_dies_before_it_marks_makes_no_second_ticket(
    postgres: Any, tmp_path: Path, server: Dovecot, folder: Path, protocol: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEDGERDESK_SECRETS_DIR", str(folder))
    server.put(mail("Safe"), mail("Not yet"), mail("Later"))
    port = server.imap if protocol == "imap" else server.pop3
    box = mailbox(port, protocol=protocol, afterwards="delete", recipient="it@help.example")
    owner_url, url = postgres.database("fetching")
    desk = Reception(owner_url, url, tmp_path, role="all")
    desk.migrate()
    asyncio.run(seed(desk.url, box))
    try:
        # The first is deleted, the second is stored here when the process dies.
        desk.start("intake.mailbox_safe=exit@2")
        assert desk.died()
        assert desk.count("intake.mails") == 2
        assert len(server.flags()) == (2 if protocol == "imap" else 3)
        desk.start()
        desk.until(lambda: desk.count("intake.mails") == 3)
        desk.until(lambda: server.flags() == [])
        assert desk.count("intake.tickets") == 3
        told = desk.call("GET", "/mailboxes/support/status", who=ADMIN).body
        assert (told["state"], told["left_there"]) == ("working", [])
    finally:
        desk.stop(signal.SIGTERM)


async def test_a_mail_that_cannot_be_taken_now_stays(mailroom: Mailroom, server: Dovecot, folder: Path) -> None:
    server.put(mail("Waits"))
    box = mailbox(server.imap)

    class Broken(Readers):
        async def read(self, raw: bytes) -> Any:
            raise OSError("no reader can be started")

    broken = Mailroom(mailroom.records, mailroom.blobs, mailroom.numbers, mailroom.directory, Broken(1), mailroom.rules)
    async with fetching(broken, folder, box):
        await failed(mailroom, box.id, "the desk cannot take mails now")
    assert server.flags() == [()]
    async with fetching(mailroom, folder, box):
        assert await taken(mailroom, 1) == ["Waits"]
        await succeeded(mailroom, box.id)
