"""A connection's two directions, with the limits of `limits.py`."""

import asyncio
from dataclasses import dataclass, field

from services.intake.transports.lmtp.limits import LONGEST_COMMAND

CHUNK = 64 * 1024


class Closed(Exception):
    """The client is gone, or the session is over."""


class LineTooLong(Exception):
    """A command line is too long; it has been read and discarded."""


@dataclass(slots=True)
class Input:
    """Bytes from the client. The buffer never holds much more than one chunk."""

    reader: asyncio.StreamReader
    buffer: bytearray = field(default_factory=bytearray)

    async def more(self, deadline: float) -> None:
        """Reads what has arrived, at the latest until that time of the event loop. Raises TimeoutError and Closed."""
        try:
            async with asyncio.timeout_at(deadline):
                chunk = await self.reader.read(CHUNK)
        except TimeoutError:
            raise
        except OSError as error:
            raise Closed from error
        if not chunk:
            raise Closed
        self.buffer += chunk

    async def line(self, deadline: float, seconds: float) -> bytes:
        """The next command line, without its end. It must begin before the deadline, and end within so many seconds."""
        too_long = False
        if not self.buffer:
            await self.more(deadline)
        deadline = asyncio.get_running_loop().time() + seconds
        while (end := self.buffer.find(b"\n")) < 0:
            if len(self.buffer) > LONGEST_COMMAND:
                too_long = True
                self.buffer.clear()
            await self.more(deadline)
        line = bytes(self.buffer[:end]).rstrip(b"\r")
        del self.buffer[: end + 1]
        if too_long or len(line) > LONGEST_COMMAND:
            raise LineTooLong
        return line


@dataclass(frozen=True, slots=True)
class Output:
    """Replies to the client, who has `seconds` to read each."""

    writer: asyncio.StreamWriter
    seconds: float

    async def reply(self, *lines: str) -> None:
        """Sends a reply. Raises Closed if the client does not read it."""
        self.writer.write("".join(f"{line}\r\n" for line in lines).encode("utf-8", "replace"))
        try:
            async with asyncio.timeout(self.seconds):
                await self.writer.drain()
        except TimeoutError:
            self.writer.transport.abort()
            raise Closed from None
