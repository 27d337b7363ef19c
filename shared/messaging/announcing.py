"""Notifies relays in other processes of new rows in the outbox (docs/decisions/0064).

Without a notification they look every two seconds.
"""

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
"""Appends within this time share a notification. PostgreSQL commits transactions with notifications one at a time."""


async def notify_relays(connection: Connection | Pool) -> None:
    """Wakes up every relay of this database."""
    await connection.execute("SELECT pg_notify($1, '')", CHANNEL)


class Announcer:
    """Notifies relays of what this process appends, for a process without a relay."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.heartbeat = Heartbeat()

    async def run(self) -> Never:
        """Runs until it is cancelled."""
        await supervise(f"announcer of {self.store.service}", self._serve, self.heartbeat)

    async def _serve(self) -> None:
        while True:
            if await set_within(self.store.appended, LOOK_SECONDS):
                self.store.appended.take()
                await notify_relays(self.store.pool)
                await asyncio.sleep(REST_SECONDS)
            self.heartbeat.beat()
