"""The bodies of intake's commands as they come in over HTTP (api.md, section 3)."""

import math
from typing import Annotated, Any, Literal, Self
from uuid import UUID

import orjson
from pydantic import AfterValidator, Field, model_validator

from shared.addresses import canonical
from shared.http.bodies import Body
from shared.input_types import Flag, Line, Text, Whole

LONGEST_SUBJECT = 300
MOST_FIELDS_BYTES = 64 * 1024
MOST_VALUES = 12_000
"""Values in a new ticket, which may have 100 fields with lists of 100."""


def _filled(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be blank")
    return text


def _address(value: str) -> str:
    known = canonical(value)
    if known is None:
        raise ValueError("must be a mail address such as kari@example.org")
    return known


def _scalar(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, bool | str) or (isinstance(value, int) and -(2**63) <= value < 2**63)


def _each_once(ids: list[UUID]) -> list[UUID]:
    if len(set(ids)) < len(ids):
        raise ValueError("names a file twice")
    return ids


def _fields(fields: dict[str, Any]) -> dict[str, Any]:
    for name, value in fields.items():
        if not (_scalar(value) or (isinstance(value, list) and len(value) <= 100 and all(map(_scalar, value)))):
            raise ValueError(
                f"{name[:40]!r} must be a text, a number, true, false, null, or a list of at most 100 of them"
            )
    if len(orjson.dumps(fields)) > MOST_FIELDS_BYTES:
        raise ValueError(f"must be at most {MOST_FIELDS_BYTES} bytes together")
    return fields


EmailAddress = Annotated[Line, Field(max_length=254), AfterValidator(_address)]
"""A mail address in its canonical form."""
Subject = Annotated[Line, Field(min_length=1, max_length=LONGEST_SUBJECT), AfterValidator(_filled)]
Tag = Annotated[Line, Field(min_length=1, max_length=100), AfterValidator(_filled)]
FieldName = Annotated[Line, Field(min_length=1, max_length=100)]
Fields = Annotated[dict[FieldName, Any], Field(max_length=100), AfterValidator(_fields)]
BlobIds = Annotated[list[UUID], Field(max_length=100), AfterValidator(_each_once)]


class CustomerBody(Body):
    """Whom a ticket is for."""

    email: EmailAddress
    name: Annotated[Line, Field(max_length=200)] = ""


class TicketBody(Body):
    """A new ticket. `queue` by id or slug; a customer's own call takes the customer from the session. `topic` by id or slug: it decides the queue,
    and `fields` and `attachments` are what it asks."""

    subject: Subject
    body: Text
    customer: CustomerBody | None = None
    queue: Annotated[Line, Field(min_length=1, max_length=100)] | None = None
    topic: Annotated[Line, Field(min_length=1, max_length=100)] | None = None
    priority: Annotated[Whole, Field(ge=1, le=5)] = 3
    channel: Literal["phone", "email", "web", "api"] = "api"
    fields: Fields = Field(default_factory=dict)
    tags: Annotated[list[Tag], Field(max_length=50)] = Field(default_factory=list)
    attachments: BlobIds = Field(default_factory=list)

    @model_validator(mode="after")
    def _one_way_to_a_queue(self) -> Self:
        if self.topic is not None and self.queue is not None:
            raise ValueError("the topic decides the queue: name one of them")
        return self


class MessageBody(Body):
    """The customer's own words on a ticket; an agent says on whose behalf."""

    text: Text | None = None
    html: Text | None = None
    on_behalf_of: EmailAddress | None = None
    attachments: BlobIds = Field(default_factory=list)
    close: Flag = False

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not (self.text or "").strip() and not (self.html or "").strip():
            raise ValueError("a text is missing")
        return self


class Opened(Body):
    """What an opening answers."""

    id: str
    number: str
    version: int


class Received(Body):
    """What a message answers: the version of intake's stream and the new article's id."""

    version: int
    article_id: str
