"""The bodies of requests and responses of intake over HTTP."""

import math
from typing import Annotated, Any, Literal, Self
from uuid import UUID

import orjson
from pydantic import AfterValidator, Field, model_validator

from services.intake.opening.requests import ForCustomer, NewMessage, NewTicket
from shared.addresses import valid
from shared.http import story
from shared.http.bodies import Body, example
from shared.input_types import Flag, Line, Text, Whole

LONGEST_SUBJECT = 300
MOST_FIELDS_BYTES = 64 * 1024
MOST_VALUES = 12_000
"""Values in a new ticket. It may have 100 fields with lists of 100 values."""


def _filled(text: str) -> str:
    if not text.strip():
        raise ValueError("This must not be blank.")
    return text


def _scalar(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, bool | str) or (isinstance(value, int) and -(2**63) <= value < 2**63)


def _each_once(ids: list[UUID]) -> list[UUID]:
    if len(set(ids)) < len(ids):
        raise ValueError("A file is named twice.")
    return ids


def _fields(fields: dict[str, Any]) -> dict[str, Any]:
    for name, value in fields.items():
        if not (_scalar(value) or (isinstance(value, list) and len(value) <= 100 and all(map(_scalar, value)))):
            raise ValueError(
                f"The field {name[:40]!r} takes a text, a number, true, false, null, or a list of at most 100 of them."
            )
    if len(orjson.dumps(fields)) > MOST_FIELDS_BYTES:
        raise ValueError(f"All fields together must have at most {MOST_FIELDS_BYTES} bytes.")
    return fields


EmailAddress = Annotated[Line, Field(max_length=254), AfterValidator(valid)]
"""An e-mail address in its canonical form."""
Subject = Annotated[Line, Field(min_length=1, max_length=LONGEST_SUBJECT), AfterValidator(_filled)]
Tag = Annotated[Line, Field(min_length=1, max_length=100), AfterValidator(_filled)]
FieldName = Annotated[Line, Field(min_length=1, max_length=100)]
Fields = Annotated[dict[FieldName, Any], Field(max_length=100), AfterValidator(_fields)]
BlobIds = Annotated[list[UUID], Field(max_length=100), AfterValidator(_each_once)]


class CustomerBody(Body):
    """The customer of a new ticket."""

    email: EmailAddress
    name: Annotated[Line, Field(max_length=200)] = ""


class TicketBody(Body):
    """A new ticket. `queue` and `topic` are ids or slugs; the topic decides the queue, and `fields` and `attachments`
    are what it asks for. If customers open a ticket themselves, `customer` is taken from their session."""

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
            raise ValueError("The topic decides the queue: name one of them.")
        return self

    def request(self) -> NewTicket:
        return NewTicket(
            subject=self.subject,
            body=self.body,
            customer=ForCustomer(self.customer.email, self.customer.name) if self.customer is not None else None,
            queue=self.queue,
            topic=self.topic,
            priority=self.priority if "priority" in self.model_fields_set else None,
            channel=self.channel,
            fields=self.fields,
            tags=self.tags,
            attachments=self.attachments,
        )


class MessageBody(Body):
    """A customer's message on a ticket. Agents name the customer in `on_behalf_of`."""

    text: Text | None = None
    html: Text | None = None
    on_behalf_of: EmailAddress | None = None
    attachments: BlobIds = Field(default_factory=list)
    close: Flag = False

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not (self.text or "").strip() and not (self.html or "").strip():
            raise ValueError("A text is missing.")
        return self

    def request(self) -> NewMessage:
        return NewMessage(self.text, self.html, self.on_behalf_of, self.attachments, self.close)


class Opened(Body):
    """The response to opening a ticket."""

    model_config = example({"id": story.TICKET, "number": story.NUMBER, "version": 1})

    id: str
    number: str
    version: int


class Received(Body):
    """The response to a message: the version of intake's stream, and the id of the new article."""

    model_config = example({"version": 2, "article_id": story.ARTICLE})

    version: int
    article_id: str
