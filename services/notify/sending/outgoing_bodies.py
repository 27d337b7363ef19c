"""Bodies of the routes for outgoing mail."""

from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, Field

from services.notify.sending.outgoing import Action
from shared.http.bodies import Body
from shared.input_types import Line


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("Give a reason. Other administrators can read it.")
    return text.strip()


Reason = Annotated[
    Line, Field(max_length=500, description="Why. Other administrators can read it."), AfterValidator(_not_blank)
]
QueueName = Annotated[Line, Field(min_length=1, max_length=254, description="A queue by slug or id.")]
DomainName = Annotated[
    Line, Field(min_length=1, max_length=253, description="The domain of the recipients, such as outlook.com.")
]


class QueueOfMail(Body):
    id: UUID
    slug: str
    name: str


class TicketOfMail(Body):
    id: UUID
    number: str | None


class Who(Body):
    id: UUID
    name: str


class SelectionBody(Body):
    """Which mail is meant: of a queue, to a domain, or all of it."""

    queue: QueueName | None = None
    domain: DomainName | None = None


class PauseBody(SelectionBody):
    """Which mail to hold, and why."""

    reason: Reason


class ResumeBody(SelectionBody):
    """Which mail to send again: exactly what was paused."""

    reason: Annotated[Line, Field(max_length=500)] = ""


class GiveUpBody(Body):
    """Why this mail is never to be sent."""

    reason: Reason


class Waiting(Body):
    """`waiting` includes `on_their_way` and `paused`.

    `last_words`: the last reply of a server about one of these mails.
    """

    waiting: int
    on_their_way: int
    paused: int
    oldest_at: AwareDatetime | None
    next_attempt_at: AwareDatetime | None
    last_words: str | None


class WaitingDomain(Waiting):
    domain: str


class WaitingQueue(Waiting):
    queue: QueueOfMail


class Pause(Body):
    queue: QueueOfMail | None
    domain: str | None
    by: Who
    reason: str
    since: AwareDatetime


class Summary(Waiting):
    """All mails that have not left."""

    pauses: list[Pause]
    domains: list[WaitingDomain]
    queues: list[WaitingQueue]


class OutgoingItem(Body):
    """A mail that has not left. `recipients`: those who do not have it yet."""

    id: UUID
    ticket: TicketOfMail
    kind: str
    queue: QueueOfMail | None
    domain: str
    recipients: list[str]
    subject: str
    requested_at: AwareDatetime
    next_attempt_at: AwareDatetime | None = Field(description="Null while it is paused.")
    attempts: int
    on_its_way: bool
    paused: bool
    last_words: str | None = Field(description="The reply of the server at the last attempt.")


class OutgoingPage(Body):
    items: list[OutgoingItem]
    next_cursor: str | None


class Decision(Body):
    id: UUID
    at: AwareDatetime
    action: Action
    by: Who
    reason: str
    queue: QueueOfMail | None
    domain: str | None
    mail: UUID | None
    ticket: UUID | None


class DecisionPage(Body):
    items: list[Decision]
    next_cursor: str | None


class PauseAnswer(Body):
    paused: bool


class MailAnswer(Body):
    id: UUID
