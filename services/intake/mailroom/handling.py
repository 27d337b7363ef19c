"""Decides what becomes of a mail, and records everything that follows in one transaction."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from uuid import UUID

from uuid_utils.compat import uuid7

from services.intake.mail.reading import Reading
from services.intake.mail.verdict import Verdict, judge
from services.intake.mail.verdicts.control import Instructions, instructions_in
from services.intake.mailroom.articles import Articles
from services.intake.mailroom.envelope import Envelope
from services.intake.mailroom.incoming_mail import AssessedMail, IncomingMail, referenced_ids, sender_of
from services.intake.mailroom.our_addresses import OurAddresses
from services.intake.mailroom.queue_choice import addressed_queues, choose_queue
from services.intake.mailroom.writer_standing import is_agents_own, writer_standing
from services.intake.records.customers import registration
from services.intake.records.mail_matches import MailMatch
from services.intake.records.mails import Mail
from services.intake.records.numbers import Numbers
from services.intake.records.receipts import Receipts, receipt_address, receipt_mailbox
from services.intake.records.recording import OpenedTicket, Rows
from services.intake.records.records import Records
from services.intake.ticket.commands import (
    NORMAL_PRIORITY,
    Command,
    OpenTicket,
    ReceiveAgentMail,
    ReceiveAutomatic,
    ReceiveMessage,
)
from shared.contracts.directory import Person
from shared.contracts.envelope import Actor
from shared.contracts.intake import AutomaticKind, FailedRecipient
from shared.contracts.parts import PersonRef, Standing, TicketRef
from shared.directory.copy import DirectoryCopy
from shared.eventstore.store import Context
from shared.rules.access import rights_of
from shared.rules.rejected import Rejected
from shared.telemetry.tracing import traceparent

NO_TITLE = "(no subject)"
WHO_IS_NO_PARTICIPANT = {
    "outsider": "from somebody whom the desk had asked",
    "unverified": "from somebody who is not known to take part",
}


@dataclass(frozen=True, slots=True)
class TicketCommand:
    """A command for one ticket."""

    ticket_id: UUID
    number: str
    command: Command


@dataclass(frozen=True, slots=True)
class Handling:
    """`tickets_a_day`: how many tickets one sender may open by mail; further mails go to the newest of them. 0: no
    limit."""

    records: Records
    numbers: Numbers
    directory: DirectoryCopy
    receipts: Receipts
    addresses: OurAddresses
    articles: Articles
    tickets_a_day: int

    async def match(self, reading: Reading, envelope: Envelope, digest: bytes | None) -> MailMatch:
        """What the mail matches. Without a digest it is not compared with earlier mails."""
        sender = sender_of(reading, envelope)
        message_ids = referenced_ids(reading, envelope)
        own = map(self.addresses.ticket_of, message_ids)
        return await self.records.matches.find(
            digest=digest,
            email=sender.email,
            name=sender.name,
            message_ids=message_ids,
            tickets=[*own, *self.addresses.tickets_addressed(reading, envelope)],
            numbers=reading.numbers,
            most=self.tickets_a_day,
        )

    async def handle(self, mail: IncomingMail, match: MailMatch) -> Mail:
        """Decides and records. Raises Raced if somebody else recorded first."""
        assessed = await self._assess(mail, match)
        match assessed.verdict.outcome:
            case "created" if self._has_opened_too_many(match):
                return await self._append_to_newest(assessed)
            case "created":
                return await self._open(assessed)
            case "appended":
                return await self._receive(assessed)
            case "bounce_recorded" if match.ticket_id is not None and match.threaded_by == "reference":
                return await self._receive_automatic(assessed, match.ticket_id)
            case "auto_reply_recorded" if match.ticket_id is not None and assessed.standing != "unverified":
                return await self._receive_automatic(assessed, match.ticket_id)
            case _:
                return await self.record_without_event(mail, assessed.verdict, match.ticket_id, match.number)

    async def record_without_event(
        self, mail: IncomingMail, verdict: Verdict, ticket_id: UUID | None = None, number: str | None = None
    ) -> Mail:
        """Records a mail that leads to no event. Its command is remembered only if it came with the mail, because it
        must stay possible to handle the mail again."""
        row = mail.row(verdict, ticket_id, number)
        command = mail.command if mail.is_new else None
        await self.records.record([], Rows(mails=[row]), command=command, response={"mail": str(row.id)})
        return row if mail.is_new else await self.recorded(row.id)

    async def recorded(self, mail_id: UUID) -> Mail:
        """A mail that has a row."""
        found = await self.records.mails.get(mail_id)
        assert found is not None  # mails are never deleted
        return found

    async def _assess(self, mail: IncomingMail, match: MailMatch) -> AssessedMail:
        reading, queues = mail.reading, self.directory.queues
        sender = mail.authentication.sender
        agent = await self._agent(match)
        standing: Standing = "participant"
        if match.ticket_id is not None:
            has_our_message_id = any(map(self.addresses.ticket_of, referenced_ids(reading, mail.envelope)))
            standing = writer_standing(
                match.threaded_by,
                known_as=match.known_as,
                sender=sender,
                is_agent=agent is not None,
                by_address=not has_our_message_id,
            )
        addressed = addressed_queues(queues, mail.envelope.recipients, reading)
        home = addressed[0] if addressed else queues.default
        verdict = judge(
            reading,
            envelope_from=mail.envelope.sender,
            names_ticket=match.ticket_id is not None,
            is_ours=bool(reading.message_id and self.addresses.ticket_of(reading.message_id)),
            from_our_address=self.addresses.is_of_a_queue(match.customer.email),
            opens_reports=home is not None and home.opens_reports,
            sender=sender,
            infected=any(scan.result == "infected" for scan in mail.scans),
        )
        return AssessedMail(mail, match, verdict, standing, agent)

    async def _agent(self, match: MailMatch) -> Person | None:
        """The agent who has the sender's address, if the mail answers a ticket in which that address does not take
        part."""
        if match.ticket_id is None or match.known_as is not None or not match.customer.email:
            return None
        person = await self.directory.person_with(match.customer.email)
        return person if person is not None and {"agent", "admin"} & set(person.roles) else None

    def _has_opened_too_many(self, match: MailMatch) -> bool:
        limit = self.tickets_a_day
        return bool(limit and match.customer.email and match.newest and match.opened >= limit)

    async def _append_to_newest(self, assessed: AssessedMail) -> Mail:
        """A sender beyond the limit fills one ticket, where an agent sees it, and not a queue."""
        newest = assessed.match.newest
        assert newest is not None
        reason = f"its sender opened {assessed.match.opened} tickets within a day: it was added to the newest"
        match = replace(assessed.match, ticket_id=newest.id, number=newest.number)
        verdict = Verdict("appended", reason, automatic=True)
        sender = assessed.mail.authentication.sender
        standing = writer_standing("", known_as="participant", sender=sender, is_agent=False)
        message = await self.articles.article(assessed)
        command = ReceiveMessage(match.customer, message, "sender", no_answer=True, standing=standing)
        assessed = replace(assessed, match=match, verdict=verdict)
        return await self._record(assessed, [TicketCommand(newest.id, newest.number, command)])

    async def _open(self, assessed: AssessedMail) -> Mail:
        mail, match, verdict = assessed.mail, assessed.match, assessed.verdict
        wanted = instructions_in(mail.reading.control) if mail.envelope.trusted else Instructions()
        choice = choose_queue(self.directory.queues, mail.envelope.recipients, mail.reading, wanted)
        message = await self.articles.article(assessed)
        receipt_to = receipt_address(message, match.customer)
        if not verdict.automatic and (refusal := await self.receipts.refusal(self.records.pool, receipt_to)):
            verdict = replace(verdict, reason=f"{verdict.reason}; no receipt is sent: {refusal}", automatic=True)
            assessed = replace(assessed, verdict=verdict)
        openings = [(uuid7(), await self.numbers.next(), queue) for queue in (choice.queue, *choice.copies)]
        title = mail.reading.subject or NO_TITLE
        commands: list[TicketCommand] = []
        for n, (ticket_id, number, queue) in enumerate(openings):
            others = tuple(TicketRef(id=t, number=m, title=title) for t, m, _ in openings if t != ticket_id)
            opening = OpenTicket(
                number=number,
                title=title,
                queue=queue.ref,
                customer=match.customer,
                channel="email",
                message=message if n == 0 else message.model_copy(update={"id": uuid7()}),
                priority=wanted.priority or NORMAL_PRIORITY,
                automatic=verdict.automatic or n > 0,
                tags=wanted.tags,
                state=wanted.state or None,
                also_opened=others,
                proven=mail.authentication.sender == "proven",
            )
            commands.append(TicketCommand(ticket_id, number, opening))
        if choice.reason:
            assessed = replace(assessed, verdict=replace(verdict, reason=f"{verdict.reason}; {choice.reason}"))
        return await self._record(assessed, commands)

    async def _receive(self, assessed: AssessedMail) -> Mail:
        match, agent, verdict = assessed.match, assessed.agent, assessed.verdict
        assert match.ticket_id is not None
        assert match.number is not None
        is_own = is_agents_own(match.threaded_by, assessed.mail.authentication.sender)
        if agent is not None and is_own and await self._may_note(agent, match, match.ticket_id):
            note = ReceiveAgentMail(PersonRef(id=agent.id, name=agent.name), await self.articles.article(assessed))
            assessed = replace(assessed, verdict=replace(verdict, reason=f"{verdict.reason}, an agent's note"))
            return await self._record(assessed, [TicketCommand(match.ticket_id, match.number, note)])
        if assessed.standing != "participant":
            reason = f"{verdict.reason}, {WHO_IS_NO_PARTICIPANT[assessed.standing]}"
            assessed = replace(assessed, verdict=replace(verdict, reason=reason))
        command = ReceiveMessage(
            match.customer,
            await self.articles.article(assessed),
            match.threaded_by,
            no_answer=verdict.automatic or assessed.standing == "unverified",
            standing=assessed.standing,
        )
        return await self._record(assessed, [TicketCommand(match.ticket_id, match.number, command)])

    async def _may_note(self, agent: Person, match: MailMatch, ticket_id: UUID) -> bool:
        """Whether the agent may write notes in the ticket's queue: the same right as at the desk."""
        state, _ = (await self.records.tickets.newest([ticket_id]))[ticket_id]
        opened_in = state.opened_in.id if state.opened_in else None
        queue = self.directory.queues.by_id.get(match.queue_id or opened_in or UUID(int=0))
        return queue is not None and "note" in rights_of(agent, queue.members)

    async def _receive_automatic(self, assessed: AssessedMail, ticket_id: UUID) -> Mail:
        """An automatic mail is added to the ticket that it is about, and changes nothing there."""
        mail, match = assessed.mail, assessed.match
        reading, report = mail.reading, mail.report
        kind: AutomaticKind = "auto_reply"
        if assessed.verdict.outcome == "bounce_recorded":
            kind = report.kind if report is not None else "failure"
        elif report is not None and report.kind in ("delivered", "complaint"):
            kind = report.kind
        about = report.original_ids if report is not None else (*reading.in_reply_to, *reversed(reading.references))
        command = ReceiveAutomatic(
            kind,
            await self.articles.article(assessed),
            next((each for each in about if self.addresses.ticket_of(each) is not None), None),
            tuple(FailedRecipient(**asdict(failure)) for failure in report.failures) if report is not None else (),
        )
        return await self._record(assessed, [TicketCommand(ticket_id, match.number or "", command)])

    async def _record(self, assessed: AssessedMail, commands: Sequence[TicketCommand]) -> Mail:
        """Carries out the commands and records what they lead to. The mail's ticket is that of the first command."""
        mail, match = assessed.mail, assessed.match
        first = commands[0]
        context = Context(actor=_actor(first.command, match), traceparent=traceparent())
        unit = self.records.unit()
        await unit.load(*(each.ticket_id for each in commands if not isinstance(each.command, OpenTicket)))
        tickets: list[OpenedTicket] = []
        answers_to: list[tuple[UUID, tuple[str, ...]]] = []
        for each in commands:
            try:
                decided = unit.decide(each.ticket_id, each.command, context)
            except Rejected as refusal:
                return await self.record_without_event(mail, Verdict("held", refusal.reason))
            if not decided:
                return await self.record_without_event(mail, assessed.verdict, first.ticket_id, first.number)
            if isinstance(each.command, OpenTicket):
                wanted = tuple(address.email for address in each.command.message.answers_to)
                mailbox = receipt_mailbox(decided)
                tickets.append(OpenedTicket(each.ticket_id, each.number, match.customer.id, mailbox, wanted))
            elif isinstance(each.command, ReceiveMessage) and each.command.message.answers_to:
                wanted = tuple(address.email for address in each.command.message.answers_to)
                answers_to.append((each.ticket_id, wanted))
        is_automatic = isinstance(first.command, ReceiveAutomatic)
        registers = match.is_new_customer and not isinstance(first.command, ReceiveAutomatic | ReceiveAgentMail)
        if registers:
            unit.add(registration(match.customer, first.ticket_id, context))
        row = mail.row(assessed.verdict, first.ticket_id, first.number)
        message_id = mail.reading.message_id
        participants = await self.articles.new_participants(assessed)
        rows = Rows(
            customers=[match.customer] if registers else [],
            tickets=tickets,
            message_ids=[(message_id, first.ticket_id)] if message_id and not is_automatic else [],
            participants=[(each.ticket_id, email) for each in commands for email in participants],
            answers_to=answers_to,
            automatic=[first.ticket_id] if is_automatic else [],
            mails=[row],
        )
        response = {"mail": str(row.id)}
        appended = await unit.record(self.records.with_rows(rows), command=mail.command, response=response)
        if appended.status == "appended":
            return row
        return await self.recorded(UUID((appended.response or response)["mail"]))


def _actor(command: Command, match: MailMatch) -> Actor:
    match command:
        case ReceiveAutomatic():
            return Actor("service", "intake")
        case ReceiveAgentMail():
            return Actor("agent", str(command.by.id))
        case _:
            return Actor("customer", str(match.customer.id))
