"""Brings an index file up to the read model `desk`, from nothing or from where it was.

*Following* indexes the tickets whose events lie between the file's place in the event feed and that of `desk`. A
*sweep* goes through all tickets in the order of their ids and indexes those that differ; on an empty file, that is the
build. A sweep is done in small steps, so that what changes in the meantime is followed. The place is written in the
transaction of the index, so that the two agree after any crash.
"""

import asyncio
import operator
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from uuid import UUID

from services.reporting.feed.feed import Feed
from services.reporting.feed.place import Place, UnknownPlace
from services.reporting.search.index.entries import entries
from services.reporting.search.index.file import Entry, IndexFile
from shared.database import Pool
from shared.projections.sets import live
from shared.runtime.failpoints import hit

TICKETS_A_ROUND = 200
COMPARED = 2_000
"""Tickets that a sweep compares at once."""
CHANGES = 500
"""Events of a partition, and late ranges, that are looked at once."""

# An effect may come before its cause here, unlike in the feed: the rows of both are read as they are in the end.
CHANGED = """
SELECT p.partition, h.position, h.ticket_id
  FROM unnest($1::smallint[], $2::bigint[], $3::bigint[]) AS p(partition, place, applied)
 CROSS JOIN LATERAL (
        SELECT h.position, h.ticket_id
          FROM desk.history h
         WHERE h.partition = p.partition AND h.position >= p.place AND h.position < p.applied
         ORDER BY h.position
         LIMIT $4) AS h
"""
LATE = "SELECT number, ticket_id FROM projections.late WHERE number > $1 AND number <= $2 ORDER BY number LIMIT $3"
NEXT_TICKETS = "SELECT id, event_count FROM desk.tickets WHERE id > $1 ORDER BY id LIMIT $2"
LOOK_SECONDS = 2.0
"""How soon a change of `desk` to another generation is seen."""
NO_GENERATION = "0"
FIRST, LAST = UUID(int=0), UUID(int=2**128 - 1)

T = TypeVar("T")


class Following:
    """Writes one index file. Its methods must not run at the same time."""

    def __init__(self, pool: Pool, feed: Feed, file: IndexFile) -> None:
        self.pool, self.feed, self.file = pool, feed, file
        self._place: Place | None = None
        self._looked = 0.0
        self._swept = FIRST
        self._sweeping: int | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="search-writer")

    async def run(self, work: Callable[..., T], *arguments: Any) -> T:
        """Calls a function in the thread of the file."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)

    async def close(self) -> None:
        await self.run(self.file.close)
        self._thread.shutdown(wait=False)

    async def is_complete(self) -> bool:
        """Whether a sweep has been through all tickets since the file was made."""
        return await self.run(self.file.place, "desk") is not None

    async def step(self) -> bool:
        """Follows, or else does a step of a sweep that is due. False if there was nothing to do."""
        return await self._follow() or await self._sweep()

    async def _follow(self) -> bool:
        """Indexes what has changed since the file's place."""
        place = self._place or await self.run(self._read_place)
        end = await self.feed.end()
        ahead = place is not None and any(map(operator.gt, place.offsets, end.offsets))
        if place is None or place.incarnation != end.incarnation or place.late > end.late or ahead:
            # The file is new, or the topic was filled again, or the database restored: nothing in it is certain.
            await self.run(self._begin, end)
            return True
        behind = [n for n, (had, has) in enumerate(zip(place.offsets, end.offsets, strict=True)) if had < has]
        if not behind and place.late == end.late:
            return False
        rows = await self.pool.fetch(
            CHANGED, behind, [place.offsets[n] for n in behind], [end.offsets[n] for n in behind], CHANGES
        )
        late = await self.pool.fetch(LATE, place.late, end.late, CHANGES) if place.late < end.late else []
        seen: dict[int, list[int]] = {}
        for row in rows:
            seen.setdefault(row["partition"], []).append(row["position"])
        offsets = list(place.offsets)
        for n in behind:
            positions = seen.get(n, [])
            offsets[n] = positions[-1] + 1 if len(positions) == CHANGES else end.offsets[n]
        after = Place(end.incarnation, tuple(offsets), late[-1]["number"] if len(late) == CHANGES else end.late)
        wanted = list(dict.fromkeys(row["ticket_id"] for row in (*rows, *late)))
        parts = [wanted[n : n + TICKETS_A_ROUND] for n in range(0, len(wanted), TICKETS_A_ROUND)] or [[]]
        for part in parts[:-1]:
            await self.index(part)
        await self.index(parts[-1], after)
        return True

    async def _sweep(self) -> bool:
        """Goes on with the sweep that is due: for a new file, and after `desk` has changed over to another generation.

        A sweep for another generation reads all rows again, because their texts may be others for the same events.
        """
        if self._sweeping is None and time.monotonic() - self._looked < LOOK_SECONDS:
            return False
        async with self.pool.acquire() as connection:
            desk = await live(connection, "desk")
        known = await self.run(self.file.place, "desk")
        self._looked = time.monotonic()
        if desk is None or known == str(desk):
            self._swept, self._sweeping = FIRST, None
            return False
        if self._sweeping != desk:
            self._swept, self._sweeping = FIRST, desk
        rows = await self.pool.fetch(NEXT_TICKETS, self._swept, COMPARED)
        end = rows[-1]["id"] if len(rows) == COMPARED else LAST
        there = {row["id"].bytes: row["event_count"] for row in rows}
        had = dict(await self.run(self.file.between, self._swept.bytes, end.bytes))
        wanted = [UUID(bytes=each) for each, events in there.items() if known is not None or had.get(each) != events]
        wanted += [UUID(bytes=each) for each in had if each not in there]
        for start in range(0, len(wanted), TICKETS_A_ROUND):
            await self.index(wanted[start : start + TICKETS_A_ROUND])
            if known is not None:
                while await self._follow():
                    pass
        self._swept = end
        if end == LAST:
            await self.run(self._end_sweep, desk)
        return True

    async def differing(self) -> list[UUID]:
        """The tickets whose entries in the file are not those of their rows now, for `verify`."""
        found: list[UUID] = []
        last = FIRST
        while last != LAST:
            rows = await self.pool.fetch(NEXT_TICKETS, last, TICKETS_A_ROUND)
            end = rows[-1]["id"] if len(rows) == TICKETS_A_ROUND else LAST
            async with (
                self.pool.acquire() as connection,
                connection.transaction(isolation="repeatable_read", readonly=True),
            ):
                wanted = {
                    each.ticket: each for each in await entries(connection, [row["id"] for row in rows], self.run)
                }
            for row in rows:
                entry = wanted.get(row["id"].bytes)
                if entry is None or not await self.run(self.file.has, entry):
                    found.append(row["id"])
            there = {row["id"].bytes for row in rows}
            found += [
                UUID(bytes=each)
                for each, _ in await self.run(self.file.between, last.bytes, end.bytes)
                if each not in there
            ]
            last = end
        return found

    async def index(self, tickets: Iterable[UUID], place: Place | None = None) -> None:
        """Writes the entries of these tickets, and of those that they are or were merged with, in one transaction."""
        asked = set(tickets)
        known = await self.run(self.file.known, [each.bytes for each in asked])
        asked |= {UUID(bytes=living) for _, _, living in known.values() if living is not None}
        async with (
            self.pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            found = await entries(connection, asked, self.run)
        gone = asked - {UUID(bytes=entry.ticket) for entry in found}
        await self.run(self._write, found, [each.bytes for each in gone], place)

    def _write(self, found: Sequence[Entry], gone: Sequence[bytes], place: Place | None) -> None:
        with self.file.transaction():
            for entry in found:
                self.file.put(entry)
            for ticket in gone:
                self.file.delete(ticket)
            hit("search-between-index-and-place")
            if place is not None:
                self.file.set_place("place", place.packed().hex())
        self._place = place or self._place

    def _read_place(self) -> Place | None:
        text = self.file.place("place")
        try:
            return Place.unpacked(bytes.fromhex(text)) if text is not None else None
        except (UnknownPlace, ValueError):
            return None

    def _begin(self, place: Place) -> None:
        """Follows from here on. A complete file stays so, but a sweep is due."""
        with self.file.transaction():
            self.file.set_place("place", place.packed().hex())
            if self.file.place("desk") is not None:
                self.file.set_place("desk", NO_GENERATION)
        self._place = place

    def _end_sweep(self, desk: int) -> None:
        with self.file.transaction():
            self.file.set_place("desk", str(desk))
