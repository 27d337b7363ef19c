"""Claims due mails, sends them with no transaction open, and records what came of it."""

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import Never
from uuid import UUID

from services.notify.sending import claims
from services.notify.sending.attempt import Attempts
from services.notify.sending.backoff import ServerBackoff
from services.notify.sending.claims import LEASE_SECONDS, Claimed, Pause, PutBack
from services.notify.sending.domain_queues import DomainQueues
from services.notify.sending.outcomes import Outcome, OutcomeRecorder
from services.notify.sending.queue_monitor import QueueMonitor
from services.notify.sending.transports.transport import Transport
from services.notify.writing.dkim import Signer
from services.notify.writing.mail_encoder import MailEncoder
from services.notify.writing.message import size_of_files
from shared.blobs.store import BlobStore
from shared.eventstore.store import Store
from shared.runtime.heartbeat import Heartbeat
from shared.runtime.supervision import supervise
from shared.runtime.waiting import set_within
from shared.telemetry.trace import about_ticket
from shared.telemetry.tracing import span

log = logging.getLogger(__name__)

MOST_HELD = 512
CLAIM_BATCH = 64
HEAVY_BYTES = 1024 * 1024
MOST_HEAVY = 2
"""Mails with more bytes of files that are sent at a time: each stands in memory several times while it is encoded
and sent."""
POLL_SECONDS = 2.0
RECORD_SECONDS = 0.05
"""Outcomes that come in within this time are recorded together."""
RECORD_PULSE_SECONDS = 15.0
RENEW_SECONDS = LEASE_SECONDS / 3
DRAIN_SECONDS = 2.0


@dataclass(slots=True)
class _Held:
    """A mail from its claim until its outcome is recorded, and when its lease ends (of the monotonic clock)."""

    claimed: Claimed
    leased_until: float


class Sender:
    """Several senders may run side by side.

    A mail leaves twice only if a sender dies, or loses its database for the length of a lease, between the server's
    reply and the record. The repeat then has the same Message-ID.
    """

    def __init__(
        self, store: Store, transport: Transport, blobs: BlobStore | None = None, signer: Signer | None = None
    ) -> None:
        self.store, self.transport = store, transport
        self.server = ServerBackoff(time.monotonic)
        self.recorder = OutcomeRecorder(store, transport.name)
        self.monitor = QueueMonitor(store, self.recorder, self.server)
        self._queues: DomainQueues[Claimed] = DomainQueues(transport.parallel, transport.limits, time.monotonic)
        encoder = MailEncoder(blobs, signer)
        self._attempts = Attempts(store.pool, transport, encoder, self._queues, self.server, self.wake)
        self._woken = asyncio.Event()
        self._finished = asyncio.Event()
        self._record_pulse, self._renew_pulse = Heartbeat(), Heartbeat()
        self.heartbeat = Heartbeat(self._record_pulse, self._renew_pulse, self.monitor.heartbeat)
        self._heavy = 0
        self._held: dict[UUID, _Held] = {}
        self._sending: set[asyncio.Task[None]] = set()
        self._outcomes: list[Outcome] = []
        self._pauses: list[Pause] = []

    def wake(self) -> None:
        """There may be something to send."""
        self._woken.set()

    async def run(self) -> Never:
        """Outcomes that are not recorded yet survive a restart of the loops, so that their mails are not sent again."""
        await supervise("sender", self._serve, self.heartbeat)

    async def _serve(self) -> None:
        if self._outcomes:
            self._finished.set()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._claim_loop())
                group.create_task(self._record_loop())
                group.create_task(self._renew_loop())
                group.create_task(self.monitor.run())
        except asyncio.CancelledError:
            await self._drain()
            raise

    async def _claim_loop(self) -> None:
        while True:
            self._woken.clear()
            self._pauses = await claims.pauses(self.store.pool)
            self._put_back_hindered()
            most = self._room()
            until = time.monotonic() + LEASE_SECONDS
            closed = self._queues.closed()
            held = set(self._held)
            claimed = await claims.claim(self.store.pool, self.store.service, most, closed) if most else []
            for each in claimed:
                if each.request.notification in held:
                    # Its lease ran out while the database was away; the attempt here ends first. If it has ended while
                    # the claim was on its way, its outcome is recorded, or the mail waits for the next claim.
                    if each.request.notification not in self._held:
                        self._outcomes.append(PutBack(each, 0.0, ""))
                        self._finished.set()
                    continue
                self._held[each.request.notification] = _Held(each, until)
                self._queues.put(each.domain, each)
            self._start()
            self.heartbeat.beat()
            if claimed and len(claimed) == most:
                continue
            if not await set_within(self._woken, self._poll_delay()):
                self._queues.drop_idle()
                await self.transport.close_idle()

    def _room(self) -> int:
        """How many more mails may be claimed: none during a backoff of the server, and a single one after it."""
        if self.server.left() > 0:
            return 0
        room = MOST_HELD - len(self._held)
        return min(room, CLAIM_BATCH) if not self.server.unavailable else min(room, int(not self._held))

    def _poll_delay(self) -> float:
        """Seconds until the next claim if nobody wakes us."""
        server = self.server.left()
        waits = [POLL_SECONDS, self._queues.until_next(), server if server > 0 else None]
        return max(0.01, min(each for each in waits if each is not None))

    def _put_back_hindered(self) -> None:
        """Gives back mails that wait here and may not be sent now; nothing counts against them."""
        server = self.server.left()
        for each in self._queues.withdraw(lambda claimed: server > 0 or self._hindrance(claimed) is not None):
            delay, reason = self._hindrance(each) or (server, self.server.reason)
            self._finish(PutBack(each, delay, reason))

    def _hindrance(self, claimed: Claimed) -> tuple[float, str] | None:
        """For how many seconds a mail may not be sent, and why."""
        if not claimed.despite_pause and (pause := claims.paused(claimed, self._pauses)) is not None:
            return 0.0, pause
        backoff = self._queues.backoff_left(claimed.domain)
        return (backoff, f"a server throttles mail to {claimed.domain}") if backoff else None

    def _start(self) -> None:
        """Starts all attempts that may start now."""
        if self.server.left() > 0:
            return
        while (claimed := self._queues.start(self._fits)) is not None:
            self._heavy += _is_heavy(claimed)
            task = asyncio.create_task(self._send(claimed))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    def _fits(self, claimed: Claimed) -> bool:
        return self._heavy < MOST_HEAVY or not _is_heavy(claimed)

    async def _send(self, claimed: Claimed) -> None:
        held = self._held.get(claimed.request.notification)
        expired = held is None or time.monotonic() > held.leased_until
        try:
            if expired:
                return  # this process stood still: another sender may have claimed the mail by now
            with (
                about_ticket(claimed.event.stream),
                span(
                    "notify send",
                    kind="client",
                    traceparent=claimed.event.traceparent,
                    ticket=str(claimed.event.stream),
                ),
            ):
                self._finish(await self._attempts.attempt(claimed))
        finally:
            self._heavy -= _is_heavy(claimed)
            self._queues.finish(claimed.domain)
            if expired:
                self._release(claimed)
            self._start()

    async def _renew_loop(self) -> None:
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            held = list(self._held.values())
            until = time.monotonic() + LEASE_SECONDS
            await claims.renew(self.store.pool, [each.claimed for each in held])
            for each in held:
                each.leased_until = until
            self._renew_pulse.beat()

    def _finish(self, outcome: Outcome) -> None:
        self._outcomes.append(outcome)
        self._finished.set()

    async def _record_loop(self) -> None:
        while True:
            if await set_within(self._finished, RECORD_PULSE_SECONDS):
                await asyncio.sleep(RECORD_SECONDS)
                self._finished.clear()
                await self._record_all()
            self._record_pulse.beat()

    async def _record_all(self) -> None:
        """Records all outcomes together. If that fails, they are kept."""
        batch = list(self._outcomes)
        if not batch:
            return
        await self.recorder.record(batch)
        del self._outcomes[: len(batch)]
        was_full = len(self._held) >= MOST_HELD or bool(self._queues.closed())
        for each in batch:
            self._release(each.claimed)
        if was_full:
            self._woken.set()

    def _release(self, claimed: Claimed) -> None:
        if self._held.pop(claimed.request.notification, None) is not None:
            self._queues.release(claimed.domain)

    async def _drain(self) -> None:
        """The process ends: attempts get a moment to end, their outcomes are recorded, and all other mails are given
        back."""
        self._outcomes += [PutBack(each, 0.0, "") for each in self._queues.withdraw(lambda _: True)]
        if self._sending:
            await asyncio.wait(set(self._sending), timeout=DRAIN_SECONDS)
        for task in set(self._sending):
            task.cancel()
        try:
            async with asyncio.timeout(1):
                await self._record_all()
        except Exception as error:
            log.warning("%d outcomes of mails are not recorded: %s", len(self._outcomes), type(error).__name__)
        await self.transport.close()


def _is_heavy(claimed: Claimed) -> bool:
    return size_of_files(claimed.request.mail) > HEAVY_BYTES
