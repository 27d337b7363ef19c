"""Runs a trigger over the history: replays each ticket and counts what the trigger would have done."""

import asyncio
import heapq
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from services.reporting.dry_runs.reading import EDGES, TITLES, Numbers, events, pages
from services.reporting.dry_runs.replay import Act, Replay, Wanted
from shared.database import OwnConnection
from shared.timestamps import timestamp

WORK_SECONDS = 0.002
"""After so much work, the others in this process get as much time."""


@dataclass(slots=True)
class Found:
    """How far a dry run is. `share`: of the tickets, from 0 to 1, as their ids go. `tickets`, `events`: what was read.
    `count`: how often the trigger would have acted."""

    tickets: int = 0
    events: int = 0
    count: int = 0
    share: float = 0.0
    _first: list["_Listed"] = field(default_factory=list)

    def add(self, ticket: UUID, acts: Iterable[Act], most: int) -> None:
        """Adds acts on a ticket; the earliest `most` of all are kept."""
        for act in acts:
            self.count += 1
            each = _Listed((act.at, ticket, self.count), act)
            if len(self._first) < most:
                heapq.heappush(self._first, each)
            else:
                heapq.heappushpop(self._first, each)

    def first(self) -> list[tuple[UUID, Act]]:
        """The tickets and acts that were kept, the earliest first."""
        return [(each.key[1], each.act) for each in sorted(self._first, reverse=True)]


@dataclass(frozen=True, slots=True)
class _Listed:
    """The latest is the smallest, so that a heap gives it up for an earlier one."""

    key: tuple[datetime, UUID, int]
    act: Act

    def __lt__(self, other: "_Listed") -> bool:
        return self.key > other.key


@dataclass(frozen=True, slots=True)
class Listed:
    """`tickets`: the acts as the API shows them, but for what would be done, the earliest first. `count`: of all."""

    tickets: list[dict[str, Any]]
    count: int


async def run(
    connection: OwnConnection, wanted: Wanted, found: Found, most: int, progress: Callable[[], Awaitable[None]]
) -> Listed:
    """What the trigger would have done. `found` tells how far it is.

    `most`: so many are listed. `progress` is called after each page.
    """
    edges = await connection.fetchrow(EDGES)
    if edges is None or edges["first"] is None:
        return Listed([], 0)
    pace = _Pace()
    async for page in pages(connection, wanted):
        for part in page.parts():
            await _replay(connection, wanted, part, found, most, pace)
        found.tickets += page.read
        found.share = _share(edges["first"], edges["last"], page.last)
        await progress()
    return Listed(await _shown(connection, found), found.count)


async def _replay(
    connection: OwnConnection, wanted: Wanted, part: Numbers, found: Found, most: int, pace: "_Pace"
) -> None:
    replay, ticket = Replay(wanted), next(iter(part))
    async with aclosing(events(connection, wanted, part)) as all_events:
        async for of, event in all_events:
            if of != ticket:
                found.add(ticket, replay.until(wanted.end), most)
                replay, ticket = Replay(wanted), of
            found.add(ticket, replay.then(event), most)
            found.events += 1
            await pace.step()
    found.add(ticket, replay.until(wanted.end), most)


class _Pace:
    """Lets others work: half of the processor's time."""

    def __init__(self) -> None:
        self._began = time.thread_time()

    async def step(self) -> None:
        """To be called after each small step."""
        worked = time.thread_time() - self._began
        if worked >= WORK_SECONDS:
            await asyncio.sleep(worked)
            self._began = time.thread_time()


def _share(first: UUID, last: UUID, reached: UUID) -> float:
    return min(1.0, (reached.int - first.int) / max(1, last.int - first.int))


async def _shown(connection: OwnConnection, found: Found) -> list[dict[str, Any]]:
    first = found.first()
    rows = await connection.fetch(TITLES, list({ticket for ticket, _ in first}))
    tickets = {row["id"]: {"id": str(row["id"]), "number": row["number"], "title": row["title"]} for row in rows}
    return [
        {"ticket": tickets[ticket], "event": str(act.event), "at": timestamp(act.at)}
        for ticket, act in first
        if ticket in tickets
    ]
