"""Takes a mail: read, judged, stored, recorded. When `take` answers, the mail is safe."""

import asyncio
import hashlib
import logging
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from uuid import UUID, uuid5

from prometheus_client import Counter
from uuid_utils.compat import uuid7

from services.intake import texts, ticket
from services.intake.commands import Command, OpenTicket, ReceiveMessage
from services.intake.numbers import Numbers
from services.intake.opening import queue_ref, registration
from services.intake.reading import File, Reading, place
from services.intake.reading_pool import Readers
from services.intake.records import Known, Mail, Raced, Records, Rows
from services.intake.ticket_number import numbers_named
from services.intake.verdict import Verdict, judge
from shared.blobs.store import BlobStore
from shared.contracts.directory import Queue
from shared.contracts.envelope import Actor
from shared.contracts.message_ids import tickets_named
from shared.contracts.parts import Address, Attachment, Blob, CustomerRef, Message
from shared.contracts.rejected import Rejected
from shared.database import TRANSIENT
from shared.directory.copy import DirectoryCopy, Queues
from shared.eventstore.commands import RETRIES
from shared.eventstore.errors import CommandReused, CommandRunning, VersionConflict
from shared.eventstore.store import Append, CommandId, Context, NewEvent
from shared.telemetry.trace import about_ticket
from shared.telemetry.tracing import span, traceparent
from shared.testing.failpoints import FailpointRaised

log = logging.getLogger(__name__)

TAKEN = Counter(
    "ledgerdesk_mails", "Mails taken, by what became of them; the same mail again is not counted", ["outcome"]
)

NO_TITLE = "(no subject)"
_PROCESSING = UUID("2d0f9c5e-6a41-4d55-8c0c-9a4f7a1f3f10")


class QueuesUnknown(OSError):
    """The queues have not arrived in this service yet: nothing can be sorted, the sender tries again."""


class Contended(OSError):
    """Others recorded the same again and again at this moment: the sender tries again."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """Who sent a mail to whom, as the transport said; an empty sender is the null one."""

    sender: str
    recipients: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Arrived:
    """A mail on its way in, with what it says. `is_new`: it has no row yet. `command` is remembered with what is recorded."""

    raw: bytes
    digest: bytes
    envelope: Envelope
    reading: Reading
    blob: str
    mail_id: UUID
    received_at: datetime
    is_new: bool
    command: CommandId | None


@dataclass(frozen=True, slots=True)
class Mailroom:
    records: Records
    blobs: BlobStore
    numbers: Numbers
    directory: DirectoryCopy
    readers: Readers
    mail_key: bytes

    async def take(self, raw: bytes, envelope: Envelope, command: CommandId | None = None) -> Mail:
        """Stores a mail and decides what becomes of it; the same mail again gets the first answer. `command` is remembered with
        the mail's id as its answer.

        Raises what says that database, blob store or queues are not there (`shared.database.TRANSIENT`): then nothing is acknowledged.
        Any other failure is ours and not the mail's: it is kept as `held`.
        """
        with span("take mail", size=len(raw)):
            key, reading = await self.readers.read(raw)
            found = await self._find(reading, envelope, key)
            if found.mail_id is not None:
                first = await self._known(found.mail_id)
                if _is_repeat(first, raw, envelope):
                    return await self._again(first.id, command)
                return await self._other_way(first, raw, envelope, command)
            stored = await self.blobs.put(raw, "message/rfc822")
            arrived = Arrived(raw, key, envelope, reading, stored.sha256, uuid7(), datetime.now(UTC), True, command)
            mail = await self._decided(arrived, found)
            TAKEN.labels(mail.outcome).inc()
            with about_ticket(mail.ticket_id) if mail.ticket_id else nullcontext():
                log.info("mail %s of %d bytes: %s", mail.id, mail.size, mail.outcome)
            return mail

    async def process(self, mail_id: UUID) -> Mail | None:
        """Handles a mail again that led to no ticket; one that did is answered as it stands."""
        mail = await self.records.mail(mail_id)
        if mail is None or mail.ticket_id is not None:
            return mail
        if "same_as" in mail.found:
            return await self.process(UUID(mail.found["same_as"]))
        raw = await self.blobs.get(mail.blob)
        _, reading = await self.readers.read(raw)
        envelope = Envelope(mail.envelope_from, mail.envelope_to)
        # The command's id keeps two who press the button at once from opening two tickets.
        once = CommandId(uuid5(_PROCESSING, str(mail.id)))
        arrived = Arrived(raw, mail.digest, envelope, reading, mail.blob, mail.id, mail.received_at, False, once)
        return await self._decided(arrived, await self._find(reading, envelope, None))

    async def _known(self, mail_id: UUID) -> Mail:
        mail = await self.records.mail(mail_id)
        assert mail is not None  # mails are never deleted
        return mail

    async def _again(self, mail_id: UUID, command: CommandId | None) -> Mail:
        """The answer for a mail that was taken before."""
        if command is not None:
            await self.records.record([], Rows(), command=command, answer={"mail": str(mail_id)})
        return await self._known(mail_id)

    async def _other_way(self, first: Mail, raw: bytes, envelope: Envelope, command: CommandId | None) -> Mail:
        """A copy of a mail that came by another way: its bytes are kept too, what became of the first is its answer."""
        key = hashlib.sha256(first.digest + hashlib.sha256(raw).digest()).digest()
        known = await self.records.known(digest=key, email="", name="", tickets=[], message_ids=[], numbers=[])
        if known.mail_id is not None:
            return await self._again(known.mail_id, command)
        stored = await self.blobs.put(raw, "message/rfc822")
        copy = replace(
            first,
            id=uuid7(),
            digest=key,
            received_at=datetime.now(UTC),
            envelope_from=envelope.sender,
            envelope_to=envelope.recipients,
            blob=stored.sha256,
            size=len(raw),
            reason=f"the same mail as {first.id}, by another way",
            found=first.found | {"same_as": str(first.id)},
        )
        try:
            await self.records.record([], Rows(mails=[copy]), command=command, answer={"mail": str(copy.id)})
        except Raced as error:
            raise Contended("a mail was taken twice at once") from error
        return copy

    async def _decided(self, arrived: Arrived, found: Known) -> Mail:
        try:
            for _ in range(RETRIES + 1):
                try:
                    return await self._record(arrived, found)
                except (Raced, VersionConflict):
                    key = arrived.digest if arrived.is_new else None
                    found = await self._find(arrived.reading, arrived.envelope, key)
                    if found.mail_id is not None:
                        return await self._again(found.mail_id, arrived.command)
            raise Contended("a mail lost every race for its ticket")
        except (*TRANSIENT, CommandRunning, CommandReused, FailpointRaised):
            raise
        except Exception as error:
            log.error("mail %s is held: %s in %s", arrived.mail_id, type(error).__name__, place(error))
            return await self._hold(arrived, f"{type(error).__name__}: {error}"[:500])

    async def _hold(self, arrived: Arrived, reason: str) -> Mail:
        try:
            return await self._put_aside(arrived, Verdict("held", reason), None, None)
        except Raced as error:
            raise Contended("a mail was taken twice at once") from error

    async def _put_aside(self, arrived: Arrived, verdict: Verdict, ticket_id: UUID | None, number: str | None) -> Mail:
        """Records a mail that leads to no event; handling it again later must stay possible, so that its command is not remembered
        unless it came with the mail."""
        mail = _row(arrived, verdict, ticket_id, number)
        command = arrived.command if arrived.is_new else None
        await self.records.record([], Rows(mails=[mail]), command=command, answer={"mail": str(mail.id)})
        return mail if arrived.is_new else await self._known(mail.id)

    async def _find(self, reading: Reading, envelope: Envelope, key: bytes | None) -> Known:
        sender = _sender(reading, envelope)
        about = reading.report.original_ids if reading.report else ()
        threads = [*about, *reading.in_reply_to, *reversed(reading.references)]
        return await self.records.known(
            digest=key,
            email=sender.email,
            name=sender.name,
            message_ids=threads,
            tickets=[next(iter(tickets_named(self.mail_key, each)), None) for each in threads],
            numbers=numbers_named(reading.subject),
        )

    async def _record(self, arrived: Arrived, found: Known) -> Mail:
        """Decides on one mail and records everything that follows in one transaction."""
        reading, queues = arrived.reading, self.directory.queues
        verdict = judge(
            reading,
            envelope_from=arrived.envelope.sender,
            names_ticket=found.ticket_id is not None,
            is_ours=bool(reading.message_id and tickets_named(self.mail_key, reading.message_id)),
            from_our_address=queues.for_address(found.customer.email) is not None,
        )
        match verdict.outcome:
            case "created":
                queue = queue_for(queues, arrived.envelope, reading)
                number = await self.numbers.next()
                opening = OpenTicket(
                    number=number,
                    title=reading.subject or NO_TITLE,
                    queue=queue_ref(queue),
                    customer=found.customer,
                    channel="email",
                    message=await self._message(arrived, found.customer),
                    automatic=verdict.automatic,
                )
                return await self._append(arrived, found, verdict, opening, uuid7(), number)
            case "appended":
                assert found.ticket_id is not None
                assert found.number is not None
                received = ReceiveMessage(
                    found.customer,
                    await self._message(arrived, found.customer),
                    found.threaded_by,
                    no_answer=verdict.automatic,
                )
                return await self._append(arrived, found, verdict, received, found.ticket_id, found.number)
            case _:
                return await self._put_aside(arrived, verdict, found.ticket_id, found.number)

    async def _append(
        self,
        arrived: Arrived,
        found: Known,
        verdict: Verdict,
        wanted: Command,
        ticket_id: UUID,
        number: str,
    ) -> Mail:
        history = [] if isinstance(wanted, OpenTicket) else await self.records.store.load(ticket_id)
        state = ticket.initial()
        for event in history:
            state = ticket.evolve(state, event.payload)
        try:
            decided = ticket.decide(wanted, state)
        except Rejected as refusal:
            return await self._hold(arrived, refusal.reason)
        context = Context(actor=Actor("customer", str(found.customer.id)), traceparent=traceparent())
        appends = [Append(ticket_id, "ticket", len(history), tuple(NewEvent(event) for event in decided), context)]
        if found.new_customer:
            appends.append(registration(found.customer, ticket_id, context))
        mail = _row(arrived, verdict, ticket_id, number)
        message_id = arrived.reading.message_id
        rows = Rows(
            customers=[found.customer] if found.new_customer else [],
            tickets=[] if history else [(ticket_id, number, found.customer.id)],
            message_ids=[(message_id, ticket_id)] if message_id else [],
            mails=[mail],
        )
        told = {"mail": str(mail.id)}
        appended = await self.records.record(appends, rows, command=arrived.command, answer=told)
        return mail if appended.status == "appended" else await self._known(UUID((appended.answer or told)["mail"]))

    async def _message(self, arrived: Arrived, customer: CustomerRef) -> Message:
        """The article that a mail becomes. Its files and its long text are stored before any event names them."""
        reading = arrived.reading
        text, text_blob = await texts.stored(self.blobs, reading.text)
        files = await asyncio.gather(*(self._attachment(file) for file in reading.files))
        html = reading.html if reading.html and len(reading.html.encode()) <= texts.INLINE_BYTES else None
        return Message(
            id=uuid7(),
            channel="email",
            sender=Address(email=customer.email, name=customer.name),
            to=reading.to,
            cc=reading.cc,
            subject=reading.subject,
            text=text,
            new_text=None if reading.new_text in (None, reading.text) else texts.beginning(reading.new_text or ""),
            text_blob=text_blob,
            html=html,
            attachments=tuple(files),
            message_id=reading.message_id,
            mail=arrived.mail_id,
            raw=Blob(sha256=arrived.blob, size=len(arrived.raw), type="message/rfc822"),
            written_at=reading.written_at,
        )

    async def _attachment(self, file: File) -> Attachment:
        blob = await self.blobs.put(file.content, file.type)
        return Attachment(id=uuid7(), name=file.name, blob=blob, inline_id=file.inline_id)


def _is_repeat(first: Mail, raw: bytes, envelope: Envelope) -> bool:
    """Whether a mail was sent again (by the same sender, or byte for byte), and not only the same words by another way."""
    return first.envelope_from == envelope.sender or first.blob == hashlib.sha256(raw).hexdigest()


def _sender(reading: Reading, envelope: Envelope) -> Address:
    """Whom the mail is from: its own word, else the envelope's; an empty address when neither names one."""
    if reading.sender is not None:
        return reading.sender
    email = envelope.sender.lower()
    return Address(email=email if email.count("@") == 1 and len(email) <= 254 else "")


def plain_address(address: str) -> str:
    """An address in lower case, as a queue has it."""
    return address.strip().strip("<>").lower()


def without_tag(address: str) -> str:
    """`it+anything@example.org` reaches `it@example.org`."""
    local, at, domain = address.rpartition("@")
    return f"{local.partition('+')[0]}{at}{domain}"


def queue_for(queues: Queues, envelope: Envelope, reading: Reading) -> Queue:
    """The queue whose address a mail was sent to: the envelope's recipients count first, then To and Cc; else the default queue
    (A1.02, A1.29). Raises QueuesUnknown before the first queues have arrived."""
    named: Sequence[str] = [*envelope.recipients, *(a.email for a in reading.to), *(a.email for a in reading.cc)]
    for address in map(plain_address, named):
        queue = queues.for_address(address) or queues.for_address(without_tag(address))
        if queue is not None:
            return queue
    if queues.default is None:
        raise QueuesUnknown("the queues have not arrived yet")
    return queues.default


def _row(arrived: Arrived, verdict: Verdict, ticket_id: UUID | None, number: str | None) -> Mail:
    reading = arrived.reading
    return Mail(
        id=arrived.mail_id,
        digest=arrived.digest,
        received_at=arrived.received_at,
        envelope_from=arrived.envelope.sender,
        envelope_to=arrived.envelope.recipients,
        blob=arrived.blob,
        size=len(arrived.raw),
        outcome=verdict.outcome,
        reason=verdict.reason,
        ticket_id=ticket_id,
        number=number,
        found={
            "from": reading.sender.email if reading.sender else None,
            "subject": reading.subject,
            "message_id": reading.message_id,
            "bounces": [asdict(failure) for failure in reading.report.failures] if reading.report else [],
            "authentication": list(reading.authentication),
            "wrong": list(reading.wrong),
        },
    )
