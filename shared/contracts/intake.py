"""Events that intake records: what came in, from whom, and to which ticket it belongs."""

from typing import Any
from uuid import UUID

from pydantic import Field

from shared.contracts.event import Event, event
from shared.contracts.parts import Channel, CustomerRef, Message, PersonRef, QueueRef, TicketRef
from shared.contracts.personal import Personal
from shared.contracts.topics import DIRECTORY, TICKETS


@event("helpdesk.TicketOpened.v1", owner="intake", topic=TICKETS)
class TicketOpened(Event):
    """A ticket was opened. `receipt` tells whether the customer is to be sent one (api.md, section 3)."""

    number: str
    title: Personal[str]
    queue: QueueRef
    customer: CustomerRef
    channel: Channel
    priority: int = 3
    message: Message
    opened_by: PersonRef | None = None
    fields: Personal[dict[str, Any]] = Field(default_factory=dict)
    tags: tuple[str, ...] = ()
    receipt: bool = True
    split_from: TicketRef | None = None


@event("helpdesk.CustomerMessageReceived.v1", owner="intake", topic=TICKETS)
class CustomerMessageReceived(Event):
    """The customer, or somebody on the customer's side, wrote again on a ticket that is already open here.

    `closes`: the writer wants the ticket closed with this (A5.08). `no_answer`: the mail forbids that a machine answers it (RFC 3834).
    """

    number: str
    customer: CustomerRef
    message: Message
    threaded_by: str = ""
    closes: bool = False
    no_answer: bool = False


@event("helpdesk.CustomerRegistered.v1", owner="intake", topic=DIRECTORY)
class CustomerRegistered(Event):
    """A customer was seen for the first time. The stream is the customer's id."""

    customer: CustomerRef
    first_ticket: UUID
