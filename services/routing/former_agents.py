"""An agent who leaves the desk loses their locks (decision 0090).

Their locks become timers that are due at once. So each lock ends by an event of its own, once, in the background, even
if a process restarts.
"""

from collections.abc import Callable, Iterable, Sequence
from uuid import UUID

from shared.contracts.directory import PersonRetired, PersonSaved
from shared.contracts.event import Event
from shared.contracts.routing import TicketLocked, TicketUnlocked
from shared.database import Connection, Pool
from shared.messaging.consuming.delivery import Delivered, Parked
from shared.messaging.consuming.handlers import Handler

SWEEP_SECONDS = 60.0
"""How long a lock may last that an agent took at the moment at which they were retired."""

_HAS_LEFT = "(p.retired OR NOT p.document -> 'roles' ?| ARRAY['agent', 'admin'])"
SET_TIMERS = f"""
INSERT INTO routing.timers (ticket_id, kind, due_at)
SELECT l.ticket_id, 'left', now()
  FROM routing.locks l
  JOIN directory.documents p ON p.id = l.person_id
 WHERE p.kind = 'person' AND {_HAS_LEFT}
 ORDER BY l.ticket_id
    ON CONFLICT (ticket_id, kind) DO NOTHING
"""
FORMER_HOLDERS = f"""
SELECT DISTINCT l.person_id
  FROM routing.locks l
  JOIN directory.documents p ON p.id = l.person_id
 WHERE l.ticket_id = ANY($1) AND p.kind = 'person' AND {_HAS_LEFT}
"""


def holders_after(events: Iterable[tuple[UUID, Event]]) -> dict[UUID, UUID | None]:
    """The tickets whose locks these events change, with the person who has them locked afterwards; None: nobody."""
    holders: dict[UUID, UUID | None] = {}
    for stream, event in events:
        match event:
            case TicketLocked():
                holders[stream] = event.by.id
            case TicketUnlocked():
                holders[stream] = None
            case _:
                pass
    return holders


async def set_timers(connection: Connection) -> None:
    """Makes the locks of former agents end now, in the caller's transaction."""
    await connection.execute(SET_TIMERS)


async def former_holders(connection: Connection, tickets: Sequence[UUID]) -> frozenset[UUID]:
    """The people who have left and still have some of these tickets locked."""
    return frozenset(row["person_id"] for row in await connection.fetch(FORMER_HOLDERS, list(tickets)))


class LockEnding:
    """The handler of the configuration's topic that also ends the locks of people who have left."""

    def __init__(self, inner: Handler, wake: Callable[[], None] | None) -> None:
        self.inner, self.wake = inner, wake
        self.producers = inner.producers

    async def work(self, connection: Connection, deliveries: Sequence[Delivered], parked: set[UUID]) -> list[Parked]:
        put_aside = await self.inner.work(connection, deliveries, parked)
        payloads = (delivery.event.payload for delivery in deliveries if delivery.event is not None)
        if any(isinstance(payload, PersonSaved | PersonRetired) for payload in payloads):
            await set_timers(connection)
        return put_aside

    def committed(self) -> None:
        self.inner.committed()
        if self.wake is not None:
            self.wake()


async def sweep(pool: Pool) -> None:
    """Ends the locks that agents took at the moment at which they were retired."""
    async with pool.acquire() as connection:
        await set_timers(connection)
