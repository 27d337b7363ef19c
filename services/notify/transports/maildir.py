"""A Maildir as the way out: for a machine without a mail server, and for tests."""

import asyncio
import os
from pathlib import Path

from services.notify.message import Letter
from services.notify.transports.transport import Taken, TemporaryFailure


class Maildir:
    """Writes each mail as one durable file whose name follows from the notification, so that a repeat is the same file."""

    name = "maildir"
    parallel = 8

    def __init__(self, root: Path) -> None:
        self.root = root
        for part in ("tmp", "new", "cur"):
            (root / part).mkdir(parents=True, exist_ok=True)

    async def send(self, letter: Letter, *, again: bool) -> Taken:
        try:
            await asyncio.to_thread(self._write, letter, again)
        except OSError as error:
            raise TemporaryFailure(f"the mail cannot be written: {error.strerror or type(error).__name__}") from error
        return Taken()

    def _write(self, letter: Letter, again: bool) -> None:
        name = f"{letter.notification.hex}.ledgerdesk"
        if again and any(path.name.startswith(name) for path in (self.root / "cur").iterdir()):
            return  # a reader has filed it already
        staged = self.root / "tmp" / f"{name}.{os.getpid()}"
        handle = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640)
        try:
            rest = memoryview(_envelope(letter) + letter.content)
            while rest:
                rest = rest[os.write(handle, rest) :]
            os.fsync(handle)
        finally:
            os.close(handle)
        staged.replace(self.root / "new" / name)
        directory = os.open(self.root / "new", os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    async def rest(self) -> None:
        """Nothing is held."""

    async def close(self) -> None:
        """Nothing is held."""


def _envelope(letter: Letter) -> bytes:
    """Sender and recipients as a mail server would have been told them."""
    lines = [f"Return-Path: <{letter.sender}>", *(f"X-Envelope-To: <{each}>" for each in letter.recipients)]
    return "".join(f"{line}\r\n" for line in lines).encode()
