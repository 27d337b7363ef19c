"""Fills a generation of `desk`, and notifies every process that follows the event feed."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from services.reporting.feed.late_events import record_awaited
from services.reporting.tickets.projection import TicketProjection
from services.reporting.tickets.read_model.ticket_row import TicketRow
from shared.database import Connection
from shared.messaging.consuming.delivery import Delivered, Parked
from shared.messaging.consuming.projection_handler import ProjectionHandler

CHANNEL = "desk"
# Nobody waits for a generation that is being built.
NOTIFY = f"""
SELECT pg_notify('{CHANNEL}', ''), EXISTS (SELECT FROM projections.late_awaited) AS awaited
  FROM projections.generations
 WHERE name = 'desk' AND state = 'live' AND 'desk_v' || generation = $1
"""
# Below 0: where the event was in a topic that is lost (`projections.topic_republished`).
PLACE_AGAIN = """
UPDATE {schema}.history h
   SET partition = n.partition, position = n.position
  FROM unnest($1::uuid[], $2::smallint[], $3::bigint[]) AS n(id, partition, position)
 WHERE h.id = n.id AND h.position < 0
"""


class _Tickets(TicketProjection):
    """Remembers which events the last batch added."""

    def __init__(self, schema: str) -> None:
        super().__init__(schema)
        self.added: frozenset[UUID] = frozenset()

    async def save(self, connection: Connection, rows: Mapping[UUID, TicketRow]) -> None:
        await super().save(connection, rows)
        self.added = frozenset(entry.id for row in rows.values() for entry in row.history)


class DeskHandler(ProjectionHandler[TicketRow]):
    """One notification for each batch with new events, in the batch's transaction.

    A repeated event changes nothing, unless the topic was lost: then the history learns where the event is now.
    """

    def __init__(self, schema: str) -> None:
        self._tickets = _Tickets(schema)
        super().__init__(self._tickets)
        self._place_again = PLACE_AGAIN.format(schema=schema)

    async def work(self, connection: Connection, deliveries: Sequence[Delivered], parked: set[UUID]) -> list[Parked]:
        self._tickets.added = frozenset()
        put_aside = await super().work(connection, deliveries, parked)
        new = self._tickets.added
        if new:
            notified = await connection.fetchrow(NOTIFY, self._tickets.schema)
            if notified is not None and notified["awaited"]:
                await record_awaited(connection, deliveries)
        repeats: dict[UUID, Delivered] = {}
        for delivery in deliveries:
            if delivery.event is not None and delivery.event.id not in new:
                repeats.setdefault(delivery.event.id, delivery)
        if repeats:
            positions = [delivery.position for delivery in repeats.values()]
            await connection.execute(
                self._place_again, list(repeats), [p.partition for p in positions], [p.offset for p in positions]
            )
        return put_aside
