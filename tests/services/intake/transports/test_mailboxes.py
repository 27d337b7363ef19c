"""Mailboxes on servers that hang, lie, send garbage, close connections or renumber mails; the desk loses nothing and
doubles nothing."""

import asyncio
import resource
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from aiohttp import web

from services.intake.mail.reading_pool import Readers
from services.intake.mailroom.mailroom import Mailroom
from services.intake.transports.limits import MOST_BYTES
from services.intake.transports.mailboxes import fetchers
from services.intake.transports.mailboxes.clients.oauth2 import AccessTokens
from services.intake.transports.mailboxes.destinations import NOT_ALLOWED, Destinations
from services.intake.transports.mailboxes.errors import MailboxError, PermanentMailboxError
from services.intake.transports.mailboxes.fetchers import Fetchers
from shared.contracts.directory import OAuth2
from shared.testing.progress import until
from tests.services.intake.reception import mail
from tests.services.intake.transports.fetching import (
    QUICK,
    THIS_MACHINE,
    configure,
    failed,
    fetching,
    mailbox,
    secrets,
    status,
    subjects,
    succeeded,
    taken,
)
from tests.services.intake.transports.scripted_mailbox import WORD, Cut, ScriptedMailbox, Session, Spoil, serving
from tests.specs.requirement import requirement

IMPATIENT = replace(QUICK, command=2.0, mail=2.0, retry_mail=1.0)


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetchers, "CHECK_SECONDS", 0.1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return secrets(tmp_path / "secrets", WORD)


async def _is(value: Any) -> Any:
    return value


async def _left(mailroom: Mailroom, mailbox_id: UUID) -> list[dict[str, Any]]:
    return (await status(mailroom, mailbox_id)).left_there


async def _only(server: ScriptedMailbox, uid: int) -> bool:
    return list(server.mails) == [uid]


def once(spoil: Spoil) -> Spoil:
    """The first time only."""
    times = 0

    async def first(session: Session, rest: str) -> bool:
        nonlocal times
        times += 1
        return times == 1 and await spoil(session, rest)

    return first


async def hang(session: Session, _: str) -> bool:
    await session.line()
    raise AssertionError("the client spoke first")


async def cut(_session: Session, _: str) -> bool:
    raise Cut


async def garbage(session: Session, _: str) -> bool:
    await session.say(bytes(range(1, 256)) * 4 + b"\r\n")
    return True


async def nested(session: Session, _: str) -> bool:
    await session.say(b"* 1 FETCH " + b"(" * 100_000 + b"\r\n")
    await session.ok()
    return True


async def endless_line(session: Session, _: str) -> bool:
    while True:
        await session.say(b"x" * 65_536)


async def endless_answer(session: Session, _: str) -> bool:
    while True:
        await session.say(b"* 1 EXISTS\r\n" * 5_000)


async def huge_literal(session: Session, _: str) -> bool:
    await session.say(b"* 1 FETCH (UID 1 BODY[] {4000000000}\r\n")
    while True:
        await session.say(b"x" * 65_536)


async def cut_in_a_mail(session: Session, _: str) -> bool:
    await session.say(b"* 1 FETCH (UID 1 BODY[] {5000}\r\nFrom: per@customer.example\r\n")
    raise Cut


@requirement("A1.01")
@pytest.mark.parametrize("command", ["login", "select", "uid search", "uid fetch", "uid store", "logout"])
@pytest.mark.parametrize("spoil", [hang, cut, garbage, endless_line, endless_answer])
async def test_a_failure_of_the_server_makes_no_second_ticket(
    mailroom: Mailroom, folder: Path, command: str, spoil: Spoil
) -> None:
    async with serving(ScriptedMailbox(spoil={command: once(spoil)})) as server:
        server.put(mail("One"), mail("Two"))
        box = mailbox(server.port)
        async with fetching(mailroom, folder, box, intervals=IMPATIENT):
            await until(lambda: _is(server.seen() == [1, 2]))
            await until(lambda: _is(server.sessions >= 2))
            await succeeded(mailroom, box.id)
    assert sorted(await subjects(mailroom)) == ["One", "Two"]


@pytest.mark.parametrize("spoil", [huge_literal, cut_in_a_mail, nested, endless_answer])
async def test_a_mail_that_cannot_be_fetched_does_not_delay_others(
    mailroom: Mailroom, folder: Path, spoil: Spoil
) -> None:
    async def poisoned(session: Session, rest: str) -> bool:
        return rest.startswith("1 (BODY") and await spoil(session, rest)

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    async with serving(ScriptedMailbox(spoil={"uid fetch": poisoned})) as server:
        server.put(mail("Poison"), mail("Two"), mail("Three"))
        box = mailbox(server.port)
        async with fetching(mailroom, folder, box, intervals=IMPATIENT):
            assert await taken(mailroom, 2) == ["Two", "Three"]
            await until(lambda: _is(server.seen() == [2, 3]))
            told = await until(lambda: _left(mailroom, box.id))
            assert told[0]["uid"] == 1 and told[0]["reason"].startswith("it cannot be fetched: ")
            server.spoil.clear()
            assert await taken(mailroom, 3) == ["Two", "Three", "Poison"]
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert grown < 3 * MOST_BYTES


async def test_a_mail_that_cannot_be_taken_because_of_a_fault_here_stays_and_is_reported(
    mailroom: Mailroom, folder: Path
) -> None:
    class Broken(Readers):
        async def read(self, raw: bytes) -> Any:
            if b"Unlucky" in raw:
                raise ZeroDivisionError
            return await super().read(raw)

    readers = Broken(1)
    async with serving(ScriptedMailbox()) as server:
        server.put(mail("Unlucky"), mail("Lucky"))
        box = mailbox(server.port)
        async with fetching(replace(mailroom, readers=readers), folder, box):
            await taken(mailroom, 1)
            told = await until(lambda: _left(mailroom, box.id))
            assert [each["reason"] for each in told] == ["it cannot be taken: ZeroDivisionError"]
            assert server.seen() == [2]
    await readers.close()


async def test_each_mailbox_has_a_pulse(mailroom: Mailroom, folder: Path) -> None:
    async with serving(ScriptedMailbox()) as server:
        box = mailbox(server.port)
        async with fetching(mailroom, folder, box) as running:
            await succeeded(mailroom, box.id)
            await until(lambda: _is(running.heartbeat.parts))
            (looking,) = running.heartbeat.parts
            looking.beat(rest=-10_000)
            assert running.heartbeat.silent_for(time.monotonic()) > 9_000
            server.put(mail())
            await taken(mailroom, 1)

            async def fresh() -> bool:
                return running.heartbeat.silent_for(time.monotonic()) < 1_000

            await until(fresh)


@pytest.mark.parametrize(
    "greeting",
    [
        b"HTTP/1.1 400 whatever\r\n", b"220 whatever ESMTP\r\n", b"* NO whatever\r\n", b"* BYE whatever\r\n", b"* BAD whatever\r\n",
        b"SSH-2.0-whatever\r\n", b"\x00\xffwhatever\r\n", b"whatever\r\n* OK ready\r\n", b"-ERR whatever\r\n", b"+OK whatever\r\n",
    ],
)  # fmt: skip
async def test_the_words_of_other_servers_are_not_shown(mailroom: Mailroom, folder: Path, greeting: bytes) -> None:
    async with serving(ScriptedMailbox(greeting=greeting)) as server:
        box = mailbox(server.port)
        async with fetching(mailroom, folder, box):
            state = await failed(mailroom, box.id, "this is not an IMAP server")
            assert "whatever" not in str(state)


@pytest.mark.parametrize("greeting", [b"HTTP/1.1 400 whatever\r\n", b"-ERR whatever\r\n", b"* OK whatever\r\n"])
async def test_a_server_that_does_not_speak_pop3_is_not_quoted(
    mailroom: Mailroom, folder: Path, greeting: bytes
) -> None:
    async with serving(ScriptedMailbox(greeting=greeting)) as server:
        box = mailbox(server.port, protocol="pop3", afterwards="delete")
        async with fetching(mailroom, folder, box):
            state = await failed(mailroom, box.id, "this is not a POP3 server")
            assert "whatever" not in str(state)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "LOCALHOST.", "127.1", "0x7f000001", "::1", "::ffff:127.0.0.1"]
)
@pytest.mark.parametrize("protocol", ["imap", "pop3"])
async def test_a_server_on_this_machine_that_is_not_listed_is_never_reached(
    mailroom: Mailroom, folder: Path, host: str, protocol: str
) -> None:
    async with serving(ScriptedMailbox()) as server:
        box = mailbox(server.port, host=host, protocol=protocol, afterwards="delete")
        async with fetching(mailroom, folder, box, destinations=Destinations()):
            await failed(mailroom, box.id, NOT_ALLOWED[:60])
        assert server.sessions == 0


async def test_an_unknown_host_gets_the_same_message_as_a_forbidden_one(mailroom: Mailroom, folder: Path) -> None:
    box = mailbox(993, host="no-such-host.invalid")
    async with fetching(mailroom, folder, box, destinations=Destinations()):
        await failed(mailroom, box.id, NOT_ALLOWED[:60])


async def test_a_token_endpoint_on_this_machine_that_is_not_listed_is_never_reached(
    mailroom: Mailroom, folder: Path
) -> None:
    async with token_endpoint([(200, {"access_token": "x"})]) as (url, asked):
        for named in (url, url.replace("127.0.0.1", "localhost"), url.replace("127.0.0.1", "[::ffff:127.0.0.1]")):
            box = mailbox(1, credential=oauth(named))
            with pytest.raises(PermanentMailboxError, match="the token endpoint: no connection to this host"):
                await AccessTokens(mailroom.records.pool, folder, Destinations()).get(box, oauth(named))
        assert asked == []


async def test_a_token_endpoint_that_is_listed_by_name_is_reached_under_it(mailroom: Mailroom, folder: Path) -> None:
    async with token_endpoint([(200, {"access_token": "token"})]) as (url, asked):
        named = url.replace("127.0.0.1", "localhost")
        tokens = AccessTokens(mailroom.records.pool, folder, Destinations.parsed("localhost"))
        assert await tokens.get(mailbox(1), oauth(named)) == "token" and len(asked) == 1


@pytest.mark.parametrize("said", ["whatever", "HTTP/1.1 whatever", "HTTP/1.1 400 x\r\nwhatever"])
async def test_the_words_of_servers_that_are_not_token_endpoints_are_not_shown(
    mailroom: Mailroom, folder: Path, said: str
) -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"{said}\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(MailboxError) as told:
            await AccessTokens(mailroom.records.pool, folder, THIS_MACHINE).get(
                mailbox(1), oauth(f"http://127.0.0.1:{port}/token")
            )
    assert "whatever" not in str(told.value) and "the token endpoint" in str(told.value)


async def test_a_server_that_cannot_be_reached(mailroom: Mailroom, folder: Path) -> None:
    box = mailbox(1)
    async with fetching(mailroom, folder, box):
        state = await failed(mailroom, box.id, "Connection refused")
        assert state.failing_since is not None and state.last_success is None


async def test_a_missing_secret_is_reported(mailroom: Mailroom, tmp_path: Path) -> None:
    async with serving(ScriptedMailbox()) as server:
        box = mailbox(server.port)
        async with fetching(mailroom, tmp_path / "nowhere", box):
            await failed(mailroom, box.id, "the secret support-mailbox cannot be read: No such file or directory")
            secrets(tmp_path / "nowhere", WORD)
            await succeeded(mailroom, box.id)


async def test_a_refused_password_is_never_shown(mailroom: Mailroom, tmp_path: Path) -> None:
    async with serving(ScriptedMailbox()) as server:
        box = mailbox(server.port)
        async with fetching(mailroom, secrets(tmp_path / "secrets", "no such word"), box):
            state = await failed(mailroom, box.id, "the server refuses to sign us in")
            assert "no such word" not in str(state)


async def test_an_encryption_that_is_not_offered_sends_no_password(mailroom: Mailroom, folder: Path) -> None:
    async with serving(ScriptedMailbox()) as server:
        box = mailbox(server.port, tls="starttls")
        async with fetching(mailroom, folder, box):
            await failed(mailroom, box.id, "does not offer STARTTLS")
        assert server.asked("login") == 0


@pytest.mark.parametrize(
    ("server", "fields", "words"),
    [
        (ScriptedMailbox(permanent="()"), {}, "does not keep the mark"),
        (ScriptedMailbox(permanent="(\\Seen)"), {"afterwards": "delete"}, "does not keep the mark"),
    ],
)
async def test_a_folder_in_which_nothing_can_be_marked_is_not_read(
    mailroom: Mailroom, folder: Path, server: ScriptedMailbox, fields: dict[str, Any], words: str
) -> None:
    server.put(mail())
    async with serving(server):
        box = mailbox(server.port, **fields)
        async with fetching(mailroom, folder, box):
            await failed(mailroom, box.id, words)
    assert await subjects(mailroom) == []


async def test_a_server_that_only_pretends_to_mark_mails_causes_no_endless_loop(
    mailroom: Mailroom, folder: Path
) -> None:
    async def pretend(session: Session, _: str) -> bool:
        await session.ok()
        return True

    async with serving(ScriptedMailbox(spoil={"uid store": pretend})) as server:
        server.put(mail("Again and again"))
        async with fetching(mailroom, folder, mailbox(server.port)):
            await taken(mailroom, 1)
            seen = server.asked("select")
            await until(lambda: _is(server.asked("select") > seen + 2))
        assert sum("BODY" in command for command in server.commands) == 1


@requirement("A1.01")
@pytest.mark.parametrize(
    ("fields", "command"),
    [
        ({}, "uid store"),
        ({"afterwards": "move", "move_to": "Done"}, "uid move"),
        ({"afterwards": "delete"}, "uid store"),
        ({"protocol": "pop3", "afterwards": "delete"}, "dele"),
    ],
)
async def test_a_mail_that_cannot_be_marked_does_not_delay_others(
    mailroom: Mailroom, folder: Path, fields: dict[str, Any], command: str
) -> None:
    async def refused(session: Session, rest: str) -> bool:
        if rest.split()[0] != "1" or min(session.box.mails) != 1:
            return False
        await session.say(f"{session.tag} NO not this one\r\n".encode() if session.tag else b"-ERR not this one\r\n")
        return True

    async def marked() -> bool:
        return [uid for uid in server.mails if not server.flags[uid]] == [1]

    async with serving(ScriptedMailbox(spoil={command: refused}), fields.get("protocol", "imap")) as server:
        server.put(mail("Stuck"), mail("Two"), mail("Three"))
        box = mailbox(server.port, **fields)
        async with fetching(mailroom, folder, box, intervals=IMPATIENT):
            await until(marked)
            (told,) = await until(lambda: _left(mailroom, box.id))
            assert told["reason"].startswith("it is stored here, but not marked there: ")
            server.put(mail("Four"))
            await taken(mailroom, 4)
            await until(marked)
            server.spoil.clear()
            await until(lambda: _is(all(server.flags[uid] for uid in server.mails)))
            await until(lambda: _nothing_left(mailroom, box.id))
    assert await subjects(mailroom) == ["Stuck", "Two", "Three", "Four"]


async def _nothing_left(mailroom: Mailroom, mailbox_id: UUID) -> bool:
    return await _left(mailroom, mailbox_id) == []


async def test_a_mail_that_is_too_large_stays_and_is_reported(mailroom: Mailroom, folder: Path) -> None:
    for protocol in ("imap", "pop3"):
        async with serving(ScriptedMailbox(sizes={1: MOST_BYTES + 1}), protocol) as server:
            server.put(mail(f"Large {protocol}"), mail(f"Small {protocol}"))
            box = mailbox(server.port, protocol=protocol, afterwards="delete")
            async with fetching(mailroom, folder, box):
                await until(partial(_only, server, 1))
                state = await succeeded(mailroom, box.id)
            assert [(each["size"], each["reason"]) for each in state.left_there] == [
                (MOST_BYTES + 1, "larger than 40 MiB")
            ]
            assert not any(command in server.commands for command in ("UID FETCH 1 (BODY.PEEK[])", "RETR 1"))
    assert await subjects(mailroom) == ["Small imap", "Small pop3"]


async def test_a_uidvalidity_that_changes_each_time_makes_no_second_ticket(mailroom: Mailroom, folder: Path) -> None:
    async with serving(ScriptedMailbox()) as server:
        server.put(mail("One"))

        async def renumbered(session: Session, _: str) -> bool:
            session.box.uid_validity += 1
            session.box.flags[1].clear()
            return False

        server.spoil["select"] = renumbered
        async with fetching(mailroom, folder, mailbox(server.port)):
            await until(lambda: _is(sum("BODY" in command for command in server.commands) >= 3))
    assert await subjects(mailroom) == ["One"]


async def test_without_moving_it_is_copied_and_deleted(mailroom: Mailroom, folder: Path) -> None:
    async with serving(ScriptedMailbox(capabilities="IMAP4rev1")) as server:
        server.put(mail("One"))
        async with fetching(mailroom, folder, mailbox(server.port, afterwards="move", move_to="Done")):
            await until(lambda: _is("\\Deleted" in server.flags[1]))
    assert server.asked("uid copy 1") == 1
    assert server.asked("uid expunge") == server.asked("expunge") == 0


@requirement("A1.02", "A1.26")
@pytest.mark.parametrize(("trusted", "queue"), [(True, "it"), (False, "postmaster")])
async def test_a_trusted_mailbox_says_for_whom_a_mail_is(
    mailroom: Mailroom, folder: Path, trusted: bool, queue: str
) -> None:
    async with serving(ScriptedMailbox()) as server:
        raw = mail("QueueChoice", To="somebody@elsewhere.example")
        server.put(b"Delivered-To: it@help.example\r\n" + raw)
        async with fetching(mailroom, folder, mailbox(server.port, trusted=trusted)):
            await taken(mailroom, 1)
    rows = await mailroom.records.pool.fetch("SELECT data->'queue'->>'slug' AS slug FROM es.events WHERE version = 1")
    assert queue in [row["slug"] for row in rows]


async def test_a_mailbox_of_another_document_begins_anew(mailroom: Mailroom, folder: Path) -> None:
    async with serving(ScriptedMailbox()) as server:
        box = mailbox(server.port)
        server.put(mail("One"))
        async with fetching(mailroom, folder, box) as fetchers:
            await taken(mailroom, 1)
            await until(lambda: _is(server.seen() == [1]))
            configure(mailroom, box.model_copy(update={"folder": "Another"}))
            await until(lambda: _is(server.asked('select "Another"')))
            configure(mailroom)
            await until(lambda: _is(not fetchers.leases))
            await _looks(fetchers, 1)  # a thread that was about to connect still does
            sessions = server.sessions
            server.put(mail("Two"))
            await _looks(fetchers, 2)
            assert server.sessions == sessions


async def _looks(fetchers: Fetchers, times: int) -> None:
    """Waits until the fetchers have checked this many times what there is to fetch."""
    before = fetchers.rounds
    await until(lambda: _is(fetchers.rounds > before + times))


# POP3


async def test_a_pop3_session_aborted_before_its_end_makes_no_second_ticket(mailroom: Mailroom, folder: Path) -> None:
    async with serving(ScriptedMailbox(spoil={"quit": once(cut)}), "pop3") as server:
        server.put(mail("One"), mail("Two"))
        async with fetching(mailroom, folder, mailbox(server.port, protocol="pop3", afterwards="delete")):
            await until(lambda: _is(not server.mails))
    assert server.asked("dele") == 4
    assert await subjects(mailroom) == ["One", "Two"]


async def test_stored_mails_are_deleted_although_the_next_cannot_be_taken(mailroom: Mailroom, folder: Path) -> None:
    class Broken(Readers):
        async def read(self, raw: bytes) -> Any:
            if b"Two" in raw:
                raise OSError("no reader can be started")
            return await super().read(raw)

    readers = Broken(1)
    async with serving(ScriptedMailbox(), "pop3") as server:
        server.put(mail("One"), mail("Two"), mail("Three"))
        box = mailbox(server.port, protocol="pop3", afterwards="delete")
        async with fetching(replace(mailroom, readers=readers), folder, box):
            await failed(mailroom, box.id, "the desk cannot take mails now")
            await until(lambda: _is(list(server.mails) == [2, 3]))
    await readers.close()
    assert await subjects(mailroom) == ["One"]


@pytest.mark.parametrize("spoil", [hang, cut, endless_line])
async def test_a_mail_that_pop3_cannot_give_does_not_delay_others(
    mailroom: Mailroom, folder: Path, spoil: Spoil
) -> None:
    async def poisoned(session: Session, rest: str) -> bool:
        first = min(session.box.mails)
        return rest == "1" and first == 1 and await spoil(session, rest)

    async with serving(ScriptedMailbox(spoil={"retr": poisoned}), "pop3") as server:
        server.put(mail("Poison"), mail("Two"))
        box = mailbox(server.port, protocol="pop3", afterwards="delete")
        async with fetching(mailroom, folder, box, intervals=IMPATIENT):
            assert await taken(mailroom, 1) == ["Two"]
            server.spoil.clear()
            assert await taken(mailroom, 2) == ["Two", "Poison"]
            await until(lambda: _is(not server.mails))


# OAuth 2


@asynccontextmanager
async def token_endpoint(answers: list[tuple[int, Any]]) -> AsyncIterator[tuple[str, list[dict[str, str]]]]:
    """A token endpoint that gives these responses, the last one repeatedly; yields its address and the requests."""
    asked: list[dict[str, str]] = []

    async def give(request: web.Request) -> web.Response:
        asked.append({key: str(value) for key, value in (await request.post()).items()})
        status_, body = answers[min(len(asked), len(answers)) - 1]
        return web.json_response(body, status=status_) if not isinstance(body, str) else web.Response(text=body)

    app = web.Application()
    app.router.add_post("/token", give)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/token", asked
    finally:
        await runner.cleanup()


def oauth(url: str) -> OAuth2:
    return OAuth2(
        kind="oauth2",
        client_id="desk",
        token_endpoint=url,
        refresh_token="support-mailbox",  # the secret's name
        scope="mail offline",
    )


@requirement("A1.01")
@pytest.mark.parametrize("protocol", ["imap", "pop3"])
async def test_a_token_is_used_until_it_expires(mailroom: Mailroom, folder: Path, protocol: str) -> None:
    answers = [
        (200, {"access_token": "first", "expires_in": 3600, "refresh_token": "newer"}),
        (200, {"access_token": "second", "expires_in": 3600}),
    ]
    async with token_endpoint(answers) as (url, asked), serving(ScriptedMailbox(tokens=["first"]), protocol) as server:
        box = mailbox(server.port, protocol=protocol, afterwards="delete", credential=oauth(url))
        server.put(mail("One"))
        async with fetching(mailroom, folder, box):
            await taken(mailroom, 1)
            sessions = server.sessions
            await until(lambda: _is(server.sessions > sessions + 2))
            assert len(asked) == 1  # the token is kept
            assert asked[0] == {
                "grant_type": "refresh_token",
                "client_id": "desk",
                "refresh_token": WORD,
                "scope": "mail offline",
            }
            server.tokens[:] = ["second"]  # the server takes the old one no more
            server.put(mail("Two"))
            await taken(mailroom, 2)
            assert asked[1]["refresh_token"] == "newer"
    kept = await mailroom.records.pool.fetchval("SELECT refresh_token FROM intake.mailboxes")
    assert b"newer" not in kept


async def test_a_token_that_is_about_to_end_is_not_used_again(mailroom: Mailroom, folder: Path) -> None:
    answers = [(200, {"access_token": "short", "expires_in": 60})]
    async with token_endpoint(answers) as (url, asked), serving(ScriptedMailbox(tokens=["short"])) as server:
        async with fetching(mailroom, folder, mailbox(server.port, credential=oauth(url))):
            await until(lambda: _is(len(asked) > 2))


async def test_an_expired_stored_refresh_token_is_replaced_by_the_configured_one(
    mailroom: Mailroom, folder: Path
) -> None:
    answers = [
        (200, {"access_token": "first", "expires_in": 60, "refresh_token": "newer"}),
        (400, {"error": "invalid_grant"}),
        (200, {"access_token": "first", "expires_in": 3600}),
    ]
    async with token_endpoint(answers) as (url, asked), serving(ScriptedMailbox(tokens=["first"])) as server:
        async with fetching(mailroom, folder, mailbox(server.port, credential=oauth(url))):
            await until(lambda: _is(len(asked) == 3))
        assert [each["refresh_token"] for each in asked] == [WORD, "newer", WORD]


async def test_a_new_refresh_token_outlives_a_database_that_does_not_take_it(
    mailroom: Mailroom, folder: Path, postgres: Any
) -> None:
    answers = [
        (200, {"access_token": "first", "expires_in": 3600, "refresh_token": "newer"}),
        (200, {"access_token": "second", "expires_in": 3600}),
    ]
    pool = mailroom.records.pool
    database = await pool.fetchval("SELECT current_database()")
    superuser = await asyncpg.connect(postgres.superuser_url, database=database)
    async with token_endpoint(answers) as (url, asked):
        credential = oauth(url)
        box, tokens = mailbox(1, credential=credential), AccessTokens(pool, folder, THIS_MACHINE)
        await superuser.execute(f'REVOKE INSERT, UPDATE ON intake.mailboxes FROM "{database}"')
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await tokens.get(box, credential)
        await superuser.execute(f'GRANT INSERT, UPDATE ON intake.mailboxes TO "{database}"')
        assert await tokens.get(box, credential) == "second"
        await AccessTokens(pool, folder, THIS_MACHINE).get(box, credential)
    await superuser.close()
    assert [each["refresh_token"] for each in asked] == [WORD, "newer", "newer"]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            (400, {"error": "invalid_grant", "error_description": "It was\r\nrevoked."}),
            "invalid_grant: It was revoked.",
        ),
        (
            (400, {"error": "Internal secret!", "error_description": "words"}),
            "refuses with 400 and without an error code",
        ),
        ((500, {}), "answers 500 without an access token"),
        ((200, {"access_token": "a\r\nb"}), "without an access token"),
        ((200, "not json"), "the body is not a JSON object"),
        ((200, "[" * 100_000), "is too large"),
    ],
)
async def test_the_error_of_a_token_endpoint_is_reported(
    mailroom: Mailroom, folder: Path, answer: tuple[int, Any], words: str
) -> None:
    async with token_endpoint([answer]) as (url, _), serving(ScriptedMailbox()) as server:
        box = mailbox(server.port, credential=oauth(url))
        async with fetching(mailroom, folder, box):
            state = await failed(mailroom, box.id, words)
            assert WORD not in str(state)


async def test_a_token_endpoint_that_cannot_be_reached(mailroom: Mailroom, folder: Path) -> None:
    box = mailbox(1, credential=oauth("http://127.0.0.1:1/token"))
    async with fetching(mailroom, folder, box):
        await failed(mailroom, box.id, "the token endpoint does not answer")


async def test_shutdown_does_not_wait_for_a_silent_server(mailroom: Mailroom, folder: Path) -> None:
    async with serving(ScriptedMailbox(spoil={"select": hang})) as server:
        async with fetching(mailroom, folder, mailbox(server.port)):
            await until(lambda: _is(server.asked("select")))
        await asyncio.to_thread(lambda: None)  # the loop still works
