"""A stand-in for a service. It answers requests, or misbehaves as a test wants."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from uuid import UUID

import orjson

from shared.http.headers.consistency import Written, encode

Behaviour = Callable[["Asked", asyncio.StreamWriter], Awaitable[bool]]
"""Answers one request on the connection; true keeps the connection open."""


@dataclass
class Asked:
    """A request as it arrived; `reader` ends when the gateway disconnects."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes
    reader: asyncio.StreamReader

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]

    def get(self, name: str) -> str | None:
        return next(iter(self.all(name)), None)


def response(status: str = "200 OK", body: bytes = b"{}", **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


WRITTEN = encode([Written("routing", UUID(int=7), 12)])
"""A consistency token in the form that the services use among themselves."""


async def echo(asked: Asked, writer: asyncio.StreamWriter) -> bool:
    """Answers with the request."""
    body = orjson.dumps(
        {"method": asked.method, "target": asked.target, "headers": asked.headers, "size": len(asked.body)}
    )
    writer.write(
        response(body=body, content_type="application/json", etag='"7"', x_consistency_token=WRITTEN, set_cookie="a=b")
    )
    return True


async def applied(asked: Asked, writer: asyncio.StreamWriter) -> bool:
    """Confirms that documents are applied, and echoes everything else."""
    if not asked.target.startswith("/internal/"):
        return await echo(asked, writer)
    writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
    return True


@dataclass
class Upstream:
    """The requests in the order of arrival, and how the next ones are answered."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    behaviour: Behaviour = applied
    connections: int = 0
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    hung_up: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def business(self) -> list[Asked]:
        """The requests without those to internal routes."""
        return [asked for asked in self.asked if not asked.target.startswith("/internal/")]

    def start_again(self) -> None:
        """Forgets the requests, and behaves well again."""
        self.asked.clear()
        self.behaviour = applied
        self.connections = 0
        self.arrived.clear()
        self.hung_up.clear()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                asked = await _read(reader)
                self.asked.append(asked)
                self.arrived.set()
                if not await self.behaviour(asked, writer):
                    return
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            self.hung_up.set()
        finally:
            writer.close()


async def _read(reader: asyncio.StreamReader) -> Asked:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, target, _ = head[0].split(" ")
    headers = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in head[1:] if line)]
    known = dict(headers)
    body = b""
    if known.get("transfer-encoding") == "chunked":
        while size := int((await reader.readuntil(b"\r\n")).strip(), 16):
            body += await reader.readexactly(size)
            await reader.readexactly(2)
        await reader.readexactly(2)
    elif "content-length" in known:
        body = await reader.readexactly(int(known["content-length"]))
    return Asked(method, target, headers, body, reader)


@contextlib.asynccontextmanager
async def upstream() -> AsyncIterator[Upstream]:
    """A service that listens on a free port until the block ends."""
    service = Upstream()
    tasks: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(service.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()[:2]
    service.url = f"http://{host}:{port}"
    try:
        yield service
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
