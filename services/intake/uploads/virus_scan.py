"""Scans files of mails and uploads with clamd, if one is configured (INSTREAM, clamd(8)). Mails are taken whatever the
result. If the scanner is down or too slow, the result is `not_scanned`."""

import asyncio
import logging
import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from prometheus_client import Counter

from shared.contracts.parts import ScanResult

log = logging.getLogger(__name__)

SCANNED = Counter("ledgerdesk_attachments_scanned", "Files that came in, by what a virus scanner said", ["result"])

CHUNK = 64 * 1024
AT_ONCE = 4
"""Files that one process scans at a time."""
CONNECT_SECONDS = 2.0
FILE_SECONDS = 20.0
"""Of wall time, for one file."""
MAIL_SECONDS = 40.0
"""For all files of a mail; mail servers wait for minutes."""
PAUSE_SECONDS = 10.0
"""A scanner that cannot be reached is not tried again for this long, so that not every mail waits for it."""
LONGEST_REPLY = 4_096
LONGEST_THREAT = 100


@dataclass(frozen=True, slots=True)
class Scan:
    """The result for one file; `threat` is the scanner's name for what it found."""

    result: ScanResult
    threat: str = ""


NOT_SCANNED = Scan("not_scanned")


class _NoVerdict(Exception):
    """The scanner gave no verdict; the text says why."""


class VirusScan:
    """`address` is clamd's: `host:port`, or the path of its socket."""

    def __init__(
        self,
        address: str,
        *,
        file_seconds: float = FILE_SECONDS,
        mail_seconds: float = MAIL_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.address = address
        self._file_seconds, self._mail_seconds, self._clock = file_seconds, mail_seconds, clock
        self._free = asyncio.Semaphore(AT_ONCE)
        self._paused_until = float("-inf")

    async def scan(self, files: Sequence[bytes], seconds: float | None = None) -> list[Scan]:
        """The verdict on each file, in order, within so many seconds (default: those of a mail). Never raises for a
        failure of the scanner."""
        end = self._clock() + (self._mail_seconds if seconds is None else seconds)
        return list(await asyncio.gather(*(self._scanned(content, end) for content in files)))

    async def _scanned(self, content: bytes, end: float) -> Scan:
        async with self._free:
            left = min(self._file_seconds, end - self._clock())
            if left <= 0 or self._clock() < self._paused_until:
                found = NOT_SCANNED
            else:
                found = await self._ask(content, left)
        SCANNED.labels(found.result).inc()
        return found

    async def _ask(self, content: bytes, seconds: float) -> Scan:
        try:
            async with asyncio.timeout(seconds):
                reader, writer = await self._connected()
                try:
                    return _verdict(await _instream(reader, writer, content))
                finally:
                    writer.close()
        except _NoVerdict as error:
            log.warning("a file of %d bytes was not scanned: %s", len(content), error)
        except (OSError, TimeoutError) as error:
            log.warning("a file of %d bytes was not scanned: %s", len(content), type(error).__name__)
        return NOT_SCANNED

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                if self.address.startswith("/"):
                    return await asyncio.open_unix_connection(self.address, limit=LONGEST_REPLY)
                host, _, port = self.address.rpartition(":")
                return await asyncio.open_connection(host.strip("[]"), int(port), limit=LONGEST_REPLY)
        except (OSError, TimeoutError) as error:
            self._paused_until = self._clock() + PAUSE_SECONDS
            raise _NoVerdict(f"the scanner at {self.address} cannot be reached: {type(error).__name__}") from error


async def _instream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, content: bytes) -> str:
    """Sends a file in pieces, each after its length, and at the end an empty one; returns the scanner's reply."""
    try:
        writer.write(b"zINSTREAM\0")
        for at in range(0, len(content), CHUNK):
            piece = content[at : at + CHUNK]
            writer.write(struct.pack(">I", len(piece)) + piece)
            await writer.drain()
        writer.write(struct.pack(">I", 0))
        await writer.drain()
    except ConnectionError:
        pass  # it stopped reading; its reply says why
    try:
        reply = await reader.readuntil(b"\0")
    except asyncio.IncompleteReadError as error:
        reply = error.partial
    except asyncio.LimitOverrunError:
        raise _NoVerdict("its reply is too long") from None
    return reply.rstrip(b"\0\r\n").decode("utf-8", "replace")


def _verdict(reply: str) -> Scan:
    """The verdict in `stream: OK` or `stream: NAME FOUND`; anything else is none."""
    said = reply.partition(": ")[2] if reply.startswith("stream: ") else ""
    if said == "OK":
        return Scan("clean")
    if said.endswith(" FOUND"):
        name = said.removesuffix(" FOUND")
        return Scan("infected", "".join(c for c in name if c.isprintable())[:LONGEST_THREAT] or "malware")
    raise _NoVerdict(f"the scanner said {reply[:200]!r}")
