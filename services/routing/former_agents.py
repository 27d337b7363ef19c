"""Whoever leaves the desk holds no ticket any longer (decision 0090).

Their locks become timers that are due at once: so each ends by an event of its own, once, in the background, whatever restarts.
"""

from collections.abc import Callable, Iterable, Sequence
from uuid import UUID

from shared.contracts.directory import PersonRetired, PersonSaved
from shared.contracts.event import Event
from shared.contracts.routing import TicketLocked, TicketUnlocked
from shared.database import Connection, Pool
from shared.messaging.delivery import Delivered, Parked
from shared.messaging.handlers import Handler

SWEEP_SECONDS = 60.0
"""How long a lock may last that somebody took in the moment in which they were retired."""

_HAS_LEFT = "(p.retired OR NOT p.document -> 'roles' ?| ARRAY['agent', 'admin'])"
SET = f"""
INSERT INTO routing.timers (ticket_id, kind, due_at)
SELECT l.ticket_id, 'left', now()
  FROM routing.locks l
  JOIN directory.documents p ON p.id = l.person_id
 WHERE p.kind = 'person' AND {_HAS_LEFT}
 ORDER BY l.ticket_id
    ON CONFLICT (ticket_id, kind) DO NOTHING
"""
GONE = f"""
SELECT DISTINCT l.person_id
  FROM routing.locks l
  JOIN directory.documents p ON p.id = l.person_id
 WHERE l.ticket_id = ANY($1) AND p.kind = 'person' AND {_HAS_LEFT}
"""


def held_after(events: Iterable[tuple[UUID, Event]]) -> dict[UUID, UUID | None]:
    """Who holds the tickets whose locks these events change; None: nobody."""
    held: dict[UUID, UUID | None] = {}
    for stream, event in events:
        match event:
            case TicketLocked():
                held[stream] = event.by.id
            case TicketUnlocked():
                held[stream] = None
            case _:
                pass
    return held


async def set_timers(connection: Connection) -> None:
    """Lets the locks of those who have left end now, in the transaction that tells of it."""
    await connection.execute(SET)


async def gone_among(connection: Connection, tickets: Sequence[UUID]) -> frozenset[UUID]:
    """Those of the holders of these tickets who have left."""
    return frozenset(row["person_id"] for row in await connection.fetch(GONE, list(tickets)))


class Leaving:
    """The handler of the documents' topic: looks at locks where a batch has people in it."""

    def __init__(self, inner: Handler, wake: Callable[[], None] | None) -> None:
        self.inner, self.wake = inner, wake
        self.producers = inner.producers

    async def work(self, connection: Connection, deliveries: Sequence[Delivered], parked: set[UUID]) -> list[Parked]:
        aside = await self.inner.work(connection, deliveries, parked)
        payloads = (delivery.event.payload for delivery in deliveries if delivery.event is not None)
        if any(isinstance(payload, PersonSaved | PersonRetired) for payload in payloads):
            await set_timers(connection)
        return aside

    def committed(self) -> None:
        self.inner.committed()
        if self.wake is not None:
            self.wake()


async def sweep(pool: Pool) -> None:
    """Finds the locks that somebody took in the moment in which they were retired."""
    async with pool.acquire() as connection:
        await set_timers(connection)
