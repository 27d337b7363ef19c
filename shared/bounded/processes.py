"""Work on what strangers wrote is done in processes of its own: one that takes too long, or dies, does no harm to the others."""

import asyncio
import logging
import os
import signal
import sys
from pathlib import Path

from prometheus_client import Counter

from shared.bounded.serving import ANSWER, LENGTH, QUESTION

log = logging.getLogger(__name__)

KILLED = Counter(
    "ledgerdesk_readers_killed", "Processes that were ended over what they read, by task and why", ["task", "reason"]
)

MOST_SECONDS = 5.0
"""Of processor time for one answer."""
MOST_WAIT = 60.0
"""Seconds on a clock, for a machine that is too busy to give a process its time."""
ANSWERS_A_PROCESS = 5_000
"""After so many a process is replaced, so that no leak in a library lasts."""
_ROOT = Path(__file__).resolve().parents[2]


class Ended(Exception):
    """A process ended before its answer: `slow` (its processor time was over), `stuck` (no answer came) or `died`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Processes:
    """Up to `size` processes of a module that calls `shared.bounded.serving.serve`, started when they are needed."""

    def __init__(
        self, module: str, size: int = 0, *, most_seconds: float = MOST_SECONDS, most_wait: float = MOST_WAIT
    ) -> None:
        self._module = module
        self._most_seconds, self._most_wait = most_seconds, most_wait
        self._free = asyncio.Semaphore(size or min(4, os.cpu_count() or 1))
        self._idle: list[_Process] = []
        self._all: set[_Process] = set()

    async def ask(self, task: str, content: bytes) -> list[bytes]:
        """What a task answers. Raises Ended when its process does not survive it, OSError when none can be started."""
        async with self._free:
            for attempt in (1, 2):
                process = self._idle.pop() if self._idle else await self._start()
                try:
                    answer = await process.ask(task, content, self._most_seconds, self._most_wait)
                except Ended as ended:
                    self._all.discard(process)
                    await process.kill()
                    KILLED.labels(task, ended.reason).inc()
                    log.error("a process was ended by %s of %d bytes: %s", task, len(content), ended.reason)
                    if ended.reason == "died" and attempt == 1:
                        continue  # perhaps the kernel took it for want of memory, and not for this content
                    raise
                except BaseException:
                    # Whoever waited has gone in mid-answer: this process's answers are not to be taken for another's.
                    self._all.discard(process)
                    await asyncio.shield(process.kill())
                    raise
                if process.answers < ANSWERS_A_PROCESS:
                    self._idle.append(process)
                else:
                    self._all.discard(process)
                    await process.kill()
                return answer
            raise AssertionError

    async def close(self) -> None:
        """Ends every process; nobody may be asking any more."""
        self._idle.clear()
        processes, self._all = self._all, set()
        await asyncio.gather(*(process.kill() for process in processes))

    async def _start(self) -> "_Process":
        started = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            self._module,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            # Not the service's environment: what reads strangers' words needs to know no passwords.
            env={"PYTHONPATH": str(_ROOT), "PATH": os.environ.get("PATH", ""), "PYTHONDONTWRITEBYTECODE": "1"},
            cwd=_ROOT,
        )
        process = _Process(started)
        self._all.add(process)
        return process


class _Process:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.answers = 0

    async def ask(self, task: str, content: bytes, most_seconds: float, most_wait: float) -> list[bytes]:
        self.answers += 1
        try:
            async with asyncio.timeout(most_wait):
                return await self._asked(task, content, most_seconds)
        except TimeoutError:
            raise Ended("stuck") from None
        except (asyncio.IncompleteReadError, ConnectionError):
            status = await self._process.wait()
            raise Ended("slow" if status == -signal.SIGPROF else "died") from None

    async def _asked(self, task: str, content: bytes, most_seconds: float) -> list[bytes]:
        into, out = self._process.stdin, self._process.stdout
        assert into is not None
        assert out is not None
        into.write(QUESTION.pack(task.encode(), len(content), int(most_seconds * 1000)))
        into.write(content)
        await into.drain()
        (count,) = ANSWER.unpack(await out.readexactly(ANSWER.size))
        lengths = await out.readexactly(count * LENGTH.size)
        return [await out.readexactly(length) for (length,) in LENGTH.iter_unpack(lengths)]

    async def kill(self) -> None:
        if self._process.returncode is None:
            try:
                self._process.kill()
            except ProcessLookupError:
                pass
        await self._process.wait()
