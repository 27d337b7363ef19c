"""A light load generator: HTTP/1.1 and LMTP over persistent connections, raw asyncio streams."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any


class HttpConnection:
    """One persistent connection to the gateway."""

    def __init__(self, host: str, port: int, token: str = "") -> None:
        self.host, self.port, self.token = host, port, token
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def request(
        self, method: str, path: str, body: Any = None, headers: str = ""
    ) -> tuple[int, dict[str, str], bytes]:
        """Sends a request. Returns status, headers (names in lower case) and body."""
        if self._reader is None or self._writer is None:
            self._reader, self._writer = await asyncio.open_connection(self.host, self.port)
        content = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: {self.host}\r\n{headers}"
        if self.token:
            head += f"Authorization: Bearer {self.token}\r\n"
        if body is not None:
            head += f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n"
        self._writer.write(head.encode() + b"\r\n" + content)
        lines = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        found = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines[1:] if line)
        }
        if found.get("transfer-encoding") == "chunked":
            answer = b""
            while size := int(await self._reader.readline(), 16):
                answer += await self._reader.readexactly(size)
                await self._reader.readline()
            await self._reader.readline()
        else:
            answer = await self._reader.readexactly(int(found.get("content-length", "0")))
        return int(lines[0].split()[1]), found, answer

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


class LmtpConnection:
    """One persistent LMTP session."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def _answer(self) -> bytes:
        assert self._reader is not None
        answer = await self._reader.readline()
        while answer[3:4] == b"-":
            answer = await self._reader.readline()
        return answer

    async def deliver(self, sender: str, recipient: str, mail: bytes) -> None:
        """Delivers a mail, with pipelined commands (RFC 2920). Raises RuntimeError if it is not accepted."""
        if self._writer is None:
            self._reader, self._writer = await asyncio.open_connection(self.host, self.port)
            await self._answer()
            self._writer.write(b"LHLO bench.example\r\n")
            await self._answer()
        self._writer.write(f"MAIL FROM:<{sender}>\r\nRCPT TO:<{recipient}>\r\nDATA\r\n".encode())
        answers = [await self._answer() for _ in range(3)]
        if [answer[:3] for answer in answers] != [b"250", b"250", b"354"]:
            raise RuntimeError(b"".join(answers).decode())
        self._writer.write(mail + b"\r\n.\r\n")
        answer = await self._answer()
        if not answer.startswith(b"250"):
            raise RuntimeError(answer.decode())


async def closed_loop(workers: list[Callable[[], Awaitable[None]]], seconds: float) -> tuple[int, float]:
    """Repeats each worker's step. Returns how many steps were done, and the seconds that they took."""
    done = 0
    started = time.monotonic()
    end = started + seconds

    async def work(step: Callable[[], Awaitable[None]]) -> None:
        nonlocal done
        while time.monotonic() < end:
            await step()
            done += 1

    await asyncio.gather(*(work(step) for step in workers))
    return done, time.monotonic() - started


async def paced(connections: list[Callable[[], Awaitable[None]]], rate: float, seconds: float) -> int:
    """Does steps at a fixed rate over several connections. Returns how many were done."""
    done = 0
    started = time.monotonic()

    async def work(n: int, one: Callable[[], Awaitable[None]]) -> None:
        nonlocal done
        every = len(connections) / rate
        due = started + n * every / len(connections)
        while due < started + seconds:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            await one()
            done += 1
            due += every

    await asyncio.gather(*(work(n, one) for n, one in enumerate(connections)))
    return done
