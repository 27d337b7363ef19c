"""Mails are read in processes of their own: one that takes too long, or kills its reader, does no harm to the others."""

import asyncio
import logging
import os
import signal
import struct
import sys
from dataclasses import replace
from pathlib import Path

from prometheus_client import Counter

from services.intake.digest import digest
from services.intake.reading import Reading, unreadable
from services.intake.reading_worker import ANSWER, MAIL, READING

log = logging.getLogger(__name__)

KILLED = Counter("ledgerdesk_mail_readers_killed", "Readers of mails that were ended, by why", ["reason"])

MOST_SECONDS = 5.0
"""Of processor time for one mail."""
MOST_WAIT = 60.0
"""Seconds on a clock, for a machine that is too busy to give a reader its time."""
MAILS_A_READER = 5_000
"""After so many a reader is replaced, so that no leak in a library lasts."""
_ROOT = Path(__file__).resolve().parents[2]


class _Died(Exception):
    """A reader ended before its answer. `reason` says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Readers:
    """Up to `size` processes that read mails, started when they are needed."""

    def __init__(self, size: int = 0, *, most_seconds: float = MOST_SECONDS, most_wait: float = MOST_WAIT) -> None:
        self._most_seconds, self._most_wait = most_seconds, most_wait
        self._free = asyncio.Semaphore(size or min(4, os.cpu_count() or 1))
        self._idle: list[_Reader] = []
        self._all: set[_Reader] = set()

    async def read(self, raw: bytes) -> tuple[bytes, Reading]:
        """A mail's digest and what it says. A mail that its reader does not survive is the one file of its reading.

        Raises OSError when no reader can be started.
        """
        async with self._free:
            for attempt in (1, 2):
                reader = self._idle.pop() if self._idle else await self._start()
                try:
                    answer = await reader.read(raw, self._most_seconds, self._most_wait)
                except _Died as death:
                    self._all.discard(reader)
                    await reader.kill()
                    KILLED.labels(death.reason).inc()
                    log.error("a reader was ended by a mail of %d bytes: %s", len(raw), death.reason)
                    if death.reason == "died" and attempt == 1:
                        continue  # perhaps the kernel took it for want of memory, and not for this mail
                    return digest(raw), unreadable(raw, _WHY[death.reason])
                except BaseException:
                    # Whoever waited has gone in mid-answer: this reader's answers are not to be taken for another mail's.
                    self._all.discard(reader)
                    await asyncio.shield(reader.kill())
                    raise
                if reader.mails < MAILS_A_READER:
                    self._idle.append(reader)
                else:
                    self._all.discard(reader)
                    await reader.kill()
                return answer
            raise AssertionError

    async def close(self) -> None:
        """Ends every reader; nobody may be reading any more."""
        self._idle.clear()
        readers, self._all = self._all, set()
        await asyncio.gather(*(reader.kill() for reader in readers))

    async def _start(self) -> "_Reader":
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "services.intake.reading_worker",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            # Not the service's environment: what reads strangers' mails needs to know no passwords.
            env={"PYTHONPATH": str(_ROOT), "PATH": os.environ.get("PATH", ""), "PYTHONDONTWRITEBYTECODE": "1"},
            cwd=_ROOT,
        )
        reader = _Reader(process)
        self._all.add(reader)
        return reader


_WHY = {
    "slow": "its reading took more than the time that a mail may take",
    "stuck": "its reading did not come to an end",
    "died": "its reader did not survive it",
}


class _Reader:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.mails = 0

    async def read(self, raw: bytes, most_seconds: float, most_wait: float) -> tuple[bytes, Reading]:
        self.mails += 1
        try:
            async with asyncio.timeout(most_wait):
                return await self._asked(raw, most_seconds)
        except TimeoutError:
            raise _Died("stuck") from None
        except (asyncio.IncompleteReadError, ConnectionError):
            status = await self._process.wait()
            raise _Died("slow" if status == -signal.SIGPROF else "died") from None

    async def _asked(self, raw: bytes, most_seconds: float) -> tuple[bytes, Reading]:
        into, out = self._process.stdin, self._process.stdout
        assert into is not None
        assert out is not None
        into.write(MAIL.pack(len(raw), int(most_seconds * 1000)))
        into.write(raw)
        await into.drain()
        length, files, key = ANSWER.unpack(await out.readexactly(ANSWER.size))
        lengths = struct.unpack(f">{files}Q", await out.readexactly(8 * files))
        reading = READING.validate_json(await out.readexactly(length))
        contents = [await out.readexactly(each) for each in lengths]
        named = zip(reading.files, contents, strict=True)
        return key, replace(reading, files=tuple(replace(file, content=content) for file, content in named))

    async def kill(self) -> None:
        if self._process.returncode is None:
            try:
                self._process.kill()
            except ProcessLookupError:
                pass
        await self._process.wait()
