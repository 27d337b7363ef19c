"""Tells relays in other processes that there are rows in the outbox (docs/decisions/0064). Without it they look every two seconds."""

import asyncio
from typing import Never

from shared.database import Connection, Pool
from shared.eventstore.store import Store
from shared.messaging.restart import restarting

CHANNEL = "outbox"
REST_SECONDS = 0.02
"""Appends within this time are told together: PostgreSQL lets one transaction with a notification commit at a time."""


async def tell(connection: Connection | Pool) -> None:
    """Wakes every relay of this database."""
    await connection.execute("SELECT pg_notify($1, '')", CHANNEL)


async def announcing(store: Store) -> Never:
    """Tells of what this process appends, in one that has no relay itself. Never ends."""

    async def run() -> None:
        while True:
            await store.appended.wait()
            store.appended.taken()
            await tell(store.pool)
            await asyncio.sleep(REST_SECONDS)

    await restarting(f"announcer of {store.service}", run)
