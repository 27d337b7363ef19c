"""Takes due mails, sends them with no transaction open, and records what came of it (architecture, section 6)."""

import asyncio
import logging
import random
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Never
from uuid import UUID

from prometheus_client import Counter, Gauge

from services.notify import ticket
from services.notify.sending import deliveries
from services.notify.sending.at_sending import allowed
from services.notify.sending.deliveries import LEASE_SECONDS, Claimed, Pause, Postponed, PutBack
from services.notify.sending.lanes import Lanes
from services.notify.sending.transports.transport import Away, PermanentFailure, Taken, TemporaryFailure, Transport
from services.notify.ticket.commands import Command, RecordDelayed, RecordFailed, RecordSent, RecordWithheld
from services.notify.writing.message import MOST_BYTES, Letter, Unsendable, encoded, letter, sized
from services.notify.writing.signing import Signer
from shared.addresses import comparable
from shared.blobs.store import BlobMissing, BlobStore, BlobStoreUnavailable
from shared.contracts.envelope import Actor
from shared.contracts.parts import Attachment
from shared.eventstore.runner import CommandRunner, until_recorded
from shared.eventstore.store import Context, Store, utc_now
from shared.eventstore.unit_of_work import UnitOfWork
from shared.rules.rejected import Rejected
from shared.runtime.heartbeat import Heartbeat
from shared.runtime.supervision import supervise
from shared.runtime.waiting import set_within
from shared.telemetry.trace import about_ticket
from shared.telemetry.tracing import span
from shared.testing.failpoints import hit

log = logging.getLogger(__name__)

_ADDRESS = re.compile(r"\S+@\S+")
"""What a log may not hold; the event and the row do."""

OUTCOMES = Counter(
    "ledgerdesk_notify_attempts_total", "Attempts to send a mail, by what came of them", ["transport", "outcome"]
)
WAITING = Gauge("ledgerdesk_outgoing_waiting", "Mails that have not left yet")
OLDEST = Gauge("ledgerdesk_outgoing_oldest_seconds", "Age of the oldest mail that has not left yet")
PAUSED = Gauge("ledgerdesk_outgoing_pauses", "Pauses of outgoing mail that administrators have made")
SERVER_AWAY = Gauge("ledgerdesk_outgoing_server_away", "1 while nobody takes outgoing mail")

HOUR = 3_600
PAUSES = (1, 5, 30, 120, 600, HOUR, 2 * HOUR, 4 * HOUR, 8 * HOUR, 8 * HOUR, *(12 * HOUR,) * 8)
"""Seconds after each attempt that a server put off; after the last one, about five days, the mail is given up (RFC 5321, section
4.5.4.1)."""
LATE_AFTER = 6
"""Attempts after which the desk is told that a mail is late: a quarter of an hour has passed, and the next attempt is in an hour."""
MOST_ATTEMPTS = 4 * len(PAUSES)
"""Attempts without any outcome count too: a mail that takes its sender down with it ends here."""
MOST_HELD = 512
CLAIM_AT_ONCE = 64
LATE_SECONDS = 900.0
"""A mail that has waited for so long is told on its ticket, tried or not."""
LOOK_SECONDS = 15.0
"""Between looks at the queue as a whole: for what is late, and for the metrics."""
AWAY = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
"""Seconds between looks whether a mail server that is away has come back; one mail at a time asks."""
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
    """An attempt that ended the matter, or is to be told of; `withheld` from some, where others were sent it."""

    claimed: Claimed
    command: RecordSent | RecordWithheld | RecordDelayed | RecordFailed
    at: datetime
    withheld: RecordWithheld | None = None


Outcome = Settled | Postponed | PutBack


class Sender:
    """One of any number of senders side by side. A mail leaves twice only if a sender dies, or is cut off from its database for the
    length of a lease, between the server's yes and the record; the repeat then has the same Message-ID."""

    def __init__(
        self, store: Store, transport: Transport, blobs: BlobStore | None = None, signer: Signer | None = None
    ) -> None:
        self.store, self.transport, self.blobs, self.signer = store, transport, blobs, signer
        self.runner = CommandRunner(store, "ticket", ticket)
        self._woken = asyncio.Event()
        self._finished = asyncio.Event()
        self._records, self._renewals, self._looks = loops = (Heartbeat(), Heartbeat(), Heartbeat())
        self.heartbeat = Heartbeat(*loops)
        self._lanes: Lanes[Claimed] = Lanes(transport.parallel, transport.limits, time.monotonic)
        self._heavy = 0
        self._held: dict[UUID, Claimed] = {}
        self._leased_until: dict[UUID, float] = {}
        self._sending: set[asyncio.Task[None]] = set()
        self._outcomes: list[Outcome] = []
        self._pauses: list[Pause] = []
        self._away_for = 0
        self._away_until = 0.0
        self._away_because = ""

    def wake(self) -> None:
        """There may be something to send."""
        self._woken.set()

    @property
    def away(self) -> bool:
        """Whether nobody took mails when it was last tried."""
        return self._away_for > 0

    async def run(self) -> Never:
        """Never ends by itself. What is known of mails that left survives a restart of the loop, so that it is not sent again."""
        await supervise("sender", self._serve, self.heartbeat)

    async def _serve(self) -> None:
        if self._outcomes:
            self._finished.set()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._claiming())
                group.create_task(self._recording())
                group.create_task(self._renewing())
                group.create_task(self._looking())
        except asyncio.CancelledError:
            await self._drain()
            raise

    async def _claiming(self) -> None:
        while True:
            self._woken.clear()
            self._pauses = await deliveries.pauses(self.store.pool)
            self._put_back_what_must_wait()
            most = self._room()
            until = time.monotonic() + LEASE_SECONDS
            full = self._lanes.full()
            claimed = await deliveries.claim(self.store.pool, self.store.service, most, full) if most else []
            for each in claimed:
                if each.request.notification in self._held:
                    continue  # its lease ran out while the database was away; what is known of it here ends first
                self._held[each.request.notification] = each
                self._leased_until[each.request.notification] = until
                self._lanes.put(each.domain, each)
            self._start()
            self.heartbeat.beat()
            if claimed and len(claimed) == most:
                continue
            if not await set_within(self._woken, self._patience()):
                self._lanes.forget_old()
                await self.transport.rest()

    def _room(self) -> int:
        """How many more mails may be claimed: none while nobody takes any, and then a single one that asks."""
        if time.monotonic() < self._away_until:
            return 0
        room = MOST_HELD - len(self._held)
        return min(room, CLAIM_AT_ONCE) if not self._away_for else min(room, int(not self._held))

    def _patience(self) -> float:
        """Seconds until the next look at the queue if nobody wakes us."""
        now = time.monotonic()
        waits = [POLL_SECONDS, self._lanes.until_next(), self._away_until - now if self._away_until > now else None]
        return max(0.01, min(each for each in waits if each is not None))

    def _start(self) -> None:
        """Sends whatever may go now."""
        if time.monotonic() < self._away_until:
            return
        while (claimed := self._lanes.start(self._fits)) is not None:
            heavy = _is_heavy(claimed)
            self._heavy += heavy
            task = asyncio.create_task(self._send(claimed))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    def _fits(self, claimed: Claimed) -> bool:
        return self._heavy < HEAVY_AT_ONCE or not _is_heavy(claimed)

    def _put_back_what_must_wait(self) -> None:
        """What was claimed and has been paused since, or goes where patience was asked for, is given back; nothing counts against it."""
        away = self._away_until - time.monotonic()
        for each in self._lanes.withdrawn(lambda claimed: away > 0 or self._hindered(claimed) is not None):
            pause, reason = self._hindered(each) or (away, self._away_because)
            self._outcomes.append(PutBack(each, pause, reason))
            self._finished.set()

    def _hindered(self, claimed: Claimed) -> tuple[float, str] | None:
        """For how long a mail that waits for its turn may not have it, and why."""
        if not claimed.despite_pause and (pause := _paused(claimed, self._pauses)) is not None:
            return 0.0, pause
        cooling = self._lanes.cooling(claimed.domain)
        return (cooling, f"a server asked for patience with {claimed.domain}") if cooling else None

    async def _looking(self) -> None:
        """Has the tickets told of mails that wait for long, and says what the queue looks like."""
        while True:
            waiting, oldest = await deliveries.waiting(self.store.pool)
            self._pauses = await deliveries.pauses(self.store.pool)
            WAITING.set(waiting)
            OLDEST.set(oldest)
            PAUSED.set(len(self._pauses))
            SERVER_AWAY.set(self.away)
            if oldest > LATE_SECONDS:
                await self._tell_late()
            self._looks.beat()
            await asyncio.sleep(LOOK_SECONDS)

    async def _tell_late(self) -> None:
        async with self.runner.transaction() as (connection, unit):
            found = await deliveries.late(connection, self.store, LATE_SECONDS)
            told = [self._late(claimed, self._why_late(claimed, error), utc_now()) for claimed, error in found]
            await self._decide(unit, told)
            await deliveries.told_late(connection, [each.claimed.request.notification for each in told])

    def _why_late(self, claimed: Claimed, error: str) -> str:
        return _paused(claimed, self._pauses) or error or self._away_because or "it waits for its turn"

    async def _renewing(self) -> None:
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            held = list(self._held.values())
            until = time.monotonic() + LEASE_SECONDS
            await deliveries.renew(self.store.pool, held)
            self._leased_until |= {
                each.request.notification: until for each in held if each.request.notification in self._held
            }
            self._renewals.beat()

    async def _send(self, claimed: Claimed) -> None:
        stale = time.monotonic() > self._leased_until.get(claimed.request.notification, 0.0)
        try:
            if stale:
                return  # this process stood still: somebody else has the mail by now
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
        finally:
            self._heavy -= _is_heavy(claimed)
            self._lanes.ended(claimed.domain)
            if stale:
                self._release(claimed)
            self._start()

    async def _attempt(self, claimed: Claimed) -> Outcome:
        if claimed.counted > MOST_ATTEMPTS:
            return self._failed(claimed, f"given up after {claimed.attempts} attempts")
        try:
            claimed, withheld = await allowed(self.store.pool, claimed)
            if withheld is not None and not withheld.partly:
                OUTCOMES.labels(self.transport.name, "withheld").inc()
                return Settled(claimed, withheld, utc_now())
            made = await self._letter(claimed)
            async with asyncio.timeout(SEND_SECONDS):
                taken = await self.transport.send(made, again=claimed.attempts > 1)
            hit("notify.after_send")
        except Away as error:
            return self._unreached(claimed, str(error), self._server_is_away(str(error)))
        except BlobStoreUnavailable as error:
            return self._unreached(claimed, str(error), PAUSES[min(claimed.unreached, LATE_AFTER - 2)])
        except Unsendable as error:
            return self._failed(claimed, str(error))
        except PermanentFailure as error:
            self._somebody_answers()
            return self._failed(claimed, str(error))
        except TemporaryFailure as error:
            self._somebody_answers()
            if error.patience:
                self._slow_down(_domain(error.recipient) if error.recipient else claimed.domain)
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
        self._somebody_answers()
        for who in taken.patience:
            self._slow_down(_domain(who))
        if not taken.later and not taken.never:
            self._lanes.went_well(claimed.domain)
        settled = self._settled(claimed, taken)
        return replace(settled, withheld=withheld) if isinstance(settled, Settled) else settled

    def _server_is_away(self, error: str) -> float:
        """Nobody takes mails: all wait. Answers how many seconds until the next one asks. Several that were on their way count as one."""
        now = time.monotonic()
        if now >= self._away_until:
            self._away_for += 1
            self._away_until = now + AWAY[min(self._away_for, len(AWAY)) - 1]
            self._away_because = error
            log.warning("nobody takes mails: %s", _ADDRESS.sub("<address>", error))
            self._woken.set()
        return self._away_until - now

    def _somebody_answers(self) -> None:
        if self._away_for:
            self._away_for, self._away_until, self._away_because = 0, 0.0, ""
            self._woken.set()

    def _slow_down(self, domain: str) -> None:
        seconds = self._lanes.slow_down(domain)
        log.warning("%s is left alone for %.0f s: a server asked for patience", domain, seconds)
        self._woken.set()

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
            if claimed.counted <= len(PAUSES):
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
        if claimed.counted > len(PAUSES):
            return self._failed(claimed, error)
        OUTCOMES.labels(self.transport.name, "postponed").inc()
        log.warning("a mail waits for attempt %d: %s", claimed.attempts + 1, _ADDRESS.sub("<address>", error))
        return Postponed(
            claimed,
            PAUSES[claimed.counted - 1] * random.uniform(0.8, 1.2),
            error,
            claimed.remaining if remaining is None else remaining,
            claimed.refused if refused is None else refused,
            utc_now(),
            late=claimed.counted >= LATE_AFTER,
        )

    def _unreached(self, claimed: Claimed, error: str, pause: float) -> Outcome:
        """What does not lie in the mail does not count against it: it waits for as long as that takes."""
        OUTCOMES.labels(self.transport.name, "unreached").inc()
        return Postponed(claimed, pause, error, claimed.remaining, claimed.refused, utc_now(), unreached=True)

    def _failed(self, claimed: Claimed, reason: str) -> Outcome:
        OUTCOMES.labels(self.transport.name, "failed").inc()
        command = RecordFailed(claimed.request.notification, self.transport.name, claimed.attempts, reason)
        return Settled(claimed, command, utc_now())

    async def _recording(self) -> None:
        while True:
            if await set_within(self._finished, LOOK_SECONDS):
                await asyncio.sleep(RECORD_SECONDS)
                self._finished.clear()
                await self._record_all()
            self._records.beat()

    async def _record_all(self) -> None:
        """Records what is known in one transaction; what fails stays known."""
        batch = list(self._outcomes)
        if not batch:
            return
        await until_recorded(lambda: self._record(batch), CONFLICTS)
        del self._outcomes[: len(batch)]
        was_full = len(self._held) >= MOST_HELD or bool(self._lanes.full())
        for each in batch:
            self._release(each.claimed)
        if was_full:
            self._woken.set()

    async def _record(self, batch: Sequence[Outcome]) -> None:
        settled = [each for each in batch if isinstance(each, Settled)]
        postponed = [each for each in batch if isinstance(each, Postponed)]
        told = [*settled, *(self._late(each.claimed, each.error, each.at) for each in postponed if each.late)]
        async with self.runner.transaction() as (connection, unit):
            await self._decide(unit, told)
            await deliveries.done(connection, [each.claimed.request.notification for each in settled])
            await deliveries.postpone(connection, postponed)
            await deliveries.put_back(connection, [each for each in batch if isinstance(each, PutBack)])

    async def _decide(self, unit: UnitOfWork[Command, ticket.Ticket], told: Sequence[Settled]) -> None:
        """Records what came of attempts on their tickets."""
        await unit.load(*(each.claimed.event.stream for each in told))
        for each in told:
            cause = each.claimed.event
            context = Context(
                actor=Actor("service", self.store.service),
                correlation_id=cause.correlation_id,
                causation_id=cause.id,
                traceparent=cause.traceparent,
                time=each.at,
            )
            try:
                unit.decide(cause.stream, each.command, context)
                if each.withheld is not None:
                    unit.decide(cause.stream, each.withheld, context)
            except Rejected as refusal:
                log.error(
                    "the outcome of a mail is not recorded: %s", refusal.reason, extra={"ticket": str(cause.stream)}
                )
        await unit.record()

    def _late(self, claimed: Claimed, error: str, at: datetime) -> Settled:
        command = RecordDelayed(claimed.request.notification, self.transport.name, claimed.attempts, error)
        return Settled(claimed, command, at)

    def _release(self, claimed: Claimed) -> None:
        if self._held.pop(claimed.request.notification, None) is not None:
            self._leased_until.pop(claimed.request.notification, None)
            self._lanes.released(claimed.domain)

    async def _drain(self) -> None:
        """The process is ending: mails on their way get a moment to arrive, what arrived is recorded, and the others are given back."""
        self._outcomes += [PutBack(each, 0.0, "") for each in self._lanes.withdrawn(lambda _: True)]
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


def _domain(address: str) -> str:
    return comparable(address).rpartition("@")[2]


def _joined(before: str, refused: Mapping[str, str]) -> str:
    """What servers said of recipients, one after the other."""
    return "; ".join([*([before] if before else []), *(f"{who}: {said}" for who, said in refused.items())])


def _is_heavy(claimed: Claimed) -> bool:
    return sized(claimed.request.mail) > HEAVY_BYTES


def _paused(claimed: Claimed, pauses: Sequence[Pause]) -> str | None:
    """Who keeps this mail from leaving, and why."""
    for pause in pauses:
        if pause.holds(claimed.queue, claimed.domain):
            return f"outgoing mail is paused by {pause.by}: {pause.reason}"
    return None
