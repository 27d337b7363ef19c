"""What can come in for a ticket. Ids, numbers and times arrive in the command; the decider looks nothing up."""

from dataclasses import dataclass, field
from typing import Any

from shared.contracts.intake import AutomaticKind, FailedRecipient, FilledForm
from shared.contracts.parts import AnyChannel, CustomerRef, Message, PersonRef, QueueRef, Standing, TicketRef, Writer


@dataclass(frozen=True, slots=True)
class OpenTicket:
    """Somebody asks something for the first time. `opened_by` is the agent who entered it; `automatic`: a machine wrote it, or
    wants no machine's answer; `split_from`: it was taken out of that ticket, by an agent or because that was closed;
    `also_opened`: what the same mail opened in other queues; `state`: the slug that a trusted channel asked for; `proven`: it is shown that the
    customer wrote it. `writer`, `internal` and `note` as in TicketOpened."""

    number: str
    title: str
    queue: QueueRef
    customer: CustomerRef
    channel: AnyChannel
    message: Message
    priority: int = 3
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
    """Somebody wrote again. `threaded_by` says what named the ticket; `closes`: they are satisfied (A5.08); `standing`: what they are to
    the ticket."""

    customer: CustomerRef
    message: Message
    threaded_by: str = ""
    closes: bool = False
    no_answer: bool = False
    standing: Standing = "participant"


@dataclass(frozen=True, slots=True)
class ReceiveAgentMail:
    """An agent answered by mail."""

    by: PersonRef
    message: Message


@dataclass(frozen=True, slots=True)
class ReceiveAutomatic:
    """A machine answered a mail of the ticket; `about` is that mail's Message-ID, `recipients` whom it did not reach."""

    kind: AutomaticKind
    message: Message
    about: str | None = None
    recipients: tuple[FailedRecipient, ...] = ()


Command = OpenTicket | ReceiveMessage | ReceiveAgentMail | ReceiveAutomatic
