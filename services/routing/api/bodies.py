"""The bodies of the desk's commands as they come in over HTTP (api.md, section 3)."""

from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, Field, model_validator

from shared.addresses import canonical
from shared.contracts.routing import LinkKind
from shared.http.bodies import Body
from shared.input_types import Flag, Line, Text, Whole

MOST_RECIPIENTS = 100
MOST_ATTACHMENTS = 100
MOST_AT_ONCE = 200


def _address(value: str) -> str:
    known = canonical(value)
    if known is None:
        raise ValueError("must be a mail address such as kari@example.org")
    return known


def _word(value: str) -> str:
    stripped = value.strip()
    if not stripped:
        raise ValueError("must not be empty")
    return stripped


EmailAddress = Annotated[Line, Field(max_length=320), AfterValidator(_address)]
Recipients = Annotated[tuple[EmailAddress, ...], Field(max_length=MOST_RECIPIENTS)]
TimeUnits = Annotated[float, Field(ge=0, le=100_000, allow_inf_nan=False)]
Reference = Annotated[Line, Field(min_length=1, max_length=320)]
Slug = Annotated[Line, Field(min_length=1, max_length=80)]
Title = Annotated[Line, AfterValidator(_word)]
Tags = Annotated[
    tuple[Annotated[Line, Field(max_length=80), AfterValidator(_word)], ...], Field(min_length=1, max_length=100)
]
FieldName = Annotated[Line, Field(min_length=1, max_length=80)]


class Nothing(Body):
    """Nothing."""


class LockBody(Body):
    """Nothing locks a free ticket; `take_over` with its reason in `text` takes somebody else's lock."""

    take_over: Flag = False
    text: Annotated[Text, Field(max_length=10_000)] = ""

    @model_validator(mode="after")
    def _reasoned(self) -> Self:
        if self.take_over and not self.text.strip():
            raise ValueError("a take-over needs its reason in text")
        return self


class Pending(Body):
    """The date of a pending state."""

    pending_until: AwareDatetime | None = None


class StateFields(Pending):
    """A next state by its slug, if another one is wanted; a pending one with its date."""

    state: Slug | None = None


class Words(Body):
    """A text, plain or rich, with files that were uploaded before."""

    text: Text | None = None
    html: Text | None = None
    subject: Line = ""
    attachments: Annotated[tuple[UUID, ...], Field(max_length=MOST_ATTACHMENTS)] = ()

    @property
    def has_words(self) -> bool:
        return bool((self.text or "").strip() or (self.html or "").strip())


class ReplyBody(Words, StateFields):
    """Without `text` and `html`, `template` names the standard answer that is sent."""

    to: Recipients = ()
    cc: Recipients = ()
    bcc: Recipients = ()
    template: Slug | None = None
    owner: Reference | None = None
    time_units: TimeUnits | None = None


class NoteBody(Words, StateFields):
    """`kind` `solution` marks what solved the matter."""

    internal: Flag = True
    kind: Literal["note", "solution"] = "note"
    time_units: TimeUnits | None = None


class CallBody(Words, StateFields):
    direction: Literal["in", "out"]
    time_units: TimeUnits | None = None


class ForwardBody(Words):
    article: UUID
    to: Annotated[tuple[EmailAddress, ...], Field(min_length=1, max_length=MOST_RECIPIENTS)]
    cc: Recipients = ()


class BounceBody(Body):
    article: UUID
    to: Annotated[tuple[EmailAddress, ...], Field(min_length=1, max_length=MOST_RECIPIENTS)]


class SplitBody(Body):
    articles: Annotated[tuple[UUID, ...], Field(min_length=1, max_length=100)]
    queue: Reference | None = None
    subject: Title | None = None


class AssignBody(Body):
    """`owner` is a person, or `previous`."""

    owner: Reference
    text: Text | None = None


class ResponsibleBody(Body):
    """`responsible` is a person, or null for nobody."""

    responsible: Reference | None


class MoveBody(Words, StateFields):
    """Without `text` and `html` the note says that the ticket was moved; an empty text stands for no note."""

    queue: Reference
    owner: Reference | None = None
    time_units: TimeUnits | None = None


class PriorityBody(Body):
    priority: Annotated[Whole, Field(ge=1, le=5)]


class StateBody(Pending):
    state: Slug


class RenameBody(Body):
    title: Title


class CloseBody(Words):
    state: Slug = "closed-successful"
    time_units: TimeUnits | None = None


class ReopenBody(Words):
    state: Slug = "open"
    time_units: TimeUnits | None = None


FieldValue = Annotated[Line, Field(max_length=2000)] | Flag | Whole | float | None


class FieldsBody(Body):
    """Null removes a field."""

    fields: Annotated[dict[FieldName, FieldValue], Field(min_length=1, max_length=200)]


class CustomerBody(Body):
    """A customer by e-mail address, login or id."""

    customer: Reference


class TagsBody(Body):
    tags: Tags


class LinkBody(Body):
    """`parent`: `to` is this ticket's parent; `duplicate`: this ticket repeats `to`."""

    to: Reference
    kind: LinkKind = "related"


class MergeBody(Body):
    into: Reference


class UndoBody(Body):
    """An event of the ticket's history."""

    event: UUID


class BulkBody(Body):
    """One command for many tickets."""

    tickets: Annotated[tuple[Reference, ...], Field(min_length=1, max_length=MOST_AT_ONCE)]
    command: Annotated[Line, Field(max_length=40)]
    body: dict[str, Any] = Field(default_factory=dict)


class LedBody(Body):
    """What the gateway sends for a command about articles: the caller's body, and the articles that it names, as reporting has them.

    Null where the caller cannot see them: then only a command that was carried out before has an answer."""

    body: dict[str, Any]
    originals: list[dict[str, Any]] | None
