"""Events that intake records: what came in, from whom, and for which ticket."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from shared.contracts.event import Event, Value, event
from shared.contracts.marks.open_values import Known
from shared.contracts.marks.personal import Personal
from shared.contracts.parts import (
    AnyChannel,
    AnyStanding,
    CustomerRef,
    Message,
    PersonRef,
    QueueRef,
    TicketRef,
    TopicRef,
    Writer,
)
from shared.contracts.topics import DIRECTORY, TICKETS


class FilledField(Value):
    """One field of a submitted form: its name at that time, and its value; null if it was left empty."""

    field: str
    name: str
    value: Personal[str | bool | int | float | None] = None


class FilledForm(Value):
    """A copy of the form that opened a ticket (A1.07), in the order of its topic.

    It stays as it was submitted, even if the ticket's fields change.
    """

    topic: TopicRef
    fields: tuple[FilledField, ...] = ()


@event("helpdesk.TicketOpened.v1", owner="intake", topic=TICKETS)
class TicketOpened(Event):
    """A ticket was opened. `receipt`: whether the customer gets a receipt.

    `state`: the slug of the state that a trusted channel asked for. `also_opened`: the tickets that the same mail
    opened in other queues. `proven`: an agent wrote the message, or the customer demonstrably did; otherwise its text
    goes into no automatic mail. If an agent has split the ticket off: `writer` is who wrote `message`, `internal` tells
    whether it is for the desk only, and `note` has the internal part beside a message that is not internal.
    """

    number: str
    title: Personal[str]
    queue: QueueRef
    customer: CustomerRef
    channel: AnyChannel
    priority: int = 3
    message: Message
    opened_by: PersonRef | None = None
    fields: Personal[dict[str, Any]] = Field(default_factory=dict)
    tags: tuple[str, ...] = ()
    receipt: bool = True
    split_from: TicketRef | None = None
    also_opened: tuple[TicketRef, ...] = ()
    state: str | None = None
    form: FilledForm | None = None
    proven: bool = False
    writer: Writer | None = None
    internal: bool = False
    note: Message | None = None


@event("helpdesk.CustomerMessageReceived.v1", owner="intake", topic=TICKETS)
class CustomerMessageReceived(Event):
    """The customer, or somebody on the customer's side, wrote again on a ticket that was opened before.

    `closes`: the writer wants to close the ticket (A5.08). `no_answer`: the mail forbids automatic answers (RFC 3834).
    A message of an `unverified` writer does not change the ticket. The customer sees messages of participants only.
    """

    number: str
    customer: CustomerRef
    message: Message
    threaded_by: str = ""
    closes: bool = False
    no_answer: bool = False
    standing: AnyStanding = "participant"


@event("helpdesk.AgentMailReceived.v1", owner="intake", topic=TICKETS)
class AgentMailReceived(Event):
    """An agent answered by mail, identified by our token and the signature of their domain.

    It becomes a note: messages to customers are written at the desk only.
    """

    number: str
    by: PersonRef
    message: Message


AutomaticKind = Literal["failure", "delay", "delivered", "complaint", "auto_reply"]


class FailedRecipient(Value):
    """An address that a mail of ours did not reach.

    `hard`: the address does not work. `diagnostic`: the server's text.
    """

    recipient: Personal[str]
    status: str = ""
    hard: bool = False
    diagnostic: Personal[str] = ""


@event("helpdesk.AutomaticMailReceived.v1", owner="intake", topic=TICKETS)
class AutomaticMailReceived(Event):
    """An automatic answer to a mail of this ticket: a delivery report (RFC 3464), a complaint (RFC 5965), an absence
    note (RFC 3834).

    It does not change the ticket. `about`: the Message-ID of the mail that it refers to.
    """

    number: str
    kind: Annotated[str, Known(AutomaticKind)]
    message: Message
    about: Personal[str] | None = None
    recipients: tuple[FailedRecipient, ...] = ()


@event("helpdesk.CustomerRegistered.v1", owner="intake", topic=DIRECTORY)
class CustomerRegistered(Event):
    """A customer was seen for the first time. The stream is the customer's id."""

    customer: CustomerRef
    first_ticket: UUID


@event("helpdesk.CustomerIdentified.v1", owner="intake", topic=DIRECTORY)
class CustomerIdentified(Event):
    """A customer who was known by an address only is a person: a record with this address was created or changed.

    It happens once to a `customer`, whose tickets then belong to that person for ever. The stream has this one event.
    """

    customer: UUID
    person: UUID
