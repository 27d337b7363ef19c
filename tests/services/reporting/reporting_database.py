"""A reporting database for a test, and rows in its live `desk` tables: from events, or written directly."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from uuid_utils.compat import uuid7

from services.reporting.generations.projection_sets import projection_sets
from services.reporting.schema import MIGRATIONS
from services.reporting.tickets.read_model.ticket_row import TICKETS_TABLE, TicketRow
from shared.contracts.envelope import Actor, Recorded, encode
from shared.contracts.event import Event
from shared.contracts.topics import TICKETS
from shared.database import Connection, Pool, connect, connect_pool
from shared.eventstore.migrations import migrate
from shared.messaging.consuming.delivery import Delivered
from shared.messaging.consuming.projection import Position
from shared.projections import sets

ZONE = ZoneInfo("UTC")
START = datetime(2026, 11, 23, 8, tzinfo=UTC)
DEFAULTS: dict[str, Any] = {
    "customer_id": UUID(int=20), "time_units": 2.5, "article_count": 3, "public_article_count": 1, "event_count": 1,
    "title": "hums", "queue_id": UUID(int=10), "queue_slug": "it", "queue_name": "IT", "state_slug": "open",
    "state_name": "open", "state_type": "open", "channel": "email", "customer_email": "per@acme.example",
    "customer_name": "Per", "tags": ["secret"], "seen": {"intake": (1, UUID(int=1))},
}  # fmt: skip
CHECKPOINT = """
INSERT INTO messaging.checkpoints VALUES ($1, $2, 0, $3)
    ON CONFLICT (consumer, topic, partition) DO UPDATE SET next_offset = excluded.next_offset
"""


@dataclass
class Reporting:
    owner: Any
    pool: Pool
    owner_url: str
    app_url: str
    shown: int = 0
    """How many events have been folded."""

    async def show(self, events: Sequence[Recorded]) -> None:
        """Folds events into the live generation of each set, as a consumer does."""
        following = enumerate(events, start=self.shown)
        delivered = [Delivered(Position(TICKETS, 0, n), e.stream, encode(e), e) for n, e in following]
        self.shown += len(events)
        for which in projection_sets(ZONE).values():
            async with self.pool.acquire() as connection, connection.transaction():
                assert await which.handlers(1)[TICKETS].work(connection, delivered, set()) == []
                await connection.execute(CHECKPOINT, which.consumer(1), TICKETS, self.shown)


async def reporting_with_a_live_desk(postgres: Any) -> AsyncIterator[Reporting]:
    owner_url, app_url = postgres.database("reporting")
    await migrate(owner_url, app_url, *MIGRATIONS)
    owner, pool = await connect(owner_url), await connect_pool(app_url)
    for which in projection_sets(ZONE).values():
        await sets.promote(owner, which, await sets.begin(owner, which, app_url), app_url)
    yield Reporting(owner, pool, owner_url, app_url)
    await pool.close()
    await owner.close()


async def add_tickets(connection: Connection, made: Sequence[dict[str, Any]]) -> None:
    """Adds a row for each dict of columns, with defaults for the others. Numbers count from 0, a second apart."""
    places = ", ".join(f"${n}" for n in range(1, len(TICKETS_TABLE.columns) + 1))
    for n, columns in enumerate(made):
        at = START + timedelta(seconds=n)
        row = {"id": UUID(int=1000 + n), "number": str(n), "created_at": at, "updated_at": at, **DEFAULTS, **columns}
        values = TICKETS_TABLE.values(TicketRow(**row))
        await connection.execute(
            f"INSERT INTO desk_v1.tickets ({', '.join(TICKETS_TABLE.columns)}) VALUES ({places})", *values
        )


class Log:
    """Makes events of tickets, without gaps in their versions, a second apart."""

    def __init__(self) -> None:
        self.events: list[Recorded] = []
        self.versions: dict[tuple[str, UUID], int] = {}

    def add(self, ticket: UUID, *payloads: Event, since: datetime = START) -> None:
        for payload in payloads:
            version = self.versions[payload.OWNER, ticket] = self.versions.get((payload.OWNER, ticket), 0) + 1
            at = since + timedelta(seconds=len(self.events))
            source = f"/services/{payload.OWNER}"
            self.events.append(
                Recorded(
                    uuid7(), payload.TYPE, source, ticket, version, at, at, uuid7(), None, Actor("agent"), None, payload
                )
            )
