"""Works through events as a projection: a batch is folded in memory and its rows are saved at once."""

from collections.abc import Sequence
from typing import Generic
from uuid import UUID

from shared.database import Connection
from shared.messaging.consuming.delivery import Delivered, Next, Parked, order
from shared.messaging.consuming.handlers import reason_of
from shared.messaging.consuming.in_order import InOrder
from shared.messaging.consuming.projection import Projection, R, Seen
from shared.runtime.failpoints import hit


class ProjectionHandler(Generic[R]):
    producers: frozenset[str] | None = None

    def __init__(self, projection: Projection[R]) -> None:
        self.projection = projection

    async def work(self, connection: Connection, deliveries: Sequence[Delivered], parked: set[UUID]) -> list[Parked]:
        batch = InOrder(parked)
        rows = await self.projection.load(connection, sorted({d.key for d in deliveries if not batch.holds(d.key)}))
        changed: dict[UUID, R] = {}
        failed: dict[UUID, int] = {}
        for n, delivery in enumerate(deliveries):
            row = rows.get(delivery.key)
            seen: Seen = row.seen if row is not None else {}
            event = batch.take(delivery, seen)
            if event is None:
                continue
            try:
                hit("consumer.apply")
                row = self.projection.apply(row, event, delivery.position)
            except Exception as error:
                batch.park(delivery, reason_of(error))
                failed[delivery.key] = n
                continue
            seen[event.producer] = (event.version, event.id)
            row.seen = seen
            rows[delivery.key] = changed[delivery.key] = row
        for key in failed.keys() & changed.keys():
            changed[key] = await self._folded_again(connection, key, deliveries[: failed[key]])
        if changed:
            await self.projection.save(connection, dict(sorted(changed.items())))
        return batch.parked

    async def _folded_again(self, connection: Connection, key: UUID, deliveries: Sequence[Delivered]) -> R:
        """The row from the events before the one that failed and left the row half changed. They were applied once
        already: none of them fails here."""
        row = (await self.projection.load(connection, [key])).get(key)
        for delivery in deliveries:
            event = delivery.event
            if delivery.key != key or event is None:
                continue
            seen: Seen = row.seen if row is not None else {}
            if order(event, seen) is Next.TAKE:
                row = self.projection.apply(row, event, delivery.position)
                seen[event.producer] = (event.version, event.id)
                row.seen = seen
        assert row is not None, "a stream whose row has changed has taken an event"
        return row

    def committed(self) -> None:
        return
