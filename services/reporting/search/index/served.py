"""The index of one process: its slot, the generation that it shows, and what builds the next one beside it."""

import asyncio
import contextlib
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Never, TypeVar
from uuid import UUID

import apsw
from prometheus_client import Gauge

from services.reporting.feed.desk_handler import CHANNEL
from services.reporting.feed.feed import Feed
from services.reporting.search.index.file import IndexFile, Reader, Slot, Unusable, remove, size
from services.reporting.search.index.following import Following
from services.reporting.search.index.projection_set import SEARCH
from services.reporting.search.index.readers import Readers
from shared.database import Pool, connect
from shared.http.problems import Problem
from shared.runtime.heartbeat import Heartbeat
from shared.runtime.supervision import supervise
from shared.runtime.waiting import set_within

log = logging.getLogger(__name__)

LOOK_SECONDS = 5.0
"""How soon a promotion is followed."""
CHANGE_SECONDS = 2.0
"""How soon a change of `desk` is followed if the notification was lost."""
ROUND_SECONDS = 0.5
"""Between two rounds, so that a round has several changes when there are many. A reader who waits ends the pause."""
IDLE_SECONDS = 60.0
"""Without changes, after which a part of the index is merged."""
DAMAGED = (apsw.CorruptError, apsw.NotADBError, apsw.IOError, apsw.CantOpenError)

GENERATIONS = "SELECT generation, state, shape FROM projections.generations WHERE name = $1 ORDER BY generation"
SHOW_COPY = """
INSERT INTO projections.search_copies (copy, generation, prepared) VALUES ($1, $2, $3)
ON CONFLICT (copy) DO UPDATE SET generation = excluded.generation, prepared = excluded.prepared, seen_at = now()
"""
FORGET_COPIES = "DELETE FROM projections.search_copies WHERE seen_at < now() - interval '1 day'"

BEHIND = Gauge("ledgerdesk_search_behind_seconds", "Time since the index last had everything that the lists show")
BYTES = Gauge("ledgerdesk_search_file_bytes", "Size of the index file on disk")

T = TypeVar("T")


class ServedIndex:
    """Implements `shared.runtime.heartbeat.Background`. `run` must run for `ask` to answer."""

    def __init__(self, pool: Pool, database_url: str, directory: Path) -> None:
        self.pool, self.database_url, self.directory = pool, database_url, directory
        self.feed = Feed(pool)
        self.heartbeat = Heartbeat()
        self.copy = uuid.uuid4()
        self.generation: int | None = None
        self._slot: Slot | None = None
        self._following: Following | None = None
        self._readers: Readers | None = None
        self._prepared = 0
        self._preparing: tuple[int, asyncio.Task[Following]] | None = None
        self._moved = asyncio.Event()
        self._nudged = asyncio.Event()
        self._progress = asyncio.Condition()
        self._agreed = time.monotonic()
        BEHIND.set_function(lambda: time.monotonic() - self._agreed)
        BYTES.set_function(self._size)

    async def ask(self, work: Callable[[Reader], T], person: UUID | None = None) -> T:
        """Calls `work` with a reading connection, in a thread. Raises Problem 503 while the index is not complete.

        `person`: whose question it is.
        """
        readers = self._readers
        if readers is None:
            raise Problem(
                503,
                "search-not-ready",
                "The search index is being built. Until it is complete, nothing can be searched.",
                headers={"Retry-After": "10"},
            )
        try:
            return await readers.run(work, person)
        except DAMAGED as error:
            log.error("the search index is damaged and is built anew: %s", error)
            await self._give_up()
            raise Problem(503, "search-not-ready", headers={"Retry-After": "10"}) from None

    async def until(self, shown: Callable[[], Awaitable[bool]], seconds: float) -> bool:
        """Waits until `shown` is true, which is asked after each change of the index. False if it took too long."""
        try:
            async with asyncio.timeout(seconds):
                while not await shown():
                    self.nudge()
                    async with self._progress:
                        await self._progress.wait()
        except TimeoutError:
            return False
        return True

    def nudge(self) -> None:
        """Somebody waits for what `desk` shows: look at once."""
        self._nudged.set()
        self._moved.set()

    async def run(self) -> Never:
        """Follows `desk` and the generations. Never ends by itself."""
        try:
            await supervise("search index", self._serve, self.heartbeat)
        finally:
            await self._close()

    async def _serve(self) -> None:
        connection = await connect(self.database_url)
        try:
            if self._slot is None:
                self._slot = await asyncio.to_thread(Slot, self.directory)
            connection.add_termination_listener(lambda _: self._moved.set())
            await connection.add_listener(CHANNEL, lambda *_: self._moved.set())
            looked = changed = 0.0
            while True:
                if connection.is_closed():
                    raise ConnectionError("the connection for notifications is lost")
                now = time.monotonic()
                if now - looked > LOOK_SECONDS or (self._preparing is not None and self._preparing[1].done()):
                    await self._look()
                    looked = now
                self._moved.clear()
                self._nudged.clear()
                following = self._following
                if following is not None and await following.step():
                    changed = now
                elif following is not None:
                    self._agreed = time.monotonic()
                    if changed and now - changed > IDLE_SECONDS:
                        await following.run(following.file.tidy)
                        changed = 0.0
                await self._tell()
                self.heartbeat.beat()
                if changed != now:
                    await set_within(self._moved, LOOK_SECONDS if following is None else CHANGE_SECONDS)
                await set_within(self._nudged, ROUND_SECONDS)
        except (*DAMAGED, Unusable) as error:
            log.error("the search index is damaged and is built anew: %s", error)
            await self._give_up()
            raise
        except apsw.FullError:
            self.heartbeat.beat()  # a new process would find the disk as full
            raise
        finally:
            connection.terminate()

    async def _tell(self) -> None:
        async with self._progress:
            self._progress.notify_all()

    async def _look(self) -> None:
        """Changes over to the generation that is to be shown, and prepares those that are not complete."""
        rows = await self.pool.fetch(GENERATIONS, SEARCH.name)
        ours = {row["generation"]: row["state"] for row in rows if row["shape"] == SEARCH.shape}
        live = next((generation for generation, state in ours.items() if state == "live"), None)
        former = max((generation for generation, state in ours.items() if state == "former"), default=None)
        # While a newer version of this program is being started, this one shows what it can read.
        shown = live if live is not None else self.generation if self.generation in ours else former
        building = [generation for generation, state in ours.items() if state == "building"]
        await self._change_over(shown, building)
        await self._remove_dropped({row["generation"] for row in rows})
        await self.pool.execute(SHOW_COPY, self.copy, self.generation, self._prepared)
        await self.pool.execute(FORGET_COPIES)

    async def _change_over(self, shown: int | None, building: Sequence[int]) -> None:
        if self._preparing is not None and self._preparing[1].done():
            generation, task = self._preparing
            self._preparing = None
            following = await task
            self._prepared = max(self._prepared, generation)
            if generation == shown:
                await self._show(generation, following)
            else:
                await following.close()
        if self._preparing is None:
            wanted = shown if shown is not None and shown != self.generation else None
            if wanted is None:
                wanted = next((generation for generation in building if generation > self._prepared), None)
            if wanted is not None:
                self._preparing = wanted, asyncio.create_task(self._prepare(wanted))

    async def _prepare(self, generation: int) -> Following:
        """The complete file of a generation, built if it is missing or damaged."""
        assert self._slot is not None
        path = self._slot.file(generation)
        try:
            following = Following(self.pool, self.feed, await asyncio.to_thread(IndexFile, path))
        except Unusable as error:
            log.info("search: %s; building it", error)
            following = Following(self.pool, self.feed, await asyncio.to_thread(lambda: IndexFile(path, create=True)))
        if not await following.is_complete():
            started = time.monotonic()
            while not await following.is_complete():
                if not await following.step():
                    await asyncio.sleep(CHANGE_SECONDS)  # no read model is shown yet
                self.heartbeat.beat()
            await following.run(following.file.optimize)
            log.info("search: generation %s built in %.1f s", generation, time.monotonic() - started)
        self._moved.set()
        return following

    async def _show(self, generation: int, following: Following) -> None:
        readers = await asyncio.to_thread(Readers, following.file.path)
        former, former_readers = self._following, self._readers
        self.generation, self._following, self._readers = generation, following, readers
        if former_readers is not None:
            former_readers.close()
        if former is not None:
            await former.close()

    async def _remove_dropped(self, known: set[int]) -> None:
        assert self._slot is not None
        for generation, path in self._slot.files().items():
            if generation not in known and generation != self.generation:
                await asyncio.to_thread(remove, path)

    async def _give_up(self) -> None:
        """Removes the file that is shown: the next look builds it anew."""
        following = self._following
        await self._close(keep_slot=True)
        if following is not None:
            await asyncio.to_thread(remove, following.file.path)

    async def _close(self, *, keep_slot: bool = False) -> None:
        if self._preparing is not None:
            self._preparing[1].cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await self._preparing[1]
            self._preparing = None
        if self._readers is not None:
            self._readers.close()
        if self._following is not None:
            with contextlib.suppress(apsw.Error):
                await self._following.close()
        self._readers = self._following = self.generation = None
        if self._slot is not None and not keep_slot:
            self._slot.close()
            self._slot = None

    def _size(self) -> float:
        following = self._following
        return float(size(following.file.path)) if following is not None else 0.0
