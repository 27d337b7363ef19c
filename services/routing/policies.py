"""Which events of other services lead to which commands of the desk."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID, uuid5

from services.routing.ticket import Command, Ticket
from services.routing.ticket.customer_messages import FollowUpRule, TakeCustomerMessage
from services.routing.ticket.queueing import QueueTicket
from shared.automation.facts import written
from shared.contracts.envelope import Recorded
from shared.contracts.intake import CustomerMessageReceived, TicketOpened
from shared.contracts.parts import StateRef
from shared.directory.copy import Configuration, Queues

LISTENS_TO = frozenset(("intake",))
WITHOUT_DATE = frozenset(("open", "closed"))
"""The types of states in which a ticket can be opened: a pending one would need a date."""


@dataclass(frozen=True, slots=True)
class Policies:
    """`queues` and `configuration` return the newest snapshots of the configuration."""

    queues: Callable[[], Queues]
    configuration: Callable[[], Configuration] = Configuration

    def react(self, event: Recorded) -> Sequence[Command]:
        match event.payload:
            case TicketOpened() as opened:
                return [an_opened_ticket_is_queued(opened, event.time, self.configuration())]
            case CustomerMessageReceived() as received:
                return [a_customers_message_is_taken(event, received, self._follow_ups())]
            case _:
                return []

    def _follow_ups(self) -> dict[UUID, FollowUpRule]:
        return {
            queue.id: FollowUpRule(queue.follow_up, queue.follow_up_days, queue.unverified_reopens)
            for queue in self.queues().by_id.values()
        }


def an_opened_ticket_is_queued(opened: TicketOpened, at: datetime, configuration: Configuration) -> QueueTicket:
    """A state that a trusted channel asked for is set if commands can set it and it needs no date."""
    wanted = configuration.states.get(opened.state) if opened.state else None
    return QueueTicket(
        number=opened.number,
        title=opened.title,
        queue=opened.queue,
        customer=opened.customer,
        priority=opened.priority,
        channel=opened.channel,
        # Replies to the customer do not refer to a mail that the customer may not know of.
        message_id=None if opened.internal else opened.message.message_id,
        answers_to=opened.message.answers_to if _is_from_customer(opened) else (),
        tags=opened.tags,
        fields=opened.fields,
        split_from=opened.split_from,
        topic=opened.form.topic if opened.form else None,
        also_opened=opened.also_opened,
        state=StateRef(slug=wanted.slug, name=wanted.name, type=wanted.type)
        if wanted and wanted.type in WITHOUT_DATE
        else None,
        at=at,
        opened_by=opened.opened_by,
        note=opened.note,
        text=written(opened.message),
        sender=opened.message.sender.email if opened.message.sender is not None else opened.customer.email,
    )


def _is_from_customer(opened: TicketOpened) -> bool:
    """A ticket that was split off may begin with an article of another participant."""
    return (
        not opened.internal
        and opened.message.sender is not None
        and opened.message.sender.email == opened.customer.email
    )


def continues_in(command: Command, ticket: Ticket) -> tuple[UUID, Command] | None:
    """Where a customer's message goes if the ticket was merged before intake knew of it."""
    if isinstance(command, TakeCustomerMessage) and ticket.merged_into is not None:
        return ticket.merged_into, replace(command, ticket=ticket.merged_into)
    return None


def a_customers_message_is_taken(
    event: Recorded, received: CustomerMessageReceived, rules: dict[UUID, FollowUpRule]
) -> TakeCustomerMessage:
    """The id of the new ticket is derived from the event, so that a repetition names the same ticket."""
    return TakeCustomerMessage(
        message=received.message,
        at=event.time,
        ticket=event.stream,
        becomes=uuid5(event.id, "a ticket of its own"),
        closes=received.closes,
        writer=received.customer,
        no_answer=received.no_answer,
        standing=received.standing,
        rules=rules,
    )
