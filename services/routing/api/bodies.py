"""Types and bodies that several commands share."""

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar
from uuid import UUID

import orjson
from pydantic import AfterValidator, AwareDatetime, BaseModel, Field, ValidationError

from services.routing.operations.content.composing import Content
from services.routing.operations.states import NextStep
from shared.addresses import valid
from shared.http.bodies import Body
from shared.http.problems import FieldError, invalid_fields, of_validation, pointer
from shared.input_types import Line, Text

MOST_RECIPIENTS = 100
MOST_ATTACHMENTS = 100
MOST_ERRORS = 20

Model = TypeVar("Model", bound=BaseModel)


def not_empty(value: str) -> str:
    stripped = value.strip()
    if not stripped:
        raise ValueError("This must not be empty.")
    return stripped


EmailAddress = Annotated[Line, Field(max_length=320), AfterValidator(valid)]
Recipients = Annotated[tuple[EmailAddress, ...], Field(max_length=MOST_RECIPIENTS)]
SomeRecipients = Annotated[tuple[EmailAddress, ...], Field(min_length=1, max_length=MOST_RECIPIENTS)]
TimeUnits = Annotated[float, Field(ge=0, le=100_000, allow_inf_nan=False)]
Reference = Annotated[Line, Field(min_length=1, max_length=320)]
Slug = Annotated[Line, Field(min_length=1, max_length=80)]
Title = Annotated[Line, AfterValidator(not_empty)]


class Nothing(Body):
    """Nothing."""


class PendingBody(Body):
    """The date of a pending state."""

    pending_until: AwareDatetime | None = None


class NextStepBody(PendingBody):
    """The slug of the next state, if the ticket is to have another one; with its date if it is a pending one."""

    state: Slug | None = None
    time_units: TimeUnits | None = None

    @property
    def step(self) -> NextStep:
        return NextStep(self.state, self.pending_until, self.time_units)


class ContentBody(Body):
    """A text, plain or rich, with files that were uploaded before."""

    text: Text | None = None
    html: Text | None = None
    subject: Line = ""
    attachments: Annotated[tuple[UUID, ...], Field(max_length=MOST_ATTACHMENTS)] = ()

    @property
    def content(self) -> Content:
        return Content(self.text, self.html, self.subject, self.attachments)


def read_nested(model: type[Model], content: Mapping[str, Any], *parents: str) -> Model:
    """A body within a body, whose fields the caller knows as below `parents`. Raises Problem 422."""
    try:
        return model.model_validate_json(orjson.dumps(content))
    except ValidationError as error:
        raise invalid_fields(
            FieldError(pointer("body", *parents, *each["loc"]), of_validation(each))
            for each in error.errors()[:MOST_ERRORS]
        ) from None
