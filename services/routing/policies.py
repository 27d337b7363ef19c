"""Which foreign event leads to which command of the desk."""

from collections.abc import Sequence

from services.routing.commands import Command, QueueTicket, TakeCustomerMessage
from shared.contracts.envelope import Recorded
from shared.contracts.intake import CustomerMessageReceived, TicketOpened

LISTENS_TO = frozenset(("intake",))


def react(event: Recorded) -> Sequence[Command]:
    match event.payload:
        case TicketOpened() as opened:
            return [an_opened_ticket_is_queued(opened)]
        case CustomerMessageReceived() as received:
            return [a_customers_message_is_taken(received)]
        case _:
            return []


def an_opened_ticket_is_queued(opened: TicketOpened) -> QueueTicket:
    return QueueTicket(
        number=opened.number,
        title=opened.title,
        queue=opened.queue,
        customer=opened.customer,
        priority=opened.priority,
        channel=opened.channel,
        message_id=opened.message.message_id,
    )


def a_customers_message_is_taken(received: CustomerMessageReceived) -> TakeCustomerMessage:
    return TakeCustomerMessage(article=received.message.id, message_id=received.message.message_id)
