"""Files of mails and of people go to clamd, where there is one (INSTREAM, clamd(8)). Mail is taken whatever comes of it; what a scanner that
is down or too slow says nothing of was not scanned."""

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
"""Files that one process has scanned at a time."""
CONNECT_SECONDS = 2.0
FILE_SECONDS = 20.0
"""For one file, on a clock."""
MAIL_SECONDS = 40.0
"""For all files of a mail; mail servers wait for minutes."""
PAUSE_SECONDS = 10.0
"""A scanner that cannot be reached is not asked for so long: mails must not wait for it each."""
LONGEST_ANSWER = 4_096
LONGEST_THREAT = 100


@dataclass(frozen=True, slots=True)
class Scan:
    """What was found in a file; `threat` is the scanner's name for it."""

    result: ScanResult
    threat: str = ""


NOT_SCANNED = Scan("not_scanned")


class _Silent(Exception):
    """The scanner gave no verdict; the message says why."""


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
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._paused_until = float("-inf")

    async def scan(self, files: Sequence[bytes], seconds: float | None = None) -> list[Scan]:
        """The verdict on each file, in their order, within these seconds (a mail's, if nothing else is said). Never raises for what the
        scanner does."""
        end = self._clock() + (self._mail_seconds if seconds is None else seconds)
        return list(await asyncio.gather(*(self._scanned(content, end) for content in files)))

    async def _scanned(self, content: bytes, end: float) -> Scan:
        async with self._turns:
            left = min(self._file_seconds, end - self._clock())
            if left <= 0 or self._clock() < self._paused_until:
                found = NOT_SCANNED
            else:
                found = await self._asked(content, left)
        SCANNED.labels(found.result).inc()
        return found

    async def _asked(self, content: bytes, seconds: float) -> Scan:
        try:
            async with asyncio.timeout(seconds):
                reader, writer = await self._connected()
                try:
                    return _verdict(await _instream(reader, writer, content))
                finally:
                    writer.close()
        except _Silent as silent:
            log.warning("a file of %d bytes was not scanned: %s", len(content), silent)
        except (OSError, TimeoutError) as error:
            log.warning("a file of %d bytes was not scanned: %s", len(content), type(error).__name__)
        return NOT_SCANNED

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                if self.address.startswith("/"):
                    return await asyncio.open_unix_connection(self.address, limit=LONGEST_ANSWER)
                host, _, port = self.address.rpartition(":")
                return await asyncio.open_connection(host.strip("[]"), int(port), limit=LONGEST_ANSWER)
        except (OSError, TimeoutError) as error:
            self._paused_until = self._clock() + PAUSE_SECONDS
            raise _Silent(f"the scanner at {self.address} cannot be reached: {type(error).__name__}") from error


async def _instream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, content: bytes) -> str:
    """Sends a file in pieces, each after its length, and an empty one; answers what the scanner says."""
    try:
        writer.write(b"zINSTREAM\0")
        for at in range(0, len(content), CHUNK):
            piece = content[at : at + CHUNK]
            writer.write(struct.pack(">I", len(piece)) + piece)
            await writer.drain()
        writer.write(struct.pack(">I", 0))
        await writer.drain()
    except ConnectionError:
        pass  # it has heard enough: why, stands in its answer
    try:
        answer = await reader.readuntil(b"\0")
    except asyncio.IncompleteReadError as error:
        answer = error.partial
    except asyncio.LimitOverrunError:
        raise _Silent("its answer has no end") from None
    return answer.rstrip(b"\0\r\n").decode("utf-8", "replace")


def _verdict(answer: str) -> Scan:
    """`stream: OK`, `stream: NAME FOUND`; anything else is no verdict."""
    said = answer.partition(": ")[2] if answer.startswith("stream: ") else ""
    if said == "OK":
        return Scan("clean")
    if said.endswith(" FOUND"):
        name = said.removesuffix(" FOUND")
        return Scan("infected", "".join(c for c in name if c.isprintable())[:LONGEST_THREAT] or "malware")
    raise _Silent(f"the scanner said {answer[:200]!r}")
