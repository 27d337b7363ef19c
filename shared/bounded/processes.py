"""Processes for work on strangers' input: a task that takes too long or crashes does not affect the others."""

import asyncio
import logging
import os
import signal
import sys
from pathlib import Path

from prometheus_client import Counter

from shared.bounded.serving import LENGTH, REQUEST, RESULT

log = logging.getLogger(__name__)

KILLED = Counter(
    "ledgerdesk_readers_killed", "Processes that were ended over what they read, by task and why", ["task", "reason"]
)

MOST_SECONDS = 5.0
"""Of processor time for one task."""
MOST_WAIT = 60.0
"""Of wall time, for a machine that is too busy to give a process its processor time."""
TASKS_A_PROCESS = 5_000
"""After so many tasks a process is replaced, in case a library leaks memory."""
_ROOT = Path(__file__).resolve().parents[2]


class Ended(Exception):
    """A process ended before its result: `slow` (out of processor time), `stuck` (no result in time) or `died`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Processes:
    """Up to `size` processes of a module that calls `shared.bounded.serving.serve`; each starts when it is needed."""

    def __init__(
        self, module: str, size: int = 0, *, most_seconds: float = MOST_SECONDS, most_wait: float = MOST_WAIT
    ) -> None:
        self._module = module
        self._most_seconds, self._most_wait = most_seconds, most_wait
        self._free = asyncio.Semaphore(size or min(4, os.cpu_count() or 1))
        self._idle: list[_Process] = []
        self._all: set[_Process] = set()

    async def ask(self, task: str, content: bytes) -> list[bytes]:
        """The result of a task. Raises Ended if its process ends first, OSError if none can be started."""
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
                        continue  # perhaps the kernel killed it for lack of memory, and not because of this content
                    raise
                except BaseException:
                    # The caller was cancelled: this result must not be taken for that of another task.
                    self._all.discard(process)
                    await asyncio.shield(process.kill())
                    raise
                if process.tasks < TASKS_A_PROCESS:
                    self._idle.append(process)
                else:
                    self._all.discard(process)
                    await process.kill()
                return answer
            raise AssertionError

    async def close(self) -> None:
        """Ends every process. No task may be running."""
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
            # Not the service's environment, which has passwords.
            env={"PYTHONPATH": str(_ROOT), "PATH": os.environ.get("PATH", ""), "PYTHONDONTWRITEBYTECODE": "1"},
            cwd=_ROOT,
        )
        process = _Process(started)
        self._all.add(process)
        return process


class _Process:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.tasks = 0

    async def ask(self, task: str, content: bytes, most_seconds: float, most_wait: float) -> list[bytes]:
        self.tasks += 1
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
        into.write(REQUEST.pack(task.encode(), len(content), int(most_seconds * 1000)))
        into.write(content)
        await into.drain()
        (count,) = RESULT.unpack(await out.readexactly(RESULT.size))
        lengths = await out.readexactly(count * LENGTH.size)
        return [await out.readexactly(length) for (length,) in LENGTH.iter_unpack(lengths)]

    async def kill(self) -> None:
        if self._process.returncode is None:
            try:
                self._process.kill()
            except ProcessLookupError:
                pass
        await self._process.wait()
