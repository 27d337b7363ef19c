"""A Maildir as a transport: for machines without a mail server, and for tests."""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

from services.notify.sending.domain_queues import Limit, Limits
from services.notify.sending.transports.transport import SendResult, ServerUnavailable
from services.notify.writing.message import EncodedMail


class Maildir:
    """Writes each mail as one durable file whose name follows from the notification, so that a repeat is the same
    file."""

    name = "maildir"
    parallel = 128
    limits = Limits(Limit(parallel))

    def __init__(self, root: Path) -> None:
        self.root = root
        self._waiting: list[tuple[EncodedMail, bool, asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None
        for part in ("tmp", "new", "cur"):
            (root / part).mkdir(parents=True, exist_ok=True)

    async def send(self, mail: EncodedMail, *, again: bool) -> SendResult:
        written = asyncio.get_running_loop().create_future()
        self._waiting.append((mail, again, written))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_waiting())
        await written
        return SendResult()

    async def _write_waiting(self) -> None:
        """Mails that wait together are made durable together."""
        while self._waiting:
            batch, self._waiting = self._waiting, []
            failures = await asyncio.to_thread(self._write, [(mail, again) for mail, again, _ in batch])
            for (_, _, written), failure in zip(batch, failures, strict=True):
                if written.done():
                    continue  # its attempt was cancelled
                if failure is None:
                    written.set_result(None)
                else:
                    written.set_exception(ServerUnavailable(f"the mail cannot be written: {failure}"))

    def _write(self, batch: Sequence[tuple[EncodedMail, bool]]) -> list[str | None]:
        """Returns for each mail why it was not written, or None. Files in `new` are complete and durable.

        All are written before the first is synced: the first sync then includes the others' metadata.
        """
        staged = [self._staged(mail, again) for mail, again in batch]
        failures = [each if isinstance(each, str) else None if each is None else self._named(*each) for each in staged]
        try:
            _sync(os.open(self.root / "new", os.O_RDONLY | os.O_DIRECTORY))
        except OSError as error:
            return [_brief(error)] * len(batch)
        return failures

    def _staged(self, mail: EncodedMail, again: bool) -> tuple[int, Path] | str | None:
        """The open file; why there is none; or None if a reader has filed the mail already."""
        name = f"{mail.notification.hex}.ledgerdesk"
        path = self.root / "tmp" / f"{name}.{os.getpid()}"
        try:
            if again and any(filed.name.startswith(name) for filed in (self.root / "cur").iterdir()):
                return None
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640)
        except OSError as error:
            return _brief(error)
        try:
            rest = memoryview(_envelope(mail) + mail.content)
            while rest:
                rest = rest[os.write(handle, rest) :]
        except OSError as error:
            os.close(handle)
            path.unlink(missing_ok=True)
            return _brief(error)
        return handle, path

    def _named(self, handle: int, path: Path) -> str | None:
        """Makes a written file durable and shows it to readers. Returns why that failed, or None."""
        try:
            _sync(handle)
            path.replace(self.root / "new" / path.name.rpartition(".")[0])
        except OSError as error:
            path.unlink(missing_ok=True)
            return _brief(error)
        return None

    async def close_idle(self) -> None:
        """Nothing is held."""

    async def close(self) -> None:
        """Nothing is held."""


def _envelope(mail: EncodedMail) -> bytes:
    """The envelope that a mail server would get, as fields."""
    lines = [f"Return-Path: <{mail.sender}>", *(f"X-Envelope-To: <{each}>" for each in mail.recipients)]
    return "".join(f"{line}\r\n" for line in lines).encode()


def _sync(handle: int) -> None:
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _brief(error: OSError) -> str:
    return error.strerror or type(error).__name__
