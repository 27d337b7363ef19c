"""Opens tickets in queues that turn out later to have received a mail too.

A mail server may hand over a mail once for each recipient. Then only the envelopes tell of recipients in Bcc and behind
aliases.
"""

from dataclasses import dataclass
from functools import partial

from uuid_utils.compat import uuid7

from services.intake.mail.reading import Reading
from services.intake.mail.verdict import Verdict
from services.intake.mail.verdicts.control import Instructions, instructions_in
from services.intake.mailroom.contention import recorded
from services.intake.mailroom.envelope import Envelope
from services.intake.mailroom.handling import NO_TITLE, Handling
from services.intake.mailroom.incoming_mail import AssessedMail, IncomingMail
from services.intake.mailroom.inspection import Inspection
from services.intake.mailroom.queue_choice import MOST_COPIES, choose_queue
from services.intake.records.mails import Mail
from services.intake.records.recording import OpenedTicket, Rows
from services.intake.records.records import Records
from services.intake.records.tickets import TicketByQueue
from services.intake.ticket.commands import OpenTicket
from shared.contracts.directory import Queue
from shared.contracts.envelope import Actor
from shared.contracts.parts import TicketRef
from shared.eventstore.store import Context
from shared.telemetry.tracing import traceparent


@dataclass(frozen=True, slots=True)
class HiddenCopies:
    records: Records
    inspection: Inspection
    handling: Handling

    async def open_missing(self, first: Mail, raw: bytes, envelope: Envelope, reading: Reading) -> None:
        """Opens what is missing in the queues of this envelope. `first` is the same mail as it was recorded first."""
        is_spam = reading.spam is not None and reading.spam.is_spam
        if first.outcome != "created" or first.ticket_id is None or is_spam:
            return
        wanted = instructions_in(reading.control) if envelope.trusted else Instructions()
        choice = choose_queue(self.handling.directory.queues, envelope.recipients, reading, wanted)
        queues = [queue for queue in (choice.queue, *choice.copies) if queue.opens_copies]
        if not queues or choice.reason:
            return
        authentication, scans = await self.inspection.inspect(raw, reading, envelope)
        mail = IncomingMail(
            raw, first.digest, envelope, reading, first.blob, first.id, first.received_at, False, None, authentication,
            scans,
        )  # fmt: skip
        for queue in queues:
            await recorded(partial(self._open_unless_open, first, mail, queue))

    async def _open_unless_open(self, first: Mail, mail: IncomingMail, queue: Queue) -> None:
        opened = await self.records.tickets.opened_by(first)
        if queue.id not in opened and len(opened) <= MOST_COPIES:
            await self._open(first, mail, queue, opened)

    async def _open(self, first: Mail, mail: IncomingMail, queue: Queue, opened: TicketByQueue) -> None:
        match = await self.handling.match(mail.reading, mail.envelope, None)
        assessed = AssessedMail(mail, match, Verdict("created", first.reason, automatic=True), "participant")
        numbers = await self.records.tickets.numbers(list(opened.values()))
        title = mail.reading.subject or NO_TITLE
        articles = self.handling.articles
        ticket_id, number = uuid7(), await self.handling.numbers.next()
        message = await articles.article(assessed)
        command = OpenTicket(
            number=number,
            title=title,
            queue=queue.ref,
            customer=match.customer,
            channel="email",
            message=message,
            automatic=True,
            also_opened=tuple(TicketRef(id=each, number=named, title=title) for each, named in numbers.items()),
            proven=mail.authentication.sender == "proven",
        )
        context = Context(actor=Actor("customer", str(match.customer.id)), traceparent=traceparent())
        unit = self.records.unit()
        unit.decide(ticket_id, command, context)
        answers_to = tuple(each.email for each in message.answers_to)
        rows = Rows(
            tickets=[OpenedTicket(ticket_id, number, match.customer.id, None, answers_to)],
            participants=[(ticket_id, email) for email in await articles.new_participants(assessed)],
            hidden_copies=[(first.id, queue.id, ticket_id)],
        )
        await unit.record(self.records.with_rows(rows))
