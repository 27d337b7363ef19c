"""What triggers and macros do: a closed set of actions, with the bodies of the commands (api.md, section 9)."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, AwareDatetime, Field, model_validator

from shared.automation.parts import FieldValues, Number, OrWord, Part
from shared.contracts.marks.declaration import PersonOrAddress, ReferenceTo
from shared.input_types import Flag, Line, Reference, Text, Whole

MOST_ACTIONS = 50
LONGEST_TEXT = 20_000
PREVIOUS = "previous"
RECIPIENTS = ("customer", "owner", "responsible", "followers")
"""Whom `notify` can name by their part in the ticket."""

Turn = Literal["round-robin", "least-loaded", "nobody"]
PersonReference = Annotated[Reference, ReferenceTo("person", keeps_retired=True)]
NoteText = Annotated[Text, Field(max_length=LONGEST_TEXT)]


def _not_blank(text: str) -> str:
    stripped = text.strip()
    if not stripped:
        raise ValueError("This must not be empty.")
    return stripped


Tags = Annotated[
    list[Annotated[Line, Field(max_length=80), AfterValidator(_not_blank)]], Field(min_length=1, max_length=100)
]
FieldValue = Annotated[Line, Field(max_length=2_000)] | Flag | Number | None


class _WithState(Part):
    """The slug of the next state; a pending one has a date, unless its document says how long it waits."""

    state: Annotated[Reference, ReferenceTo("state")] | None = None
    pending_until: AwareDatetime | None = None


class Move(_WithState):
    """Moves the ticket. Without a text, a note says that it was moved; with an empty text there is no note."""

    do: Literal["move"]
    queue: Annotated[Reference, ReferenceTo("queue")]
    owner: PersonReference | None = None
    text: NoteText | None = None
    html: NoteText | None = None
    subject: Line = ""


class SetPriority(Part):
    """Sets the priority, from 1 to 5."""

    do: Literal["set-priority"]
    priority: Annotated[Whole, Field(ge=1, le=5)]


class SetState(Part):
    """Sets the state; a pending one has a date, unless its document says how long it waits."""

    do: Literal["set-state"]
    state: Annotated[Reference, ReferenceTo("state")]
    pending_until: AwareDatetime | None = None


class Assign(Part):
    """Hands the ticket to an owner: a person, the `previous` one, or one who is found.

    `round-robin`: the queue's members in turn; `least-loaded`: the member with the fewest open tickets; members who are
    away are left out. `nobody`: the ticket has no owner.
    """

    do: Literal["assign"]
    owner: Annotated[Reference, ReferenceTo("person", keeps_retired=True), OrWord(PREVIOUS)] | None = None
    to: Turn | None = None
    text: NoteText | None = None

    @model_validator(mode="after")
    def _has_one_owner(self) -> Self:
        if (self.owner is None) == (self.to is None):
            raise ValueError("Either `owner` or `to` is needed.")
        return self


class Tag(Part):
    """Adds tags."""

    do: Literal["tag"]
    tags: Tags


class Untag(Part):
    """Removes tags."""

    do: Literal["untag"]
    tags: Tags


class SetFields(Part):
    """Sets fields; null removes one."""

    do: Literal["set-fields"]
    fields: Annotated[
        dict[Annotated[Line, Field(min_length=1, max_length=80)], FieldValue],
        FieldValues(),
        Field(min_length=1, max_length=200),
    ]


class Note(_WithState):
    """Writes a note, internal unless told otherwise."""

    do: Literal["note"]
    text: NoteText | None = None
    html: NoteText | None = None
    subject: Line = ""
    internal: Flag = True
    kind: Literal["note", "solution"] = "note"

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not (self.text or "").strip() and not (self.html or "").strip():
            raise ValueError("A note needs a text.")
        return self


class SetResponsible(Part):
    """Names who sees to it that the ticket is carried out; null: nobody."""

    do: Literal["set-responsible"]
    responsible: PersonReference | None


class Notify(Part):
    """Sends a mail to people and addresses. `followers`: the agents who want mails about the ticket's queue."""

    do: Literal["notify"]
    to: Annotated[
        list[Annotated[Reference, PersonOrAddress(), OrWord(*RECIPIENTS)]], Field(min_length=1, max_length=50)
    ]
    template: Annotated[Reference, ReferenceTo("template")]


class Reply(Part):
    """Answers the customer with a standard answer. In macros only."""

    do: Literal["reply"]
    template: Annotated[Reference, ReferenceTo("template")]


Action = Annotated[
    Move | SetPriority | SetState | Assign | Tag | Untag | SetFields | Note | SetResponsible | Notify,
    Field(discriminator="do"),
]
MacroAction = Annotated[
    Move | SetPriority | SetState | Assign | Tag | Untag | SetFields | Note | SetResponsible | Notify | Reply,
    Field(discriminator="do"),
]
Actions = Annotated[list[Action], Field(min_length=1, max_length=MOST_ACTIONS)]
MacroActions = Annotated[list[MacroAction], Field(min_length=1, max_length=MOST_ACTIONS)]
