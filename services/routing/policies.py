"""Which foreign event leads to which command of the desk."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID, uuid5

from services.routing.commands import Command, FollowUpRule, QueueTicket, TakeCustomerMessage
from shared.contracts.envelope import Recorded
from shared.contracts.intake import CustomerMessageReceived, TicketOpened
from shared.directory.copy import Queues

LISTENS_TO = frozenset(("intake",))


@dataclass(frozen=True, slots=True)
class Policies:
    """`queues` answers the newest snapshot of the documents."""

    queues: Callable[[], Queues]

    def react(self, event: Recorded) -> Sequence[Command]:
        match event.payload:
            case TicketOpened() as opened:
                return [an_opened_ticket_is_queued(opened)]
            case CustomerMessageReceived() as received:
                return [a_customers_message_is_taken(event, received, self._follow_ups())]
            case _:
                return []

    def _follow_ups(self) -> dict[UUID, FollowUpRule]:
        return {queue.id: FollowUpRule(queue.follow_up, queue.follow_up_days) for queue in self.queues().by_id.values()}


def an_opened_ticket_is_queued(opened: TicketOpened) -> QueueTicket:
    return QueueTicket(
        number=opened.number,
        title=opened.title,
        queue=opened.queue,
        customer=opened.customer,
        priority=opened.priority,
        channel=opened.channel,
        message_id=opened.message.message_id,
        tags=opened.tags,
        fields=opened.fields,
        split_from=opened.split_from,
    )


def a_customers_message_is_taken(
    event: Recorded, received: CustomerMessageReceived, rules: dict[UUID, FollowUpRule]
) -> TakeCustomerMessage:
    """Made again of the same event, the command names the same new ticket."""
    return TakeCustomerMessage(
        message=received.message,
        at=event.time,
        ticket=event.stream,
        becomes=uuid5(event.id, "a ticket of its own"),
        closes=received.closes,
        writer=received.customer,
        no_answer=received.no_answer,
        rules=rules,
    )
