"""Tells relays in other processes that there are rows in the outbox (docs/decisions/0064). Without it they look every two seconds."""

import asyncio
from typing import Never

from shared.database import Connection, Pool
from shared.eventstore.store import Store
from shared.runtime.heartbeat import Heartbeat
from shared.runtime.supervision import supervise
from shared.runtime.waiting import set_within

CHANNEL = "outbox"
LOOK_SECONDS = 30.0
REST_SECONDS = 0.02
"""Appends within this time are told together: PostgreSQL lets one transaction with a notification commit at a time."""


async def tell(connection: Connection | Pool) -> None:
    """Wakes every relay of this database."""
    await connection.execute("SELECT pg_notify($1, '')", CHANNEL)


class Announcer:
    """Tells of what this process appends, in one that has no relay itself."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.heartbeat = Heartbeat()

    async def run(self) -> Never:
        """Never ends by itself."""
        await supervise(f"announcer of {self.store.service}", self._serve, self.heartbeat)

    async def _serve(self) -> None:
        while True:
            if await set_within(self.store.appended, LOOK_SECONDS):
                self.store.appended.taken()
                await tell(self.store.pool)
                await asyncio.sleep(REST_SECONDS)
            self.heartbeat.beat()
