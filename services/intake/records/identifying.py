"""Tells the other services who a customer turned out to be, and finishes what the migration to ids could not (decision 0089).

`intake.identify` decides it, in the transaction in which a person's record arrives; here it becomes an event. A claim is announced in the
transaction that marks it, so that it is told once, whatever restarts.
"""

import asyncio
from collections.abc import Sequence
from typing import Never
from uuid import UUID, uuid5

from shared.addresses import canonical, comparable
from shared.contracts.envelope import Actor
from shared.contracts.intake import CustomerIdentified
from shared.database import Connection
from shared.eventstore.store import Append, Context, NewEvent, Store, utc_now
from shared.messaging.delivery import Delivered, Parked
from shared.messaging.handlers import Handler
from shared.rules.customer_ids import by_address
from shared.runtime.heartbeat import Heartbeat
from shared.runtime.supervision import supervise
from shared.testing.failpoints import hit

AT_ONCE = 200
REST_SECONDS = 60.0
_CLAIMS = UUID("5f0b7b52-8f2b-4f6e-9f0e-0d9b6f6f0c11")
"""The space of the streams of claims, one a customer."""

UNTOLD = """
SELECT customer_id, person_id FROM intake.claims WHERE NOT announced ORDER BY customer_id LIMIT $1 FOR UPDATE SKIP LOCKED
"""
TOLD = "UPDATE intake.claims SET announced = true WHERE customer_id = ANY($1)"
NAMED_BY_ADDRESS = "SELECT DISTINCT email FROM intake.tickets WHERE email IS NOT NULL AND desk_customer IS NULL"
NAME = "UPDATE intake.tickets SET desk_customer = $2 WHERE email = $1 AND desk_customer IS NULL"
IN_OTHER_SCRIPTS = "SELECT customer_id, email, name FROM intake.customers WHERE NOT is_person AND email ~ '[^ -~]'"
DESK_NAMED = "SELECT intake.desk_named($1, $2, $3)"
FORGET = "DELETE FROM intake.customers WHERE customer_id = $1"


class Identifying:
    """Announces claims: those of each batch of documents with it, what is left over now and then."""

    def __init__(self, inner: Handler, store: Store) -> None:
        self.inner, self.store = inner, store
        self.producers = inner.producers

    async def work(self, connection: Connection, deliveries: Sequence[Delivered], parked: set[UUID]) -> list[Parked]:
        aside = await self.inner.work(connection, deliveries, parked)
        await announce(connection, self.store)
        return aside

    def committed(self) -> None:
        self.inner.committed()
        self.store.appended.set()


async def announce(connection: Connection, store: Store) -> int:
    """Records some of the claims that nobody was told of yet; answers how many."""
    rows = await connection.fetch(UNTOLD, AT_ONCE)
    if not rows:
        return 0
    context = Context(actor=Actor("service", "intake"), time=utc_now())
    appends = [
        Append(
            uuid5(_CLAIMS, str(row["customer_id"])),
            "identity",
            0,
            (NewEvent(CustomerIdentified(customer=row["customer_id"], person=row["person_id"])),),
            context,
        )
        for row in rows
    ]
    await store.append(appends, connection=connection)
    hit("intake.announced")
    await connection.execute(TOLD, [row["customer_id"] for row in rows])
    return len(rows)


class Claims:
    """Announces what is claimed, a moment later at most than it is."""

    def __init__(self, store: Store) -> None:
        self.store, self.heartbeat = store, Heartbeat()

    async def run(self) -> Never:
        """Never ends by itself."""
        await supervise("identifying", self._serve, self.heartbeat)

    async def _serve(self) -> None:
        async with self.store.pool.acquire() as connection, connection.transaction():
            await finish_migration(connection)
        while True:
            async with self.store.pool.acquire() as connection, connection.transaction():
                told = await announce(connection, self.store)
            if told:
                self.store.appended.set()
                self.heartbeat.beat()
            else:
                self.heartbeat.beat(rest=REST_SECONDS)
                await asyncio.sleep(REST_SECONDS)


async def finish_migration(connection: Connection) -> None:
    """What SQL could not do when ids were introduced: the ids that the desk made of addresses, and addresses that were stored in other
    scripts."""
    for row in await connection.fetch(NAMED_BY_ADDRESS):
        customer = by_address(row["email"])
        await connection.execute(DESK_NAMED, customer, comparable(row["email"]), "")
        await connection.execute(NAME, row["email"], customer)
    for row in await connection.fetch(IN_OTHER_SCRIPTS):
        known = canonical(row["email"])
        if known is not None and known != row["email"]:
            await connection.execute(FORGET, row["customer_id"])
            await connection.execute(DESK_NAMED, row["customer_id"], known, row["name"])
