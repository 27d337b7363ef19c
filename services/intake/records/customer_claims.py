"""Announces which person a customer turned out to be, and completes the migration to customer ids (decision 0089).

A claim says that a customer, who was known only by an address, is a person with a record. `intake.identify` makes it in
the transaction in which the person's record arrives; here it becomes an event. The event is recorded in the transaction
that marks the claim as announced, so that each claim is announced once.
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
from shared.messaging.consuming.delivery import Delivered, Parked
from shared.messaging.consuming.handlers import Handler
from shared.rules.customer_ids import by_address
from shared.runtime.failpoints import hit
from shared.runtime.heartbeat import Heartbeat
from shared.runtime.supervision import supervise

BATCH = 200
CHECK_SECONDS = 60.0
_CLAIMS = UUID("5f0b7b52-8f2b-4f6e-9f0e-0d9b6f6f0c11")
"""The namespace of the streams of claims; each customer has one."""

UNANNOUNCED = """
SELECT customer_id, person_id FROM intake.claims WHERE NOT announced ORDER BY customer_id LIMIT $1 FOR UPDATE SKIP LOCKED
"""
MARK_ANNOUNCED = "UPDATE intake.claims SET announced = true WHERE customer_id = ANY($1)"
NAMED_BY_ADDRESS = "SELECT DISTINCT email FROM intake.tickets WHERE email IS NOT NULL AND desk_customer IS NULL"
NAME = "UPDATE intake.tickets SET desk_customer = $2 WHERE email = $1 AND desk_customer IS NULL"
IN_OTHER_SCRIPTS = "SELECT customer_id, email, name FROM intake.customers WHERE NOT is_person AND email ~ '[^ -~]'"
DESK_NAMED = "SELECT intake.desk_named($1, $2, $3)"
FORGET = "DELETE FROM intake.customers WHERE customer_id = $1"


class ClaimsHandler:
    """Announces the claims that a batch of documents leads to, in the same transaction."""

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
    """Announces some of the claims that were not announced yet; returns how many."""
    rows = await connection.fetch(UNANNOUNCED, BATCH)
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
    await connection.execute(MARK_ANNOUNCED, [row["customer_id"] for row in rows])
    return len(rows)


class ClaimAnnouncer:
    """Announces claims that were made outside of a batch of documents, every minute."""

    def __init__(self, store: Store) -> None:
        self.store, self.heartbeat = store, Heartbeat()

    async def run(self) -> Never:
        """Runs until it is cancelled."""
        await supervise("identifying", self._serve, self.heartbeat)

    async def _serve(self) -> None:
        async with self.store.pool.acquire() as connection, connection.transaction():
            await finish_migration(connection)
        while True:
            async with self.store.pool.acquire() as connection, connection.transaction():
                announced = await announce(connection, self.store)
            if announced:
                self.store.appended.set()
                self.heartbeat.beat()
            else:
                self.heartbeat.beat(rest=CHECK_SECONDS)
                await asyncio.sleep(CHECK_SECONDS)


async def finish_migration(connection: Connection) -> None:
    """Does what SQL could not do when ids were introduced: it computes the ids that the desk made of addresses, and the
    canonical form of addresses in other scripts."""
    for row in await connection.fetch(NAMED_BY_ADDRESS):
        customer = by_address(row["email"])
        await connection.execute(DESK_NAMED, customer, comparable(row["email"]), "")
        await connection.execute(NAME, row["email"], customer)
    for row in await connection.fetch(IN_OTHER_SCRIPTS):
        known = canonical(row["email"])
        if known is not None and known != row["email"]:
            await connection.execute(FORGET, row["customer_id"])
            await connection.execute(DESK_NAMED, row["customer_id"], known, row["name"])
