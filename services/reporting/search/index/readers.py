"""Reading the index in threads, so that the event loop never waits for the disk, and no statement takes long."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import apsw

from services.reporting.search.index.file import Reader
from shared.http.problems import Problem
from shared.runtime.concurrency import Shares

READERS = 3
MOST_OF_A_PERSON = READERS - 1
"""Connections that one person's questions use: slow ones do not make everybody wait."""
MOST_SECONDS = 3.0
"""For one question; a longer one is stopped."""
WAIT_SECONDS = 2.0
"""For a free connection."""

T = TypeVar("T")


def too_slow() -> Problem:
    return Problem(
        503,
        "too-slow",
        "This search takes too long. Ask for more letters or more words, or for fewer parts of words.",
        headers={"Retry-After": "5"},
    )


class Readers:
    """A few reading connections to a file, each used by one thread at a time."""

    def __init__(self, path: Path, count: int = READERS) -> None:
        self._free: asyncio.Queue[Reader] = asyncio.Queue()
        self._all = [Reader(path) for _ in range(count)]
        for reader in self._all:
            self._free.put_nowait(reader)
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="search-reader")
        self._closing = False
        self._shares = Shares(MOST_OF_A_PERSON)

    async def run(self, work: Callable[[Reader], T], person: UUID | None = None) -> T:
        """Calls `work` in a thread. Raises Problem 503 if it takes too long, or if all connections are busy.

        `person`: whose question it is.
        """
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                reader = await self._taken(person)
        except TimeoutError:
            raise too_slow() from None
        reader.go_on()
        running = loop.run_in_executor(self._threads, work, reader)
        timer = loop.call_later(MOST_SECONDS, reader.interrupt)
        running.add_done_callback(lambda _: self._release(reader, timer, person))
        try:
            return await asyncio.shield(running)
        except apsw.InterruptError:
            raise too_slow() from None
        except asyncio.CancelledError:
            if not running.done():
                reader.interrupt()  # nobody waits for the answer any more
            running.add_done_callback(lambda done: done.cancelled() or done.exception())
            raise

    async def _taken(self, person: UUID | None) -> Reader:
        if person is None:
            return await self._free.get()
        await self._shares.take(str(person))
        try:
            return await self._free.get()
        except BaseException:
            self._shares.give_back(str(person))
            raise

    def _release(self, reader: Reader, timer: asyncio.TimerHandle, person: UUID | None) -> None:
        timer.cancel()
        if person is not None:
            self._shares.give_back(str(person))
        if self._closing:
            reader.close()
        else:
            self._free.put_nowait(reader)

    def close(self) -> None:
        """Connections in use are closed when they are free."""
        self._closing = True
        while not self._free.empty():
            self._free.get_nowait().close()
        self._threads.shutdown(wait=False)
