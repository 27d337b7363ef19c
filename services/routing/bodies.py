"""The bodies of the desk's commands as they come in over HTTP (api.md, section 3)."""

from datetime import UTC, datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, Field, model_validator

from shared.contracts.parts import StateRef
from shared.contracts.states import STANDARD
from shared.http.bodies import Body, Flag, Line, Text

MOST_RECIPIENTS = 100
MOST_ATTACHMENTS = 100


def _address(value: str) -> str:
    local, at, domain = value.rpartition("@")
    if (
        not (local and at and domain)
        or any(c in value for c in ' <>,;:"()[]\\')
        or "." in (domain[:1], domain[-1:])
        or ".." in value
    ):
        raise ValueError("must be a mail address such as kari@example.org")
    return value


def _state(slug: str) -> str:
    if slug not in STANDARD or STANDARD[slug].type in ("new", "merged", "removed"):
        raise ValueError(
            f"must be one of {', '.join(s.slug for s in STANDARD.values() if s.type not in ('new', 'merged', 'removed'))}"
        )
    return slug


EmailAddress = Annotated[Line, Field(max_length=320), AfterValidator(_address)]
Recipients = Annotated[tuple[EmailAddress, ...], Field(max_length=MOST_RECIPIENTS)]
TimeUnits = Annotated[float, Field(ge=0, le=100_000, allow_inf_nan=False)]
StateSlug = Annotated[Line, AfterValidator(_state)]


class LockBody(Body):
    """Nothing locks a free ticket; `take_over` with its reason in `text` takes somebody else's lock."""

    take_over: Flag = False
    text: Text = ""


class UnlockBody(Body):
    """Nothing."""


class StateFields(Body):
    state: StateSlug | None = None
    pending_until: AwareDatetime | None = None

    @model_validator(mode="after")
    def _pending_has_its_date(self) -> Self:
        pending = self.state is not None and STANDARD[self.state].type.startswith("pending")
        if pending and self.pending_until is None:
            raise ValueError("a pending state needs pending_until")
        if self.pending_until is not None:
            if not pending:
                raise ValueError("pending_until belongs to a pending state")
            if (
                not datetime.now(UTC) < self.pending_until.astimezone(UTC)
                or self.pending_until.year > datetime.now(UTC).year + 10
            ):
                raise ValueError("pending_until must lie in the next ten years")
        return self

    def wanted(self) -> StateRef | None:
        return None if self.state is None else STANDARD[self.state]


class Words(Body):
    """A text, plain or rich."""

    text: Text | None = None
    html: Text | None = None
    subject: Line = ""
    attachments: Annotated[tuple[UUID, ...], Field(max_length=MOST_ATTACHMENTS)] = ()

    @property
    def has_words(self) -> bool:
        return bool((self.text or "").strip() or (self.html or "").strip())


class ReplyBody(Words, StateFields):
    to: Recipients = ()
    cc: Recipients = ()
    bcc: Recipients = ()
    owner: Line | None = None
    time_units: TimeUnits | None = None


class NoteBody(Words, StateFields):
    internal: Flag = True
    time_units: TimeUnits | None = None


class CloseBody(Body):
    text: Text | None = None
    subject: Line = ""
    state: StateSlug = "closed-successful"
    time_units: TimeUnits | None = None

    @model_validator(mode="after")
    def _closes(self) -> Self:
        if STANDARD[self.state].type != "closed":
            raise ValueError("state must be a closed one")
        return self


class ReopenBody(Body):
    text: Text | None = None
    subject: Line = ""
    time_units: TimeUnits | None = None
