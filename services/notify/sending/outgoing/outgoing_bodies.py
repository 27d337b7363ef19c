"""Bodies of the routes for outgoing mail."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, Field

from services.notify.sending.outgoing.outgoing import Action
from shared.http import story
from shared.http.bodies import Body, example
from shared.http.references import PersonNamed, QueueNamed
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


WAITING: dict[str, Any] = {
    "waiting": 3,
    "on_their_way": 1,
    "paused": 2,
    "oldest_at": story.OPENED_AT,
    "next_attempt_at": story.ANSWERED_AT,
    "last_words": "451 4.7.1 Try again later",
}
DOMAIN = "acme.example"
WHY = "The mail server of Acme is being moved."
PAUSE = {"queue": None, "domain": DOMAIN, "by": story.AGENT, "reason": WHY, "since": story.OPENED_AT}


class TicketOfMail(Body):
    model_config = example({"id": story.TICKET, "number": story.NUMBER})

    id: UUID
    number: str | None


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

    model_config = example(WAITING)

    waiting: int
    on_their_way: int
    paused: int
    oldest_at: AwareDatetime | None
    next_attempt_at: AwareDatetime | None
    last_words: str | None


class WaitingDomain(Waiting):
    model_config = example(WAITING | {"domain": DOMAIN})

    domain: str


class WaitingQueue(Waiting):
    model_config = example(WAITING | {"queue": story.QUEUE})

    queue: QueueNamed


class Pause(Body):
    model_config = example(PAUSE)

    queue: QueueNamed | None
    domain: str | None
    by: PersonNamed
    reason: str
    since: AwareDatetime


class Summary(Waiting):
    """All mails that have not left."""

    model_config = example(
        WAITING
        | {
            "pauses": [PAUSE],
            "domains": [WAITING | {"domain": DOMAIN}],
            "queues": [WAITING | {"queue": story.QUEUE}],
        }
    )

    pauses: list[Pause]
    domains: list[WaitingDomain]
    queues: list[WaitingQueue]


class OutgoingItem(Body):
    """A mail that has not left. `recipients`: those who do not have it yet."""

    model_config = example(
        {
            "id": story.MAIL,
            "ticket": {"id": story.TICKET, "number": story.NUMBER},
            "report_run": None,
            "kind": "reply",
            "queue": story.QUEUE,
            "domain": DOMAIN,
            "recipients": [story.CUSTOMER["email"]],
            "subject": f"[Ticket#{story.NUMBER}] {story.TITLE}",
            "requested_at": story.ANSWERED_AT,
            "next_attempt_at": None,
            "attempts": 1,
            "on_its_way": False,
            "paused": True,
            "last_words": "451 4.7.1 Try again later",
        }
    )

    id: UUID
    ticket: TicketOfMail | None = Field(description="Null for a report that is sent by a schedule.")
    report_run: UUID | None = Field(description="The run of a report schedule.")
    kind: str
    queue: QueueNamed | None
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
    model_config = example(
        {
            "id": story.EVENT,
            "at": story.OPENED_AT,
            "action": "pause",
            "by": story.AGENT,
            "reason": WHY,
            "queue": None,
            "domain": DOMAIN,
            "mail": None,
            "ticket": None,
        }
    )

    id: UUID
    at: AwareDatetime
    action: Action
    by: PersonNamed
    reason: str
    queue: QueueNamed | None
    domain: str | None
    mail: UUID | None
    ticket: UUID | None


class DecisionPage(Body):
    items: list[Decision]
    next_cursor: str | None


class PauseAnswer(Body):
    model_config = example({"paused": True})

    paused: bool


class MailAnswer(Body):
    model_config = example({"id": story.MAIL})

    id: UUID
