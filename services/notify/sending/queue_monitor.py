"""Watches the queue as a whole: its metrics, and mails that have waited for long."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Never

from prometheus_client import Gauge

from services.notify.sending import claims, deliveries
from services.notify.sending.backoff import ServerBackoff
from services.notify.sending.claims import Claimed, Pause
from services.notify.sending.outcomes import OutcomeRecorder
from shared.eventstore.store import Store
from shared.runtime.heartbeat import Heartbeat

WAITING = Gauge("ledgerdesk_outgoing_waiting", "Mails that have not left yet")
OLDEST = Gauge("ledgerdesk_outgoing_oldest_seconds", "Age of the oldest mail that has not left yet")
PAUSED = Gauge("ledgerdesk_outgoing_pauses", "Pauses of outgoing mail that administrators have made")
SERVER_AWAY = Gauge("ledgerdesk_outgoing_server_away", "1 while nobody takes outgoing mail")

LOOK_SECONDS = 15.0
LATE_SECONDS = 900.0
"""A mail that has waited for so long is recorded as delayed on its ticket, even if it was never tried."""


class QueueMonitor:
    def __init__(self, store: Store, recorder: OutcomeRecorder, server: ServerBackoff) -> None:
        self.store, self.recorder, self.server = store, recorder, server
        self.heartbeat = Heartbeat()

    async def run(self) -> Never:
        while True:
            waiting, oldest = await deliveries.waiting(self.store.pool)
            pauses = await claims.pauses(self.store.pool)
            WAITING.set(waiting)
            OLDEST.set(oldest)
            PAUSED.set(len(pauses))
            SERVER_AWAY.set(self.server.unavailable)
            if oldest > LATE_SECONDS:
                await self.recorder.record_late(LATE_SECONDS, partial(self._reason, pauses))
            self.heartbeat.beat()
            await asyncio.sleep(LOOK_SECONDS)

    def _reason(self, pauses: Sequence[Pause], claimed: Claimed, error: str) -> str:
        return claims.paused(claimed, pauses) or error or self.server.reason or "it waits in the queue"
