"""Takes a mail: read, judged, stored, recorded. When `take` answers, the mail is safe."""

import asyncio
import hashlib
import logging
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from uuid import UUID, uuid5

from prometheus_client import Counter
from uuid_utils.compat import uuid7

from services.intake import ticket
from services.intake.mail.reading import Reading, place
from services.intake.mail.reading_pool import Readers
from services.intake.mail.structure.body import File
from services.intake.mail.verdicts.control import Wishes, wishes
from services.intake.mail.verdicts.reports import Report
from services.intake.mail.verdicts.verdict import Verdict, judge
from services.intake.mail.verification.authentication_results import Authentication, authenticated
from services.intake.mail.verification.sender_check import Question
from services.intake.mail.verification.verifier import Verifier
from services.intake.mailroom import reply_to
from services.intake.mailroom.queue_choice import MOST_COPIES, place_for, plain_address, queues_addressed, without_tag
from services.intake.mailroom.writer_standing import is_agents_own, standing
from services.intake.opening.opening import queue_ref, registration
from services.intake.records.numbers import Numbers
from services.intake.records.receipts import Receipts, receipt_address, receipt_mailbox
from services.intake.records.records import Copies, Known, Mail, OpenedTicket, Raced, Records, Rows
from services.intake.ticket.commands import Command, OpenTicket, ReceiveAgentMail, ReceiveAutomatic, ReceiveMessage
from services.intake.uploads.virus_scan import NOT_SCANNED, Scan, VirusScan
from shared.addresses import received
from shared.blobs import texts
from shared.blobs.store import BlobStore
from shared.contracts.directory import Person, Queue
from shared.contracts.envelope import Actor
from shared.contracts.intake import AutomaticKind, FailedRecipient
from shared.contracts.parts import Address, Attachment, Blob, Message, PersonRef, Standing, TicketRef
from shared.database import TRANSIENT
from shared.directory.copy import DirectoryCopy
from shared.eventstore.errors import CommandReused, CommandRunning, VersionConflict
from shared.eventstore.folds import Folded
from shared.eventstore.store import Append, CommandId, Context, NewEvent
from shared.rules import reply_addresses
from shared.rules.access import Identity, rights
from shared.rules.message_ids import tickets_named
from shared.rules.rejected import Rejected
from shared.telemetry.trace import about_ticket
from shared.telemetry.tracing import span, traceparent
from shared.testing.failpoints import FailpointRaised

log = logging.getLogger(__name__)

TAKEN = Counter(
    "ledgerdesk_mails", "Mails taken, by what became of them; the same mail again is not counted", ["outcome"]
)

RACES = 20
"""Times that a mail is decided on again because something else came first; those of one process that lost take turns, so that a
flood of mails on one ticket is taken."""
MOST_BROUGHT_IN = 20
"""People whom one mail makes participants."""
NO_TITLE = "(no subject)"
NORMAL = 3
NOT_PARTICIPANTS = {
    "outsider": "from somebody whom the desk had asked",
    "unverified": "from somebody who is not known to take part",
}
_PROCESSING = UUID("2d0f9c5e-6a41-4d55-8c0c-9a4f7a1f3f10")


class Contended(OSError):
    """Others recorded the same again and again at this moment: the sender tries again."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """Who sent a mail to whom, as the transport said; an empty sender is the null one. `trusted`: it came by a channel whose mails may steer
    what becomes of them (A1.26). `client` and `helo`: the address and the name of the client that brought it to the mail system, if known."""

    sender: str
    recipients: tuple[str, ...]
    trusted: bool = False
    client: str = ""
    helo: str = ""


@dataclass(frozen=True, slots=True)
class MailRules:
    """What an installation has set. `mail_key` signs our Message-IDs; mails' Authentication-Results count when one of `trusted_servers`
    wrote them; a sender opens `tickets_a_day`, 0: any number."""

    mail_key: bytes
    trusted_servers: frozenset[str] = frozenset()
    tickets_a_day: int = 0


@dataclass(frozen=True, slots=True)
class Arrived:
    """A mail on its way in, with what it says, what is proven of its sender, and what a scanner said of each of its files. `is_new`: it has no row yet. `command` is remembered with
    what is recorded."""

    raw: bytes
    digest: bytes
    envelope: Envelope
    reading: Reading
    blob: str
    mail_id: UUID
    received_at: datetime
    is_new: bool
    command: CommandId | None
    proof: Authentication
    scans: Sequence[Scan]


@dataclass(frozen=True, slots=True)
class Judged:
    """A mail with what was found out about it."""

    arrived: Arrived
    found: Known
    verdict: Verdict
    standing: Standing


Decision = tuple[UUID, str, Command]
"""What is asked of a ticket, by id and number."""


@dataclass(frozen=True, slots=True)
class Mailroom:
    records: Records
    blobs: BlobStore
    numbers: Numbers
    directory: DirectoryCopy
    readers: Readers
    rules: MailRules
    receipts: Receipts = field(default_factory=lambda: Receipts(0, 0))
    verifier: Verifier | None = None
    virus_scan: VirusScan | None = None
    _lost_a_race: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

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
                await self._open_hidden_copies(first, raw, envelope, reading)
                if _is_repeat(first, raw, envelope):
                    return await self._again(first.id, command)
                return await self._other_way(first, raw, envelope, command)
            stored = await self.blobs.put(raw, "message/rfc822")
            proof, scans = await asyncio.gather(self._proof(raw, reading, envelope), self._scans(reading))
            arrived = Arrived(
                raw, key, envelope, reading, stored.sha256, uuid7(), datetime.now(UTC), True, command, proof, scans
            )
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
        envelope = Envelope(
            mail.envelope_from,
            mail.envelope_to,
            trusted=mail.found.get("trusted", False),
            client=mail.found.get("client", ""),
            helo=mail.found.get("helo", ""),
        )
        # The command's id keeps two who press the button at once from opening two tickets.
        once = CommandId(uuid5(_PROCESSING, str(mail.id)))
        proof, scans = await asyncio.gather(self._proof(raw, reading, envelope), self._scans(reading))
        arrived = Arrived(
            raw, mail.digest, envelope, reading, mail.blob, mail.id, mail.received_at, False, once, proof, scans
        )
        return await self._decided(arrived, await self._find(reading, envelope, None))

    async def _proof(self, raw: bytes, reading: Reading, envelope: Envelope) -> Authentication:
        """What trusted servers have found of the sender; where none has judged, what is found out here, if that is wanted and there is one."""
        told = authenticated(reading.authentication, self.rules.trusted_servers, reading.senders)
        if told.results or told.sender == "ambiguous" or self.verifier is None:
            return told
        return await self.verifier.judge(
            raw, Question(reading.senders, envelope.sender, envelope.client, envelope.helo)
        )

    async def _scans(self, reading: Reading) -> Sequence[Scan]:
        if self.virus_scan is None or not reading.files:
            return [NOT_SCANNED] * len(reading.files)
        return await self.virus_scan.scan([file.content for file in reading.files])

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

    async def _open_hidden_copies(self, first: Mail, raw: bytes, envelope: Envelope, reading: Reading) -> None:
        """Opens what a mail opens in queues that only now are known to get it: where a mail server hands it over once for each recipient, nothing
        but the envelope tells of those in Bcc and of aliases."""
        is_spam = reading.spam is not None and reading.spam.is_spam
        if first.outcome != "created" or first.ticket_id is None or is_spam:
            return
        wanted = wishes(reading.control) if envelope.trusted else Wishes()
        placed = place_for(self.directory.queues, envelope.recipients, reading, wanted)
        asking = [queue for queue in (placed.queue, *placed.copies) if queue.opens_copies]
        if not asking or placed.reason:
            return
        proof, scans = await asyncio.gather(self._proof(raw, reading, envelope), self._scans(reading))
        arrived = Arrived(
            raw, first.digest, envelope, reading, first.blob, first.id, first.received_at, False, None, proof, scans
        )
        for queue in asking:
            for _ in range(RACES):
                copies = await self.records.copies(first)
                if queue.id in copies or len(copies) > MOST_COPIES:
                    break
                with suppress(Raced, VersionConflict):
                    await self._open_hidden_copy(first, arrived, queue, copies)

    async def _open_hidden_copy(self, first: Mail, arrived: Arrived, queue: Queue, copies: Copies) -> None:
        found = await self._find(arrived.reading, arrived.envelope, None)
        judged = Judged(arrived, found, Verdict("created", first.reason, automatic=True), "participant")
        numbers = await self.records.numbers(list(copies.values()))
        title = arrived.reading.subject or NO_TITLE
        ticket_id, number, message = uuid7(), await self.numbers.next(), await self._message(judged)
        opening = OpenTicket(
            number=number,
            title=title,
            queue=queue_ref(queue),
            customer=found.customer,
            channel="email",
            message=message,
            automatic=True,
            also_opened=tuple(TicketRef(id=each, number=named, title=title) for each, named in numbers.items()),
            proven=arrived.proof.sender == "proven",
        )
        context = Context(actor=Actor("customer", str(found.customer.id)), traceparent=traceparent())
        decided = tuple(NewEvent(each) for each in ticket.decide(opening, ticket.initial()))
        answers_to = tuple(each.email for each in message.answers_to)
        rows = Rows(
            tickets=[OpenedTicket(ticket_id, number, found.customer.id, None, answers_to)],
            participants=[(ticket_id, email) for email in await self._brought_in(judged)],
            hidden_copies=[(first.id, queue.id, ticket_id)],
        )
        await self.records.record([Append(ticket_id, "ticket", 0, decided, context)], rows)

    async def _decided(self, arrived: Arrived, found: Known) -> Mail:
        try:
            try:
                return await self._record(arrived, found)
            except (Raced, VersionConflict):
                async with self._lost_a_race:
                    return await self._decided_again(arrived)
        except (*TRANSIENT, CommandRunning, CommandReused, FailpointRaised):
            raise
        except Exception as error:
            log.error("mail %s is held: %s in %s", arrived.mail_id, type(error).__name__, place(error))
            return await self._hold(arrived, f"{type(error).__name__}: {error}"[:500])

    async def _decided_again(self, arrived: Arrived) -> Mail:
        for _ in range(RACES):
            found = await self._find(arrived.reading, arrived.envelope, arrived.digest if arrived.is_new else None)
            if found.mail_id is not None:
                return await self._again(found.mail_id, arrived.command)
            try:
                return await self._record(arrived, found)
            except (Raced, VersionConflict):
                continue
        raise Contended("a mail lost every race for its ticket")

    async def _hold(self, arrived: Arrived, reason: str) -> Mail:
        try:
            return await self._put_aside(arrived, Verdict("held", reason), None, None)
        except Raced as error:
            raise Contended("a mail was taken twice at once") from error

    async def _put_aside(
        self,
        arrived: Arrived,
        verdict: Verdict,
        ticket_id: UUID | None,
        number: str | None,
    ) -> Mail:
        """Records a mail that leads to no event; handling it again later must stay possible, so that its command is not remembered
        unless it came with the mail."""
        mail = _row(arrived, verdict, ticket_id, number)
        command = arrived.command if arrived.is_new else None
        await self.records.record([], Rows(mails=[mail]), command=command, answer={"mail": str(mail.id)})
        return mail if arrived.is_new else await self._known(mail.id)

    async def _find(self, reading: Reading, envelope: Envelope, key: bytes | None) -> Known:
        sender = _sender(reading, envelope)
        threads = _threads(reading, envelope)
        return await self.records.known(
            digest=key,
            email=sender.email,
            name=sender.name,
            message_ids=threads,
            tickets=[*map(self._named, threads), *self._addressed(reading, envelope)],
            numbers=reading.numbers,
            most=self.rules.tickets_a_day,
        )

    def _named(self, message_id: str) -> UUID | None:
        """The ticket that a Message-ID of ours names."""
        return next(iter(tickets_named(self.rules.mail_key, message_id)), None)

    def _addressed(self, reading: Reading, envelope: Envelope) -> list[UUID]:
        """The tickets whose own addresses a mail was sent to."""
        addresses = (*envelope.recipients, *(each.email for each in (*reading.to, *reading.cc)))
        named = (reply_addresses.ticket_named(self.rules.mail_key, plain_address(each)) for each in addresses)
        return list(dict.fromkeys(each for each in named if each is not None))

    async def _record(self, arrived: Arrived, found: Known) -> Mail:
        """Decides on one mail and records everything that follows in one transaction."""
        reading, queues = arrived.reading, self.directory.queues
        proof = arrived.proof
        agent = await self._agent(found)
        how: Standing = "participant"
        if found.ticket_id is not None:
            by_message_id = any(map(self._named, _threads(reading, arrived.envelope)))
            how = standing(
                found.threaded_by,
                known_as=found.known_as,
                sender=proof.sender,
                is_agent=agent is not None,
                by_address=not by_message_id,
            )
        addressed = queues_addressed(queues, arrived.envelope.recipients, reading)
        home = addressed[0] if addressed else queues.default
        verdict = judge(
            reading,
            envelope_from=arrived.envelope.sender,
            names_ticket=found.ticket_id is not None,
            is_ours=bool(reading.message_id and self._named(reading.message_id)),
            from_our_address=self._is_ours(found.customer.email),
            opens_reports=home is not None and home.opens_reports,
            sender=proof.sender,
            infected=any(scan.result == "infected" for scan in arrived.scans),
        )
        judged = Judged(arrived, found, verdict, how)
        match verdict.outcome:
            case "created" if self._opens_too_many(found):
                return await self._go_on_in_the_newest(judged)
            case "created":
                return await self._open(judged)
            case "appended":
                return await self._receive(judged, agent)
            case "bounce_recorded" if found.ticket_id is not None and found.threaded_by == "reference":
                return await self._receive_automatic(judged, found.ticket_id)
            case "auto_reply_recorded" if found.ticket_id is not None and how != "unverified":
                return await self._receive_automatic(judged, found.ticket_id)
            case _:
                return await self._put_aside(arrived, verdict, found.ticket_id, found.number)

    async def _agent(self, found: Known) -> Person | None:
        """The agent whose address answers a ticket that is not their own."""
        if found.ticket_id is None or found.known_as is not None or not found.customer.email:
            return None
        person = await self.directory.person_with(found.customer.email)
        return person if person is not None and {"agent", "admin"} & set(person.roles) else None

    def _opens_too_many(self, found: Known) -> bool:
        limit = self.rules.tickets_a_day
        return bool(limit and found.customer.email and found.newest and found.opened >= limit)

    async def _go_on_in_the_newest(self, judged: Judged) -> Mail:
        """A sender beyond the limit fills one ticket, where an agent sees it, and no queue."""
        newest = judged.found.newest
        assert newest is not None
        reason = f"its sender opened {judged.found.opened} tickets within a day: it goes on in the newest"
        found = replace(judged.found, ticket_id=newest.id, number=newest.number)
        verdict = Verdict("appended", reason, automatic=True)
        how = standing("", known_as="participant", sender=judged.arrived.proof.sender, is_agent=False)
        received = ReceiveMessage(found.customer, await self._message(judged), "sender", no_answer=True, standing=how)
        return await self._append(replace(judged, found=found, verdict=verdict), [(newest.id, newest.number, received)])

    async def _open(self, judged: Judged) -> Mail:
        arrived, found, verdict = judged.arrived, judged.found, judged.verdict
        wanted = wishes(arrived.reading.control) if arrived.envelope.trusted else Wishes()
        placed = place_for(self.directory.queues, arrived.envelope.recipients, arrived.reading, wanted)
        message = await self._message(judged)
        receipt_to = receipt_address(message, found.customer)
        if not verdict.automatic and (refusal := await self.receipts.refusal(self.records.pool, receipt_to)):
            verdict = replace(verdict, reason=f"{verdict.reason}; no receipt is sent: {refusal}", automatic=True)
            judged = replace(judged, verdict=verdict)
        openings = [(uuid7(), await self.numbers.next(), queue) for queue in (placed.queue, *placed.copies)]
        title = arrived.reading.subject or NO_TITLE
        commands: list[Decision] = []
        for n, (ticket_id, number, queue) in enumerate(openings):
            others = tuple(TicketRef(id=t, number=m, title=title) for t, m, _ in openings if t != ticket_id)
            opening = OpenTicket(
                number=number,
                title=title,
                queue=queue_ref(queue),
                customer=found.customer,
                channel="email",
                message=message if n == 0 else message.model_copy(update={"id": uuid7()}),
                priority=wanted.priority or NORMAL,
                automatic=verdict.automatic or n > 0,
                tags=wanted.tags,
                state=wanted.state or None,
                also_opened=others,
                proven=arrived.proof.sender == "proven",
            )
            commands.append((ticket_id, number, opening))
        if placed.reason:
            judged = replace(judged, verdict=replace(verdict, reason=f"{verdict.reason}; {placed.reason}"))
        return await self._append(judged, commands)

    async def _receive(self, judged: Judged, agent: Person | None) -> Mail:
        found = judged.found
        assert found.ticket_id is not None
        assert found.number is not None
        proven = is_agents_own(found.threaded_by, judged.arrived.proof.sender)
        if agent is not None and proven and await self._may_note(agent, found, found.ticket_id):
            note = ReceiveAgentMail(PersonRef(id=agent.id, name=agent.name), await self._message(judged))
            verdict = replace(judged.verdict, reason=f"{judged.verdict.reason}, an agent's note")
            return await self._append(replace(judged, verdict=verdict), [(found.ticket_id, found.number, note)])
        verdict = judged.verdict
        if judged.standing != "participant":
            verdict = replace(verdict, reason=f"{verdict.reason}, {NOT_PARTICIPANTS[judged.standing]}")
        received = ReceiveMessage(
            found.customer,
            await self._message(judged),
            found.threaded_by,
            no_answer=verdict.automatic or judged.standing == "unverified",
            standing=judged.standing,
        )
        return await self._append(replace(judged, verdict=verdict), [(found.ticket_id, found.number, received)])

    async def _may_note(self, agent: Person, found: Known, ticket_id: UUID) -> bool:
        """Whether the agent may write notes in the ticket's queue: the same right as at the desk."""
        state, _ = (await self.records.newest([ticket_id]))[ticket_id]
        opened_in = state.opened_in.id if state.opened_in else None
        queue = self.directory.queues.by_id.get(found.queue_id or opened_in or UUID(int=0))
        identity = Identity(
            person_id=agent.id, kind="agent", login=agent.login, name=agent.name, email=agent.email, roles=agent.roles
        )
        return queue is not None and "note" in rights(identity, queue.members)

    async def _receive_automatic(self, judged: Judged, ticket_id: UUID) -> Mail:
        """A machine's mail about a ticket of ours stands in it, and changes nothing."""
        reading, found = judged.arrived.reading, judged.found
        report = _report(reading, judged.arrived.envelope)
        kind: AutomaticKind = "auto_reply"
        if judged.verdict.outcome == "bounce_recorded":
            kind = report.kind if report is not None else "failure"
        elif report is not None and report.kind in ("delivered", "complaint"):
            kind = report.kind
        about = report.original_ids if report is not None else (*reading.in_reply_to, *reversed(reading.references))
        received = ReceiveAutomatic(
            kind,
            await self._message(judged),
            next((each for each in about if self._named(each) is not None), None),
            tuple(FailedRecipient(**asdict(failure)) for failure in report.failures) if report is not None else (),
        )
        return await self._append(judged, [(ticket_id, found.number or "", received)])

    async def _append(self, judged: Judged, commands: Sequence[Decision]) -> Mail:
        """Records the decisions on a mail. The first one's ticket is the mail's."""
        arrived, found = judged.arrived, judged.found
        ticket_id, number, first = commands[0]
        by_machine = isinstance(first, ReceiveAutomatic)
        actor = Actor("service", "intake") if by_machine else Actor("customer", str(found.customer.id))
        if isinstance(first, ReceiveAgentMail):
            actor = Actor("agent", str(first.by.id))
        context = Context(actor=actor, traceparent=traceparent())
        appends: list[Append] = []
        tickets: list[OpenedTicket] = []
        answers_to: list[tuple[UUID, tuple[str, ...]]] = []
        open_ones = await self.records.newest([s for s, _, command in commands if not isinstance(command, OpenTicket)])
        for stream, named, command in commands:
            state, version = open_ones.get(stream) or Folded(ticket.initial(), 0)
            try:
                decided = ticket.decide(command, state)
            except Rejected as refusal:
                return await self._hold(arrived, refusal.reason)
            if not decided:
                return await self._put_aside(arrived, judged.verdict, ticket_id, number)
            appends.append(Append(stream, "ticket", version, tuple(NewEvent(each) for each in decided), context))
            if isinstance(command, OpenTicket):
                wanted = tuple(each.email for each in command.message.answers_to)
                tickets.append(OpenedTicket(stream, named, found.customer.id, receipt_mailbox(decided), wanted))
            elif isinstance(command, ReceiveMessage) and command.message.answers_to:
                answers_to.append((stream, tuple(each.email for each in command.message.answers_to)))
        registers = found.new_customer and not by_machine and not isinstance(first, ReceiveAgentMail)
        if registers:
            appends.append(registration(found.customer, ticket_id, context))
        mail = _row(arrived, judged.verdict, ticket_id, number)
        message_id = arrived.reading.message_id
        brought_in = await self._brought_in(judged)
        rows = Rows(
            customers=[found.customer] if registers else [],
            tickets=tickets,
            message_ids=[(message_id, ticket_id)] if message_id and not by_machine else [],
            participants=[(stream, email) for stream, _, _ in commands for email in brought_in],
            answers_to=answers_to,
            automatic=[ticket_id] if by_machine else [],
            mails=[mail],
        )
        told = {"mail": str(mail.id)}
        appended = await self.records.record(appends, rows, command=arrived.command, answer=told)
        return mail if appended.status == "appended" else await self._known(UUID((appended.answer or told)["mail"]))

    async def _brought_in(self, judged: Judged) -> list[str]:
        """Whom a proven sender writes to besides us (A1.20): they take part from now on. Not our queues; nor the desk's own people, who
        take part as agents or not at all."""
        reading = judged.arrived.reading
        if judged.arrived.proof.sender != "proven" or judged.standing != "participant" or judged.verdict.automatic:
            return []
        others = dict.fromkeys(each.email for each in (*reading.to, *reading.cc))
        strangers = [each for each in others if each != judged.found.customer.email and not self._is_ours(each)][
            :MOST_BROUGHT_IN
        ]
        return sorted(set(strangers) - await self.directory.agents_among(strangers)) if strangers else []

    async def _message(self, judged: Judged) -> Message:
        """The article that a mail becomes. Its files and its long text are stored before any event names them."""
        arrived, customer = judged.arrived, judged.found.customer
        reading = arrived.reading
        text, text_blob = await texts.stored(self.blobs, reading.text)
        asked, doubt = await self._reply_to(judged)
        scanned = zip(reading.files, arrived.scans, strict=True)
        files = await asyncio.gather(*(self._attachment(file, scan) for file, scan in scanned))
        return Message(
            id=uuid7(),
            channel="email",
            sender=Address(email=customer.email, name=(reading.sender.name if reading.sender else "") or customer.name),
            to=reading.to,
            cc=reading.cc,
            subject=reading.subject,
            text=text,
            new_text=None if reading.new_text in (None, reading.text) else texts.beginning(reading.new_text or ""),
            text_blob=text_blob,
            html=reading.html,
            attachments=tuple(files),
            message_id=reading.message_id,
            mail=arrived.mail_id,
            raw=Blob(sha256=arrived.blob, size=len(arrived.raw), type="message/rfc822"),
            written_at=reading.written_at,
            reading_notes=(*_wrong(arrived), *reply_to.note(asked, doubt)),
            reply_to=asked,
            reply_to_doubt=doubt,
        )

    async def _reply_to(self, judged: Judged) -> tuple[tuple[Address, ...], reply_to.Doubt]:
        """Where the mail wants answers, if not at its sender's, and why they do not go there by themselves."""
        reading, sender = judged.arrived.reading, judged.found.customer.email
        asked = reply_to.asked_for(reading.reply_to, sender)
        if not asked:
            return (), ""
        if judged.standing != "participant":
            return asked, "stranger"
        emails = [each.email for each in asked]
        third_persons = {each.email for each in (*reading.to, *reading.cc)} & set(emails)
        if judged.found.ticket_id is not None:
            third_persons |= await self.records.taking_part(judged.found.ticket_id, emails)
        doubt = reply_to.doubt(
            asked,
            sender=sender,
            proven=judged.arrived.proof.sender == "proven",
            ours={each for each in emails if self._is_ours(each)} | await self.directory.agents_among(emails),
            third_persons=third_persons - {sender},
        )
        return asked, doubt

    def _is_ours(self, email: str) -> bool:
        """Whether a mail to this address comes to one of our queues."""
        queues = self.directory.queues
        return queues.for_address(email) is not None or queues.for_address(without_tag(email)) is not None

    async def _attachment(self, file: File, scan: Scan) -> Attachment:
        blob = await self.blobs.put(file.content, file.type)
        return Attachment(
            id=uuid7(), name=file.name, blob=blob, inline_id=file.inline_id, scan=scan.result, threat=scan.threat
        )


def _report(reading: Reading, envelope: Envelope) -> Report | None:
    """The report that a mail is; a letter that only sounds like one is none."""
    return reading.report if reading.report is not None and reading.report.counts(envelope.sender) else None


def _threads(reading: Reading, envelope: Envelope) -> list[str]:
    """The Message-IDs that a mail refers to, the nearest first."""
    report = _report(reading, envelope)
    about = report.original_ids if report is not None else ()
    return [*about, *reading.in_reply_to, *reversed(reading.references)]


def _is_repeat(first: Mail, raw: bytes, envelope: Envelope) -> bool:
    """Whether a mail was sent again (by the same sender, or byte for byte), and not only the same words by another way."""
    return first.envelope_from == envelope.sender or first.blob == hashlib.sha256(raw).hexdigest()


def _sender(reading: Reading, envelope: Envelope) -> Address:
    """Whom the mail is from: its own word, else the envelope's; an empty address when neither names one."""
    if reading.sender is not None:
        return reading.sender
    return Address(email=received(envelope.sender) or "")


def _row(arrived: Arrived, verdict: Verdict, ticket_id: UUID | None, number: str | None) -> Mail:
    reading, report = arrived.reading, _report(arrived.reading, arrived.envelope)
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
            "bounces": [asdict(failure) for failure in report.failures] if report is not None else [],
            "authentication": list(arrived.proof.results),
            "wrong": list(_wrong(arrived)),
        }
        | ({"trusted": True} if arrived.envelope.trusted else {})
        | ({"client": arrived.envelope.client, "helo": arrived.envelope.helo} if arrived.envelope.client else {})
        | ({"spam": asdict(reading.spam)} if reading.spam is not None else {}),
    )


def _wrong(arrived: Arrived) -> tuple[str, ...]:
    """What a person should know who reads the mail as it was understood."""
    return (*arrived.reading.wrong, *_left_out(arrived), *_infected(arrived))


def _infected(arrived: Arrived) -> list[str]:
    """The files that a scanner calls malware."""
    scanned = zip(arrived.reading.files, arrived.scans, strict=True)
    return [f"{file.name} is infected: {scan.threat}" for file, scan in scanned if scan.result == "infected"]


def _left_out(arrived: Arrived) -> list[str]:
    """What a mail from outside asked for and did not get."""
    if arrived.envelope.trusted or not arrived.reading.control:
        return []
    names = ", ".join(name for name, _ in arrived.reading.control)
    return [f"it tried to steer what becomes of it, from a channel that is not trusted: {names}"]
