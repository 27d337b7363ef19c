"""Takes due mails, sends them with no transaction open, and records what came of it (architecture, section 6)."""

import asyncio
import logging
import random
import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Never
from uuid import UUID

from prometheus_client import Counter

from services.notify import deliveries, ticket
from services.notify.commands import RecordDelayed, RecordFailed, RecordSent
from services.notify.deliveries import LEASE_SECONDS, Claimed, Postponed
from services.notify.message import MOST_BYTES, Letter, Unsendable, encoded, letter, sized
from services.notify.signing import Signer
from services.notify.transports.transport import PermanentFailure, Taken, TemporaryFailure, Transport
from shared.blobs.store import BlobMissing, BlobStore, BlobStoreUnavailable
from shared.contracts.envelope import Actor
from shared.contracts.notify import OutgoingMail
from shared.contracts.parts import Attachment
from shared.contracts.rejected import Rejected
from shared.eventstore.errors import VersionConflict
from shared.eventstore.store import Append, Context, NewEvent, Store, utc_now
from shared.messaging.restart import restarting
from shared.telemetry.trace import about_ticket
from shared.telemetry.tracing import span
from shared.testing.failpoints import hit
from shared.wakeup import woken

log = logging.getLogger(__name__)

_ADDRESS = re.compile(r"\S+@\S+")
"""What a log may not hold; the event and the row do."""

OUTCOMES = Counter(
    "ledgerdesk_notify_attempts_total", "Attempts to send a mail, by what came of them", ["transport", "outcome"]
)

HOUR = 3_600
PAUSES = (1, 5, 30, 120, 600, HOUR, 2 * HOUR, 4 * HOUR, 8 * HOUR, 8 * HOUR, *(12 * HOUR,) * 8)
"""Seconds after each attempt that a server put off; after the last one, about five days, the mail is given up (RFC 5321, section
4.5.4.1)."""
LATE_AFTER = 6
"""Attempts after which the desk is told that a mail is late: a quarter of an hour has passed, and the next attempt is in an hour."""
MOST_ATTEMPTS = 4 * len(PAUSES)
"""Attempts without any outcome count too: a mail that takes its sender down with it ends here."""
MOST_HELD = 128
HEAVY_BYTES = 1024 * 1024
HEAVY_AT_ONCE = 2
"""A mail with more bytes of files stands in memory several times while it is made and sent: so many at a time, whatever else goes on."""
POLL_SECONDS = 2.0
RECORD_SECONDS = 0.05
"""Outcomes that come in within this time are recorded together."""
RENEW_SECONDS = LEASE_SECONDS / 3
SEND_SECONDS = 300.0
DRAIN_SECONDS = 2.0
CONFLICTS = 5


@dataclass(frozen=True, slots=True)
class Settled:
    """An attempt that ended the matter, or is to be told of."""

    claimed: Claimed
    command: RecordSent | RecordDelayed | RecordFailed
    at: datetime


Outcome = Settled | Postponed


class Sender:
    """One of any number of senders side by side. A mail leaves twice only if a sender dies, or is cut off from its database for the
    length of a lease, between the server's yes and the record; the repeat then has the same Message-ID."""

    def __init__(
        self, store: Store, transport: Transport, blobs: BlobStore | None = None, signer: Signer | None = None
    ) -> None:
        self.store, self.transport, self.blobs, self.signer = store, transport, blobs, signer
        self._woken = asyncio.Event()
        self._finished = asyncio.Event()
        self._slots = asyncio.Semaphore(transport.parallel)
        self._heavy = asyncio.Semaphore(HEAVY_AT_ONCE)
        self._held: dict[UUID, Claimed] = {}
        self._leased_until: dict[UUID, float] = {}
        self._sending: set[asyncio.Task[None]] = set()
        self._outcomes: list[Outcome] = []

    def wake(self) -> None:
        """There may be something to send."""
        self._woken.set()

    async def run(self) -> Never:
        """Never ends by itself. What is known of mails that left survives a restart of the loop, so that it is not sent again."""
        await restarting("sender", self._serve)

    async def _serve(self) -> None:
        if self._outcomes:
            self._finished.set()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._claiming())
                group.create_task(self._recording())
                group.create_task(self._renewing())
        except asyncio.CancelledError:
            await self._drain()
            raise

    async def _claiming(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._woken.clear()
            free = MOST_HELD - len(self._held)
            until = loop.time() + LEASE_SECONDS
            claimed = await deliveries.claim(self.store.pool, self.store.service, free) if free else []
            for each in claimed:
                self._held[each.request.notification] = each
                self._leased_until[each.request.notification] = until
                task = asyncio.create_task(self._send(each))
                self._sending.add(task)
                task.add_done_callback(self._sending.discard)
            if claimed and len(claimed) == free:
                continue
            if not await woken(self._woken, POLL_SECONDS):
                await self.transport.rest()

    async def _renewing(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            held = list(self._held.values())
            until = loop.time() + LEASE_SECONDS
            await deliveries.renew(self.store.pool, held)
            self._leased_until |= {
                each.request.notification: until for each in held if each.request.notification in self._held
            }

    async def _send(self, claimed: Claimed) -> None:
        notification = claimed.request.notification
        async with self._room(claimed.request.mail), self._slots:
            if asyncio.get_running_loop().time() > self._leased_until[notification]:
                self._release(notification)  # this process stood still: somebody else has the mail by now
                return
            with (
                about_ticket(claimed.event.stream),
                span(
                    "notify send",
                    kind="client",
                    traceparent=claimed.event.traceparent,
                    ticket=str(claimed.event.stream),
                ),
            ):
                outcome = await self._attempt(claimed)
        self._outcomes.append(outcome)
        self._finished.set()

    def _room(self, mail: OutgoingMail) -> AbstractAsyncContextManager[object]:
        return self._heavy if sized(mail) > HEAVY_BYTES else nullcontext()

    async def _attempt(self, claimed: Claimed) -> Outcome:
        if claimed.attempts > MOST_ATTEMPTS:
            return self._failed(claimed, f"given up after {claimed.attempts} attempts")
        try:
            made = await self._letter(claimed)
            async with asyncio.timeout(SEND_SECONDS):
                taken = await self.transport.send(made, again=claimed.attempts > 1)
            hit("notify.after_send")
        except (Unsendable, PermanentFailure) as error:
            return self._failed(claimed, str(error))
        except (TemporaryFailure, BlobStoreUnavailable) as error:
            return self._later(claimed, str(error))
        except BlobMissing:
            return self._later(
                claimed, f"{'the mail' if claimed.request.mail.resent else 'an attachment'} is not in the blob store"
            )
        except TimeoutError:
            return self._later(claimed, f"no end after {SEND_SECONDS:.0f} s")
        except Exception as error:  # ours to mend; the mail waits for the mended version
            log.exception("a mail could not be tried")
            return self._later(claimed, type(error).__name__)
        return self._settled(claimed, taken)

    async def _letter(self, claimed: Claimed) -> Letter:
        mail = claimed.request.mail
        if mail.resent is not None:
            # Somebody else's mail keeps the signature that it came with; ours would vouch for their words.
            original = await self._blobs().get(mail.resent.sha256)
            return letter(claimed.request.notification, mail, claimed.event.time, (), claimed.remaining, original)
        if not mail.attachments:
            return self._written(claimed, ())
        if sized(mail) > MOST_BYTES:
            raise Unsendable(
                f"its files have {sized(mail) / 2**20:.1f} MiB together, and a mail takes {MOST_BYTES / 2**20:.0f}"
            )
        files = [(attachment, await self._content(attachment)) for attachment in mail.attachments]
        return await asyncio.to_thread(self._written, claimed, files)

    def _written(self, claimed: Claimed, files: Sequence[tuple[Attachment, bytes]]) -> Letter:
        request, date = claimed.request, claimed.event.time
        made = letter(request.notification, request.mail, date, files, claimed.remaining)
        return made if self.signer is None else replace(made, content=self.signer.signed(made.content, date))

    def _blobs(self) -> BlobStore:
        if self.blobs is None:
            raise BlobStoreUnavailable("no blob store is configured (LEDGERDESK_BLOB_URL)")
        return self.blobs

    async def _content(self, attachment: Attachment) -> bytes:
        return await encoded(await self._blobs().stream(attachment.blob.sha256))

    def _settled(self, claimed: Claimed, taken: Taken) -> Outcome:
        """Sent when everybody's server took it. Whoever was refused for good is told as a failure once all others have it."""
        refused = _joined(claimed.refused, taken.never)
        if taken.later:
            if claimed.attempts <= len(PAUSES):
                return self._later(claimed, _joined("", taken.later), tuple(taken.later), refused)
            refused = _joined(refused, taken.later)
        if refused:
            return self._failed(claimed, refused)
        OUTCOMES.labels(self.transport.name, "sent").inc()
        return Settled(
            claimed, RecordSent(claimed.request.notification, self.transport.name, claimed.attempts), utc_now()
        )

    def _later(
        self, claimed: Claimed, error: str, remaining: tuple[str, ...] | None = None, refused: str | None = None
    ) -> Outcome:
        if claimed.attempts > len(PAUSES):
            return self._failed(claimed, error)
        OUTCOMES.labels(self.transport.name, "postponed").inc()
        log.warning("a mail waits for attempt %d: %s", claimed.attempts + 1, _ADDRESS.sub("<address>", error))
        return Postponed(
            claimed,
            PAUSES[claimed.attempts - 1] * random.uniform(0.8, 1.2),
            error,
            claimed.remaining if remaining is None else remaining,
            claimed.refused if refused is None else refused,
            utc_now(),
        )

    def _failed(self, claimed: Claimed, reason: str) -> Outcome:
        OUTCOMES.labels(self.transport.name, "failed").inc()
        command = RecordFailed(claimed.request.notification, self.transport.name, claimed.attempts, reason)
        return Settled(claimed, command, utc_now())

    async def _recording(self) -> None:
        while True:
            await self._finished.wait()
            await asyncio.sleep(RECORD_SECONDS)
            self._finished.clear()
            await self._record_all()

    async def _record_all(self) -> None:
        """Records what is known in one transaction; what fails stays known."""
        batch = list(self._outcomes)
        if not batch:
            return
        await self._record(batch)
        del self._outcomes[: len(batch)]
        was_full = len(self._held) >= MOST_HELD
        for each in batch:
            self._release(each.claimed.request.notification)
        if was_full:
            self._woken.set()

    async def _record(self, batch: Sequence[Outcome]) -> None:
        """A conflict means that another event of a ticket came in between: decide again on the newer state."""
        for _ in range(CONFLICTS):
            try:
                await self._transaction(batch)
                return
            except VersionConflict:
                continue
        await self._transaction(batch)

    async def _transaction(self, batch: Sequence[Outcome]) -> None:
        settled = [each for each in batch if isinstance(each, Settled)]
        postponed = [each for each in batch if isinstance(each, Postponed)]
        told = [*settled, *(self._late(each) for each in postponed if each.claimed.attempts >= LATE_AFTER)]
        async with self.store.pool.acquire() as connection, connection.transaction():
            histories = await self.store.load_many([each.claimed.event.stream for each in told], connection=connection)
            states: dict[UUID, tuple[ticket.Ticket, int]] = {}
            for stream, history in histories.items():
                state = ticket.initial()
                for past in history:
                    state = ticket.evolve(state, past.payload)
                states[stream] = (state, len(history))
            appends = [append for each in told for append in self._decided(each, states)]
            if appends:
                await self.store.append(appends, connection=connection)
            if settled:
                await deliveries.done(connection, [each.claimed.request.notification for each in settled])
            await deliveries.postpone(connection, postponed)
        self.store.appended.set()

    def _late(self, each: Postponed) -> Settled:
        notification, attempts = each.claimed.request.notification, each.claimed.attempts
        command = RecordDelayed(notification, self.transport.name, attempts, each.error)
        return Settled(each.claimed, command, each.at)

    def _decided(self, settled: Settled, states: dict[UUID, tuple[ticket.Ticket, int]]) -> list[Append]:
        cause = settled.claimed.event
        state, version = states[cause.stream]
        try:
            events = ticket.decide(settled.command, state)
        except Rejected as refusal:
            log.error("the outcome of a mail is not recorded: %s", refusal.reason, extra={"ticket": str(cause.stream)})
            return []
        if not events:
            return []
        for event in events:
            state = ticket.evolve(state, event)
        states[cause.stream] = (state, version + len(events))
        context = Context(
            actor=Actor("service", self.store.service),
            correlation_id=cause.correlation_id,
            causation_id=cause.id,
            traceparent=cause.traceparent,
            time=settled.at,
        )
        return [Append(cause.stream, "ticket", version, tuple(NewEvent(event) for event in events), context)]

    def _release(self, notification: UUID) -> None:
        self._held.pop(notification, None)
        self._leased_until.pop(notification, None)

    async def _drain(self) -> None:
        """The process is ending: mails on their way get a moment to arrive, and what arrived is recorded."""
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


def _joined(before: str, refused: Mapping[str, str]) -> str:
    """What servers said of recipients, one after the other."""
    return "; ".join([*([before] if before else []), *(f"{who}: {said}" for who, said in refused.items())])
