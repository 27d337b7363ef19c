"""Events that intake records: what came in, from whom, and to which ticket it belongs."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from shared.contracts.event import Event, Value, event
from shared.contracts.open_values import Known
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
from shared.contracts.personal import Personal
from shared.contracts.topics import DIRECTORY, TICKETS


class FilledField(Value):
    """One answer of a form: the field as it was called at that time, and what was filled in; null where it was left empty."""

    field: str
    name: str
    value: Personal[str | bool | int | float | None] = None


class FilledForm(Value):
    """A copy of the form that opened a ticket (A1.07), in the order in which its topic asked. It stays as it was sent, whatever becomes of
    the ticket's fields."""

    topic: TopicRef
    fields: tuple[FilledField, ...] = ()


@event("helpdesk.TicketOpened.v1", owner="intake", topic=TICKETS)
class TicketOpened(Event):
    """A ticket was opened. `receipt` tells whether the customer is to be sent one (api.md, section 3).

    `state` is the slug of the state that a trusted channel asked for; `also_opened` are the tickets that the same mail opened in other
    queues. `proven`: an agent wrote it, or it is shown that the customer did; otherwise its words are anybody's, and go into no automatic mail.
    What an agent has split off tells whose words `message` has (`writer`), whether it is for the desk alone (`internal`), and
    beside one that is not, what of it is (`note`).
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
    """The customer, or somebody on the customer's side, wrote again on a ticket that is already open here.

    `closes`: the writer wants the ticket closed with this (A5.08). `no_answer`: the mail forbids that a machine answers it (RFC 3834).
    What an `unverified` writer says changes nothing about the ticket; only participants' words are shown to the customer.
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
    """An agent answered by mail, known by our token and by the signature of their domain. It is a note: what leaves the desk is written
    at the desk."""

    number: str
    by: PersonRef
    message: Message


AutomaticKind = Literal["failure", "delay", "delivered", "complaint", "auto_reply"]


class FailedRecipient(Value):
    """One address that a mail of ours did not reach. `hard`: the address itself is dead; `diagnostic`: the server's words."""

    recipient: Personal[str]
    status: str = ""
    hard: bool = False
    diagnostic: Personal[str] = ""


@event("helpdesk.AutomaticMailReceived.v1", owner="intake", topic=TICKETS)
class AutomaticMailReceived(Event):
    """A machine answered a mail of this ticket: a report about its delivery (RFC 3464), a complaint (RFC 5965), an absence (RFC 3834).
    It changes nothing about the ticket. `about` is the Message-ID of our mail that it is about."""

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
    """A customer who was known by an address only is a person: a record was made with the address, or given it. It happens once to a
    `customer`, whose tickets are that person's for ever. The stream is of this one fact."""

    customer: UUID
    person: UUID
