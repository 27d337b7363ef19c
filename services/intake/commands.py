"""What can come in for a ticket. Ids, numbers and times arrive in the command; the decider looks nothing up."""

from dataclasses import dataclass, field
from typing import Any

from shared.contracts.parts import Channel, CustomerRef, Message, PersonRef, QueueRef, TicketRef


@dataclass(frozen=True, slots=True)
class OpenTicket:
    """Somebody asks something for the first time. `opened_by` is the agent who entered it; `automatic`: a machine wrote it, or
    wants no machine's answer; `split_from`: it was taken out of that ticket, by an agent or because that was closed."""

    number: str
    title: str
    queue: QueueRef
    customer: CustomerRef
    channel: Channel
    message: Message
    priority: int = 3
    opened_by: PersonRef | None = None
    fields: dict[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    automatic: bool = False
    split_from: TicketRef | None = None


@dataclass(frozen=True, slots=True)
class ReceiveMessage:
    """Somebody on the customer's side wrote again. `threaded_by` says what named the ticket; `closes`: they are satisfied (A5.08)."""

    customer: CustomerRef
    message: Message
    threaded_by: str = ""
    closes: bool = False
    no_answer: bool = False


Command = OpenTicket | ReceiveMessage
