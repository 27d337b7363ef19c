"""Fills a queue with many tickets: the projection folds made-up events and saves them into the live generation."""

import random
from datetime import UTC, datetime, timedelta
from uuid import UUID

from uuid_utils.compat import uuid7

from deploy.local.programs import Instance
from services.reporting.tickets.projection import TicketProjection
from services.reporting.tickets.read_model.ticket_row import TicketRow
from shared.contracts.envelope import Actor, Recorded
from shared.contracts.intake import TicketOpened
from shared.contracts.parts import Address, CustomerRef, Message, QueueRef
from shared.database import connect_pool
from shared.messaging.consuming.projection import Position

BATCH = 5_000


async def fill_list(instance: Instance, queue: UUID, slug: str, count: int) -> None:
    """Adds tickets to the live tables of `desk`, for measurements of reads."""
    postgres, chance = instance.postgres, random.Random(count)
    pool = await connect_pool(postgres.url("postgres", postgres.password, "reporting"), smallest=1, largest=1)
    generation = await pool.fetchval(
        "SELECT generation FROM projections.generations WHERE name = 'desk' AND state = 'live'"
    )
    projection = TicketProjection(f"desk_v{generation}")
    reference, now = QueueRef(id=queue, slug=slug, name=slug), datetime.now(UTC)
    rows: dict[UUID, TicketRow] = {}
    for n in range(count):
        customer = CustomerRef(id=uuid7(), email=f"c{n % 5000}@customer.example", name="Per Hansen")
        opened = TicketOpened(
            number=f"{slug}-{n}",
            title="My computer hums",
            queue=reference,
            customer=customer,
            channel="email",
            priority=chance.choice((2, 3, 3, 3, 4, 5)),
            message=Message(
                id=uuid7(),
                channel="email",
                sender=Address(email=customer.email),
                text="Since this morning it hums. " * 6,
            ),
        )
        at = now - timedelta(seconds=chance.randrange(30_000_000))
        ticket = uuid7()
        event = Recorded(
            uuid7(), opened.TYPE, "/services/intake", ticket, 1, at, at, uuid7(), None, Actor("customer"), None, opened
        )
        row = projection.apply(None, event, Position("", 0, n))
        row.seen = {"intake": (1, event.id)}
        rows[ticket] = row
        if len(rows) == BATCH or n == count - 1:
            async with pool.acquire() as connection, connection.transaction():
                await projection.save(connection, rows)
            rows = {}
    await pool.execute(f"ANALYZE desk_v{generation}.tickets")
    await pool.close()
