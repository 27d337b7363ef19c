"""A client of `GET /stream` as a browser is: it reconnects by itself and resumes after the last message it has."""

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp

RETRY_SECONDS = 0.1
"""Sooner than the stream says, so that a test has many reconnections."""


@dataclass(frozen=True, slots=True)
class Message:
    event: str
    id: str
    data: dict[str, Any]


@dataclass
class Listener:
    """`url` is where it connects. `retries` are what the streams said that end."""

    url: str
    token: str
    query: str = ""
    messages: list[Message] = field(default_factory=list)
    retries: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    last: str = ""
    comments: int = 0
    ends: int = 0
    begun: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Listens until it is cancelled."""
        async with aiohttp.ClientSession() as http:
            while True:
                with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                    await self._listen(http)
                self.ends += 1
                await asyncio.sleep(RETRY_SECONDS)

    async def _listen(self, http: aiohttp.ClientSession) -> None:
        headers = {"Authorization": f"Bearer {self.token}"} | ({"Last-Event-ID": self.last} if self.last else {})
        patience = aiohttp.ClientTimeout(total=None, sock_connect=2, sock_read=20)
        async with http.get(f"{self.url}/api/v1/stream{self.query}", headers=headers, timeout=patience) as answer:
            self.statuses.append(answer.status)
            if answer.status != 200:
                return
            lines: dict[str, str] = {}
            async for raw in answer.content:
                line = raw.decode().rstrip("\n")
                if not line:
                    self._dispatch(lines)
                    lines = {}
                elif line.startswith(":"):
                    self.comments += 1
                else:
                    name, _, value = line.partition(": ")
                    lines[name] = value

    def _dispatch(self, lines: dict[str, str]) -> None:
        if "retry" in lines:
            self.retries.append(int(lines["retry"]))
            self.begun.set()
        if "id" in lines:
            self.last = lines["id"]
        if "data" in lines:
            self.messages.append(Message(lines["event"], lines["id"], json.loads(lines["data"])))

    def of(self, ticket: str) -> list[dict[str, Any]]:
        """The data of the messages about a ticket."""
        return [each.data for each in self.messages if each.event == "ticket" and each.data["id"] == ticket]

    def types(self, ticket: str) -> Counter[str]:
        """How often each type of event was told of a ticket."""
        return Counter(name for data in self.of(ticket) for name in data.get("types", ()))

    def told(self, event: str) -> list[dict[str, Any]]:
        """The data of the messages of a kind."""
        return [each.data for each in self.messages if each.event == event]


@contextlib.asynccontextmanager
async def listening(*listeners: Listener) -> AsyncIterator[None]:
    """Runs the listeners; the body begins when each has a stream."""
    tasks = [asyncio.create_task(each.run()) for each in listeners]
    try:
        for each in listeners:
            await asyncio.wait_for(each.begun.wait(), 30)
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def balanced(ports: Callable[[], list[int]]) -> AsyncIterator[str]:
    """The URL of a TCP proxy that gives each connection to the next of these ports that accepts one, as the front of
    the composed system does."""
    turn = 0

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal turn
        choices = ports()
        for _ in choices:
            turn += 1
            with contextlib.suppress(OSError):
                behind = await asyncio.open_connection("127.0.0.1", choices[turn % len(choices)])
                await asyncio.gather(_pipe(reader, behind[1]), _pipe(behind[0], writer))
                return
        writer.close()

    server = await asyncio.start_server(connect, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.close()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    writer.close()
