"""The commands for a ticket. They bring ids, numbers and times; the decider looks nothing up."""

from dataclasses import dataclass, field
from typing import Any, Literal

from shared.contracts.intake import AutomaticKind, FailedRecipient, FilledForm
from shared.contracts.parts import AnyChannel, CustomerRef, Message, PersonRef, QueueRef, Standing, TicketRef, Writer

NORMAL_PRIORITY = 3
ThreadedBy = Literal["", "reference", "message-id", "subject"]
"""How a mail names its ticket: by a Message-ID of the desk's, by another Message-ID, or by a number in its subject."""


@dataclass(frozen=True, slots=True)
class OpenTicket:
    """Somebody has a new question.

    - `opened_by`: the agent who entered it.
    - `automatic`: a program sent it, or no automatic reply may be sent to it.
    - `split_from`: the ticket out of which it was taken, by an agent or because that ticket was closed.
    - `also_opened`: the tickets that the same mail opened in other queues.
    - `state`: the slug of the state that a trusted channel asked for.
    - `proven`: it is proven that the customer wrote it.
    - `writer`, `internal`, `note`: as in TicketOpened.
    """

    number: str
    title: str
    queue: QueueRef
    customer: CustomerRef
    channel: AnyChannel
    message: Message
    priority: int = NORMAL_PRIORITY
    opened_by: PersonRef | None = None
    fields: dict[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    automatic: bool = False
    split_from: TicketRef | None = None
    also_opened: tuple[TicketRef, ...] = ()
    state: str | None = None
    form: FilledForm | None = None
    proven: bool = False
    writer: Writer | None = None
    internal: bool = False
    note: Message | None = None


@dataclass(frozen=True, slots=True)
class ReceiveMessage:
    """Somebody wrote again. `threaded_by`: what named the ticket; `closes`: the customer is satisfied (A5.08);
    `standing`: the writer's standing on the ticket."""

    customer: CustomerRef
    message: Message
    threaded_by: str = ""
    closes: bool = False
    no_answer: bool = False
    standing: Standing = "participant"


@dataclass(frozen=True, slots=True)
class ReceiveAgentMail:
    """An agent wrote by mail."""

    by: PersonRef
    message: Message


@dataclass(frozen=True, slots=True)
class ReceiveAutomatic:
    """An automatic mail about a mail of the ticket. `about`: the Message-ID of that mail; `recipients`: the addresses
    that it did not reach."""

    kind: AutomaticKind
    message: Message
    about: str | None = None
    recipients: tuple[FailedRecipient, ...] = ()


Command = OpenTicket | ReceiveMessage | ReceiveAgentMail | ReceiveAutomatic
