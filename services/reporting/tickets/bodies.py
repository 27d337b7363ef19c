"""The answers about tickets. They describe; the routes answer plain values that `presentation` makes.

The columns of the list come from `TicketRow`, so that a column is declared once (decision 0097).
"""

from datetime import datetime
from typing import Annotated, Any, get_type_hints
from uuid import UUID

from pydantic import Field, create_model

from services.reporting.tickets.read_model.ticket_row import TICKETS_TABLE, TicketRow
from shared.contracts.parts import AnyStateType
from shared.contracts.routing import AnyClock, AnyClockState, AnyLinkKind
from shared.http import story
from shared.http.bodies import Body, example
from shared.http.references import PersonNamed, QueueNamed, TicketNamed, TicketWithTitle
from shared.projections.tables import Column

CUSTOMER = story.CUSTOMER | {"company": story.COMPANY["slug"]}


class StateNamed(Body):
    model_config = example({"slug": "open", "name": "open", "type": "open"})

    slug: str
    name: str
    type: AnyStateType


class PriorityNamed(Body):
    model_config = example({"id": 3, "name": "3 normal"})

    id: int
    name: str


class Lock(Body):
    """Customers see every ticket as not locked."""

    model_config = example(
        {"locked": True, "by": story.AGENT, "since": story.ANSWERED_AT, "expires_at": "2026-11-29T10:31:40.507Z"}
    )

    locked: bool
    by: PersonNamed | None
    since: datetime | None
    expires_at: datetime | None = Field(description="Null: it never expires.")


class CustomerNamed(Body):
    model_config = example(CUSTOMER)

    id: UUID
    name: str
    email: str
    company: str | None = Field(description="The slug of a company.")


class CustomerOfTicket(CustomerNamed):
    model_config = example(CUSTOMER | {"open_tickets": 2})

    open_tickets: int = Field(description="Their tickets that are not closed and that you may see, at most 1000.")


class Link(Body):
    """A link to a ticket that you may see. Of a parent or duplicate, the child or copy has the outgoing side."""

    model_config = example(
        {
            "kind": "related",
            "outgoing": True,
            "ticket": {"id": story.OTHER_TICKET, "number": story.OTHER_NUMBER, "title": story.OTHER_TITLE},
        }
    )

    kind: AnyLinkKind
    outgoing: bool
    ticket: TicketWithTitle


class DeadlineShown(Body):
    """A clock of the ticket, as a service level promises it (A21.14). What is broken and has not ended is late now."""

    model_config = example(
        {
            "clock": "first_answer",
            "sla": "gold",
            "due_at": "2026-11-29T09:34:03.120Z",
            "state": "running",
            "warned": False,
            "remaining_minutes": 12.5,
            "ended_at": None,
            "promise": "first answer by 10:34",
        }
    )

    clock: AnyClock
    sla: str = Field(description="The slug of the service level.")
    due_at: datetime | None = Field(description="Null while it is paused.")
    state: AnyClockState = Field(description="Of a clock that was withdrawn, nothing is shown.")
    warned: bool = Field(description="Whether it was nearly over at some time.")
    remaining_minutes: float = Field(description="What is left, in working time; 0 if it is broken.")
    ended_at: datetime | None = Field(description="When it ended, kept or broken; null: it goes on.")
    promise: str = Field(description="The same in words, on the clock of the reader.")


class TopicNamed(Body):
    id: UUID
    slug: str
    name: str


class FilledField(Body):
    """A field of a submitted form; null if it was left empty."""

    field: str
    name: str
    value: str | bool | int | float | None


class FilledForm(Body):
    """The form that opened the ticket, as it was submitted."""

    topic: TopicNamed
    fields: list[FilledField]


class AddressShown(Body):
    """A mail address in its own script."""

    model_config = example({"email": story.CUSTOMER["email"], "name": story.CUSTOMER["name"]})

    email: str
    name: str


class LastMessage(Body):
    """A message as lists have it. A message without a subject has the ticket's title."""

    from_: AddressShown = Field(alias="from")
    subject: Annotated[str, Field(examples=[story.TITLE])]
    at: Annotated[datetime, Field(examples=[story.OPENED_AT])]


_EXAMPLES: dict[str, Any] = {
    "created_at": story.OPENED_AT,
    "updated_at": story.ANSWERED_AT,
    "first_answer_at": story.ANSWERED_AT,
    "last_answer_at": story.ANSWERED_AT,
    "due_at": "2026-11-29T09:34:03.120Z",
    "time_units": 2.5,
    "article_count": 2,
    "number": story.NUMBER,
    "title": story.TITLE,
    "channel": "email",
    "tags": ["hardware"],
}
_SHAPES: dict[str, Any] = {"form": FilledForm | None}
"""Columns that hold JSON of a known shape."""


def _columns() -> dict[str, Any]:
    """The columns that the API shows as they are, as fields of a model."""
    hints = get_type_hints(TicketRow, include_extras=True)
    fields: dict[str, Any] = {}
    for name, column in TICKETS_TABLE.columns.items():
        if not column.shown:
            continue
        kind = hints[name].__origin__
        if "NOT NULL" in column.definition and None.__class__ in getattr(kind, "__args__", ()):
            (kind,) = (each for each in kind.__args__ if each is not None.__class__)
        for mark in hints[name].__metadata__:
            kind = kind if isinstance(mark, Column) else Annotated[kind, mark]
        default = TicketRow.__dataclass_fields__[name].default
        examples = [_EXAMPLES.get(name, default)] if name in _EXAMPLES or isinstance(default, bool) else None
        fields[name] = (_SHAPES.get(name, kind), Field(examples=examples))
    return fields


class _Composed(Body):
    """What `TicketPresenter.ticket` composes of several columns."""

    id: Annotated[UUID, Field(examples=[story.TICKET])]
    queue: Annotated[
        QueueNamed | None,
        Field(description="Null only with `as_of`, for a queue that you may not know of.", examples=[story.QUEUE]),
    ]
    state: StateNamed
    priority: PriorityNamed
    owner: Annotated[PersonNamed | None, Field(examples=[story.AGENT])]
    previous_owner: PersonNamed | None
    responsible: PersonNamed | None
    lock: Lock
    customer: CustomerNamed
    last_message: Annotated[
        LastMessage | None,
        Field(
            description="The newest message of a customer that is not internal.",
            examples=[
                {
                    "from": {"email": story.CUSTOMER["email"], "name": story.CUSTOMER["name"]},
                    "subject": story.TITLE,
                    "at": story.OPENED_AT,
                }
            ],
        ),
    ]
    deadlines: Annotated[
        list[DeadlineShown], Field(description="In the order first answer, update, solution. Customers see none.")
    ]
    fields: Annotated[dict[str, Any], Field(examples=[{"room": "B 214"}])]
    links: list[Link] = Field(description="Those to tickets that you may see.")
    merged_into: TicketNamed | None = Field(description="Null if you may not see that ticket.")
    versions: Annotated[
        dict[str, int],
        Field(
            description="Service -> version of its stream that the answer shows.",
            examples=[{"intake": 1, "routing": 4, "notify": 2}],
        ),
    ]
    allowed: Annotated[
        list[str], Field(description="The commands that you may give now.", examples=[["reply", "note", "unlock"]])
    ]


Ticket = create_model("Ticket", __base__=_Composed, __doc__="A ticket as lists have it.", **_columns())
TicketDetails = create_model(
    "TicketDetails", __base__=Ticket, __doc__="A ticket with its customer's open tickets.", customer=CustomerOfTicket
)


class TicketCount(Body):
    """How many tickets a list has. `exact` is false if it has more than `value`."""

    model_config = example({"value": 110, "exact": True})

    value: int
    exact: bool


class TicketPage(Body):
    items: list[Ticket]  # pyright: ignore[reportInvalidTypeForm]
    next_cursor: str | None
    count: TicketCount | None = Field(
        default=None, description="Only with `count=true`.", examples=[{"value": 110, "exact": True}]
    )
