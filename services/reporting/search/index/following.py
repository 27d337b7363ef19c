"""Brings an index file up to the read model `desk`, from nothing or from where it was.

Two ways lead there. *Reconciling* compares the number of events of each ticket in the file with that in `desk` and
indexes what differs; on an empty file, that is the build. *Following* indexes the tickets whose events lie between the
file's place in the log and that of `desk`. The place is written in the transaction of the index, so that the two agree
after any crash.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

import orjson

from services.reporting.search.index.entries import entries
from services.reporting.search.index.file import Entry, IndexFile
from shared.contracts.topics import TICKETS
from shared.database import Connection, Pool
from shared.projections.sets import live
from shared.runtime.failpoints import hit

TICKETS_A_ROUND = 100
COMPARED = 2_000
"""Tickets that are compared at once."""
CHANGES = 500
"""Events of a partition that are looked at once."""

REACHED = "SELECT partition, next_offset FROM messaging.checkpoints WHERE consumer = $1 AND topic = $2"
CHANGED = """
SELECT p.partition, h.position, h.ticket_id
  FROM unnest($1::smallint[], $2::bigint[]) AS p(partition, place)
 CROSS JOIN LATERAL (
        SELECT h.position, h.ticket_id
          FROM desk.history h
         WHERE h.partition = p.partition AND h.position >= p.place
         ORDER BY h.position
         LIMIT $3) AS h
"""
NEXT_TICKETS = "SELECT id, event_count FROM desk.tickets WHERE id > $1 ORDER BY id LIMIT $2"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Place:
    """How far a file has followed which generation of `desk`: the next offset of each partition."""

    desk: int
    next: dict[int, int]

    def encoded(self) -> str:
        return orjson.dumps([self.desk, sorted(self.next.items())]).decode()

    @classmethod
    def decoded(cls, text: str) -> "Place":
        desk, offsets = orjson.loads(text)
        return cls(desk, dict(offsets))


class Following:
    """Writes one index file. Its methods must not run at the same time."""

    def __init__(self, pool: Pool, file: IndexFile) -> None:
        self.pool, self.file = pool, file
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="search-writer")

    async def run(self, work: Callable[..., T], *arguments: Any) -> T:
        """Calls a function in the thread of the file."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)

    async def close(self) -> None:
        await self.run(self.file.close)
        self._thread.shutdown(wait=False)

    async def place(self) -> Place | None:
        """Where the file is; None if it is not complete."""
        text = await self.run(self.file.place, "place")
        return Place.decoded(text) if text is not None else None

    async def reconcile(self, progress: Callable[[], None] = lambda: None) -> int:
        """Indexes every ticket that differs from `desk`, removes those that are not there. Returns how many differed.

        The place is that of `desk` when this began: what changes in the meantime is followed afterwards.
        """
        async with (
            self.pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            place = await _reached(connection)
        differing = 0
        last = UUID(int=0)
        while True:
            rows = await self.pool.fetch(NEXT_TICKETS, last, COMPARED)
            end = rows[-1]["id"] if len(rows) == COMPARED else UUID(int=2**128 - 1)
            known = dict(await self.run(self.file.between, last.bytes, end.bytes))
            there = {row["id"].bytes: row["event_count"] for row in rows}
            wanted = [UUID(bytes=ticket) for ticket, events in there.items() if known.get(ticket) != events]
            wanted += [UUID(bytes=ticket) for ticket in known if ticket not in there]
            for start in range(0, len(wanted), TICKETS_A_ROUND):
                await self.index(wanted[start : start + TICKETS_A_ROUND])
                progress()
            differing += len(wanted)
            if len(rows) < COMPARED:
                break
            last = end
            progress()
        if place is not None:
            await self.run(self._set_place, place)
        return differing

    async def follow(self) -> bool:
        """Indexes what has changed since the file's place. False if there was nothing.

        Reconciles if the file has no place, or another generation of `desk` is shown now.
        """
        place = await self.place()
        async with (
            self.pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            reached = await _reached(connection)
            if reached is None:
                return False
            if place is not None and place.desk == reached.desk:
                behind = [n for n, offset in reached.next.items() if place.next.get(n, 0) < offset]
                if not behind:
                    return False
                rows = await connection.fetch(CHANGED, behind, [place.next.get(n, 0) for n in behind], CHANGES)
            else:
                behind = None
        if behind is None:
            await self.reconcile()
            return True
        seen: dict[int, list[int]] = {}
        for row in rows:
            seen.setdefault(row["partition"], []).append(row["position"])
        offsets = dict(place.next) if place is not None else {}
        for partition in behind:
            positions = seen.get(partition, [])
            offsets[partition] = positions[-1] + 1 if len(positions) == CHANGES else reached.next[partition]
        wanted = list(dict.fromkeys(row["ticket_id"] for row in rows))
        parts = [wanted[n : n + TICKETS_A_ROUND] for n in range(0, len(wanted), TICKETS_A_ROUND)] or [[]]
        for part in parts[:-1]:
            await self.index(part)
        await self.index(parts[-1], Place(reached.desk, offsets))
        return True

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
                self.file.set_place("place", place.encoded())

    def _set_place(self, place: Place) -> None:
        with self.file.transaction():
            self.file.set_place("place", place.encoded())


async def _reached(connection: Connection) -> Place | None:
    """How far `desk` is; None while none is shown."""
    generation = await live(connection, "desk")
    if generation is None:
        return None
    rows = await connection.fetch(REACHED, f"reporting.desk_v{generation}", TICKETS)
    return Place(generation, {row["partition"]: row["next_offset"] for row in rows})
