"""A server with slow, silent and odd callers."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.types import Receive, Scope, Send

from shared.http.serving import protocol, server
from shared.http.serving.health import Health
from shared.testing.progress import until

HEAD = b"GET /headers HTTP/1.1\r\nHost: here\r\n"
LARGE = 8 << 20


@dataclass
class Serving:
    port: int
    running: int = 0
    asked: list[str] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.running += 1
        self.asked.append(scope["path"])
        try:
            await self._answer(Request(scope, receive), send)
        finally:
            self.running -= 1

    async def _answer(self, request: Request, send: Send) -> None:
        async def much() -> AsyncIterator[bytes]:
            for _ in range(LARGE >> 16):
                yield b"x" * 65536

        if request.url.path == "/large":
            await StreamingResponse(much())(request.scope, request.receive, send)
            return
        await request.body()
        names = ",".join(name for name, _ in request.headers.items())
        await PlainTextResponse(names)(request.scope, request.receive, send)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def say(self, *parts: bytes) -> bytes:
        """Sends the parts; returns everything that is received until the connection ends."""
        reader, writer = await self.connect()
        for part in parts:
            writer.write(part)
            with contextlib.suppress(ConnectionError):
                await writer.drain()
        answer = await ended(reader)
        writer.close()
        return answer


async def ended(reader: asyncio.StreamReader) -> bytes:
    """Everything that is received until the other side closes."""
    found = b""
    with contextlib.suppress(ConnectionError):
        while piece := await reader.read(65536):
            found += piece
    return found


@pytest.fixture
async def serving(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Serving]:
    """Allows three connections, and checks for stalled ones every tenth of a second."""
    monkeypatch.setattr(server, "MOST_CONNECTIONS", 3)
    monkeypatch.setattr(server, "MOST_OF_A_PEER", 3)
    monkeypatch.setattr(server, "TICK_SECONDS", 0.02)
    listener = server.listening_socket("127.0.0.1:0")
    made, stop = Serving(listener.getsockname()[1]), asyncio.Event()
    running = asyncio.create_task(server.serve(made, listener, Health("example", "api"), {}, stop))
    yield made
    stop.set()
    await running


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\n",
        b"GET / HTTP/1.1\r\nHost: here\r\nHost: here\r\n",
        b"GET / HTTP/1.0\r\nHost: here\r\nhOST: there\r\n",
        b"GET / HTTP/1.1\r\nHost: here, there\r\n",
        b"GET / HTTP/1.1\r\nHost: kari@here\r\n",
        b"GET / HTTP/1.1\r\nHost: here/there\r\n",
    ],
)
async def test_a_request_has_one_host(serving: Serving, head: bytes) -> None:
    assert (await serving.say(head + b"\r\n")).startswith(b"HTTP/1.1 400 ")
    assert serving.asked == []


@pytest.mark.parametrize(
    "head",
    [b"GET / HTTP/1.1\r\nHost: here:8080\r\nConnection: close\r\n", b"GET / HTTP/1.1\r\nHost: [::1]:80\r\nConnection: close\r\n",
     b"GET / HTTP/1.1\r\nHost:\r\nConnection: close\r\n", b"GET / HTTP/1.0\r\n"],
)  # fmt: skip
async def test_any_valid_host_is_accepted_and_http_1_0_needs_none(serving: Serving, head: bytes) -> None:
    assert (await serving.say(head + b"\r\n")).startswith(b"HTTP/1.1 200 ")


async def test_trailers_do_not_become_headers(serving: Serving) -> None:
    answer = await serving.say(
        b"POST / HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n",
        b"1\r\nx\r\n0\r\nX-Ledgerdesk-Identity: forged\r\nHost: there\r\n\r\n",
    )
    assert answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(b"host,transfer-encoding,connection")


async def test_pipelined_requests_are_limited(serving: Serving) -> None:
    reader, writer = await serving.connect()
    writer.write((HEAD + b"\r\n") * 5)
    for _ in range(5):
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        await reader.readexactly(len(b"host"))
    writer.write((HEAD + b"\r\n") * 500)
    assert b"HTTP/1.1 400 " in await ended(reader)
    assert len(serving.asked) < 100
    writer.close()


async def test_idle_connections_make_room_for_new_ones(serving: Serving) -> None:
    silent = [await serving.connect() for _ in range(2)]
    used = await serving.connect()
    used[1].write(HEAD + b"\r\n")
    assert (await used[0].readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
    for reader, writer in silent:
        assert (await serving.say(HEAD + b"Connection: close\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        late = await serving.connect()
        assert await ended(reader) == b""
        writer.close()
        late[1].close()
    used[1].write(HEAD + b"\r\n")
    assert (await used[0].readuntil(b"\r\n\r\n")).endswith(b"\r\n\r\n"), "it was used last"
    used[1].close()


async def test_connections_with_slow_bodies_are_closed(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "BODY_SECONDS", 0.2)
    for head in (b"Content-Length: 1000\r\n\r\n{", b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"):
        reader, writer = await serving.connect()
        writer.write(b"POST / HTTP/1.1\r\nHost: here\r\n" + head)
        await ended(reader)
        writer.close()
    assert await until(lambda: _none_of(serving))


async def test_a_slow_body_after_the_response_closes_the_connection_too(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "BODY_SECONDS", 0.2)
    reader, writer = await serving.connect()
    writer.write(b"POST /large HTTP/1.1\r\nHost: here\r\nContent-Length: 1000\r\n\r\n{")
    assert len(await ended(reader)) > LARGE
    writer.close()


async def test_a_response_that_nobody_reads_is_aborted(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "STALL_SECONDS", 0.2)
    monkeypatch.setattr(protocol, "CLOSING_SECONDS", 0.2)
    _, writer = await asyncio.open_connection("127.0.0.1", serving.port, limit=1024)
    writer.write(b"GET /large HTTP/1.1\r\nHost: here\r\n\r\n")
    await until(lambda: _asked(serving))
    assert await until(lambda: _none_of(serving))
    writer.transport.abort()


async def test_line_breaks_alone_do_not_keep_a_connection(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "IDLE_SECONDS", 0.2)
    reader, writer = await serving.connect()
    writer.write(HEAD + b"\r\n")
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"\r\n")
    await ended(reader)
    writer.close()


async def _none_of(serving: Serving) -> bool:
    return serving.running == 0


async def _asked(serving: Serving) -> bool:
    return bool(serving.asked)
