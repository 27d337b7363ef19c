"""What a further message of the customer does to a ticket (requirements A5.08 to A5.10)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from services.routing.ticket import conditions
from services.routing.ticket.state import Ticket
from shared.contracts.directory import AnyFollowUp
from shared.contracts.event import Event
from shared.contracts.parts import AnyStanding, CustomerRef, Message, QueueRef, TicketRef
from shared.contracts.routing import CustomerAnswered, FollowUpRejected, StateChanged, TicketsLinked, TicketSplit
from shared.rules.states import CLOSED_SUCCESSFUL, OPEN
from shared.rules.subjects import title_of


@dataclass(frozen=True, slots=True)
class FollowUpRule:
    """A queue's rule for messages on closed tickets.

    `days`: within so many days the message reopens the ticket; later it becomes a new ticket. `unverified`: whether
    somebody who did not show that they take part may reopen it too.
    """

    follow_up: AnyFollowUp
    days: int | None = None
    unverified: bool = False


@dataclass(frozen=True, slots=True)
class TakeCustomerMessage:
    """The customer wrote again.

    `ticket` is this ticket, `becomes` the id of the ticket that the message may become. `closes`: the customer wants
    the ticket closed. `no_answer`: nothing may be sent to the writer automatically. `standing` is what the writer is to
    the ticket. `rules` are the rules of the queues by id.
    """

    message: Message
    at: datetime
    ticket: UUID
    becomes: UUID
    closes: bool = False
    writer: CustomerRef | None = None
    no_answer: bool = False
    standing: AnyStanding = "participant"
    rules: Mapping[UUID, FollowUpRule] = field(default_factory=dict)


Command = TakeCustomerMessage


def decide(command: TakeCustomerMessage, ticket: Ticket) -> list[Event]:
    """A message leaves the state as the desk set it (A5.09), or closes the ticket if the customer says so (A5.08).

    It opens a closed ticket again (A5.10), unless the queue's rule makes a new ticket of it or rejects it. It stops an
    automatic closing (decision 0091). Somebody who did not show that they take part changes nothing, unless the queue
    lets them reopen. Somebody whom the desk asked (`outsider`) opens the ticket in any queue.
    """
    queue, customer = conditions.known(ticket)
    message = command.message
    reopened: list[Event] = []
    if ticket.state.type in ("closed", "pending_auto_close", "removed"):
        reopened = [StateChanged(to=OPEN, was=ticket.state, at=command.at)]
    if ticket.state.type == "removed":
        # The split was undone while this message was in transit: in a removed ticket nobody would read it.
        return [CustomerAnswered(article=message.id, message_id=message.message_id, at=command.at), *reopened]
    if command.standing != "participant":
        reopens = command.standing == "outsider" or _lets_anybody_reopen(command, queue)
        # Without the Message-ID: replies to the customer do not refer to mails of others.
        return [CustomerAnswered(article=message.id, at=command.at), *(reopened if reopens else [])]
    # Another participant does not change where the customer's answers go.
    own = command.writer is None or customer.email == command.writer.email or customer.id == command.writer.id
    answers_to = message.answers_to if own and message.answers_to != ticket.answers_to else None
    answered = CustomerAnswered(article=message.id, message_id=message.message_id, answers_to=answers_to, at=command.at)
    if ticket.state.type == "closed":
        if command.closes:
            return [answered]
        match _follow_up(command, ticket, queue):
            case "new-linked":
                linked = TicketsLinked(kind="related", other=TicketRef(id=command.becomes))
                return [answered, _new_ticket(command, ticket, queue, customer), linked]
            case "reject":
                return [answered, _rejected(command, ticket, queue, customer)]
            case _:  # "reopen", and rules of later versions, so that no customer waits in vain
                return [answered, *reopened]
    if command.closes and ticket.state.type in ("new", "open", "pending_reminder", "pending_auto_close"):
        closed = StateChanged(to=CLOSED_SUCCESSFUL, was=ticket.state, at=command.at)
        return [answered, closed, *conditions.unlocked(ticket, "closed")]
    return [answered, *reopened]


def _lets_anybody_reopen(command: TakeCustomerMessage, queue: QueueRef) -> bool:
    rule = command.rules.get(queue.id)
    return rule is not None and rule.unverified


def _follow_up(command: TakeCustomerMessage, ticket: Ticket, queue: QueueRef) -> AnyFollowUp:
    rule = command.rules.get(queue.id)
    sent_before_closing = ticket.closed_at is not None and command.at < ticket.closed_at
    if rule is None or sent_before_closing:
        return "reopen"
    if rule.follow_up == "reopen" and rule.days is not None and ticket.closed_at is not None:
        return "reopen" if command.at <= ticket.closed_at + timedelta(days=rule.days) else "new-linked"
    return rule.follow_up


def _new_ticket(command: TakeCustomerMessage, ticket: Ticket, queue: QueueRef, customer: CustomerRef) -> TicketSplit:
    numbers = (ticket.number, *filter(None, ticket.absorbed.values()))
    return TicketSplit(
        articles=(command.message.id,),
        into=command.becomes,
        title=title_of(command.message.subject, *numbers) or ticket.title,
        queue=queue,
        customer=customer,
        priority=ticket.priority,
        message=command.message,
        origin=TicketRef(id=command.ticket, number=ticket.number, title=ticket.title),
        no_answer=command.no_answer,
    )


def _rejected(command: TakeCustomerMessage, ticket: Ticket, queue: QueueRef, customer: CustomerRef) -> FollowUpRejected:
    return FollowUpRejected(
        article=command.message.id,
        number=ticket.number,
        title=ticket.title,
        queue=queue,
        customer=command.writer or customer,
        message_id=command.message.message_id,
        no_answer=command.no_answer,
    )
