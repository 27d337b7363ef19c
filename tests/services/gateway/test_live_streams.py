"""Live streams of a gateway: what a client gets that reads slowly or not at all, leaves, or has too many."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

import pytest
from starlette.types import Receive, Scope, Send

from services.gateway.live import streams as streams_module
from services.gateway.live.link import Link
from services.gateway.live.stream_api import Live, StreamResponse, watched
from services.gateway.live.streams import MOST_BYTES, MOST_OF_A_PERSON, Stream, Streams
from services.gateway.signing_in.sessions import Principal
from shared.http.live_link import MOST_TICKETS
from shared.http.problems import Problem
from shared.http.serving import protocol, server
from shared.http.serving.health import Health
from shared.http.serving.protocol import CONNECTION
from shared.rules.access import Identity
from shared.testing.keys import SIGNING
from shared.testing.progress import until
from tests.specs.requirement import requirement

PLACE = "a place"
FIRST = b"retry: 2000\n\nid: a place\n\n"
MESSAGE = '{"id":"' + "x" * 500 + '"}'


def principal(session: int = 1, person: int = 1) -> Principal:
    who = Identity(person_id=UUID(int=person), kind="agent", login="kari", name="Kari", email="kari@help.example.org")
    return Principal(UUID(int=session), "session", who, 1, None, None)


@dataclass
class Serving:
    """Every request opens a stream, which reporting has opened at PLACE."""

    port: int
    live: Live
    opened: list[Stream]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        stream = self.live.streams.add(principal(), None, [])
        scope[CONNECTION].stay_open(lambda: stream.end("client"))
        self.live.streams.reached(PLACE, stream)
        stream.begin(PLACE, reset=False)
        self.opened.append(stream)
        await StreamResponse(self.live, stream)(scope, receive, send)

    async def listen(self, **options: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A client whose stream has begun."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, **options)
        writer.write(b"GET /stream HTTP/1.1\r\nHost: here\r\n\r\n")
        await reader.readuntil(FIRST)
        return reader, writer

    def pump(self, stream: Stream, size: int) -> None:
        """As many messages as have this size together."""
        for n in range(size // len(MESSAGE)):
            self.live.streams.put([stream.number], "ticket", f"{PLACE} {n}", MESSAGE)


@pytest.fixture
async def serving(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Serving]:
    monkeypatch.setattr(server, "TICK_SECONDS", 0.02)
    listener = server.listening_socket("127.0.0.1:0")
    streams = Streams()
    live = Live(streams, Link(cast("Any", None), "", SIGNING, streams))
    made, stop, health = Serving(listener.getsockname()[1], live, []), asyncio.Event(), Health("gateway", "api")
    health.when_draining(streams.drain)
    running = asyncio.create_task(server.serve(made, listener, health, {"streams": streams}, stop))
    yield made
    stop.set()
    await running


async def rest_of(reader: asyncio.StreamReader) -> bytes:
    found = b""
    with contextlib.suppress(ConnectionError):
        while piece := await reader.read(1 << 16):
            found += piece
    return found


@requirement("A13.08")
async def test_a_client_that_does_not_read_is_dropped_with_reset(serving: Serving) -> None:
    reader, writer = await serving.listen(limit=1024)
    (stream,) = serving.opened

    async def ended() -> bool:
        serving.pump(stream, 64 * 1024)
        assert stream._size <= MOST_BYTES + 1024  # nothing is kept beyond the bound
        return stream.ended

    await until(ended)
    serving.pump(stream, 10 * MOST_BYTES)
    assert sum(map(len, stream._pieces)) < 1024
    seen = await rest_of(reader)
    assert seen.endswith(b"0\r\n\r\n")
    last = seen[seen.rindex(b"event: ") :]
    assert last.startswith(b"event: reset\nid: a place ")
    writer.close()
    await until(lambda: _gone(serving))


async def _gone(serving: Serving) -> bool:
    return not serving.live.streams.by_number


@requirement("A13.08")
async def test_a_client_that_reads_a_byte_now_and_then_is_cut_off(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "STALL_SECONDS", 0.2)
    monkeypatch.setattr(protocol, "CLOSING_SECONDS", 0.1)
    reader, writer = await serving.listen(limit=1024)
    (stream,) = serving.opened

    async def ended() -> bool:
        serving.pump(stream, 64 * 1024)
        await reader.read(1)
        return await _gone(serving)

    await until(ended)
    writer.close()


@requirement("A13.08")
async def test_a_client_that_leaves_is_noticed_without_a_message(serving: Serving) -> None:
    _, writer = await serving.listen()
    writer.close()
    await until(lambda: _gone(serving))


@requirement("A13.08")
async def test_every_stream_gets_comments_with_its_place(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams_module, "COMMENT_SECONDS", 0.1)
    monkeypatch.setattr(streams_module, "TICK_SECONDS", 0.02)
    reader, writer = await serving.listen()
    await reader.readuntil(b":\nid: a place\n\n")
    (stream,) = serving.opened
    stream.joined = True
    serving.live.streams.reached("the place of all")
    await reader.readuntil(b":\nid: the place of all\n\n")
    serving.live.streams.put([stream.number], "ticket", "its own", "{}")
    await reader.readuntil(b":\nid: its own\n\n")
    writer.close()


@requirement("A13.08")
async def test_an_ending_process_ends_its_streams_with_a_retry(serving: Serving) -> None:
    reader, _ = await serving.listen()
    serving.live.streams.drain()
    assert b"retry: " in await rest_of(reader)
    with pytest.raises(Problem) as refused:
        serving.live.streams.add(principal(), None, [])
    assert refused.value.status == 503


def test_a_person_has_a_limited_number_of_streams() -> None:
    async def many() -> None:
        streams = Streams()
        made = [streams.add(principal(n), None, []) for n in range(MOST_OF_A_PERSON)]
        with pytest.raises(Problem) as refused:
            streams.add(principal(99), None, [])
        assert refused.value.status == 429
        streams.add(principal(100, person=2), None, [])
        assert streams.remove(made[0])
        streams.add(principal(99), None, [])

    asyncio.run(many())


def test_presence_is_asked_for_by_ids() -> None:
    ticket = str(UUID(int=7))
    assert watched("") == []
    assert watched(f"{ticket}, {ticket.upper()},") == [ticket, ticket]
    for wrong in ("2026112710000017", "x", ",".join([ticket] * (MOST_TICKETS + 1))):
        with pytest.raises(Problem) as refused:
            watched(wrong)
        assert refused.value.status == 422
