"""The rows that a ticket's events add beside the ticket itself: articles, their attachments, the history."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from shared.projections.tables import Column, Internal, Public, Table

PEOPLE_FOR_CUSTOMERS = "(people::jsonb - '{bcc,reply_to,reply_to_doubt}'::text[])::json"
AUTHOR_FOR_CUSTOMERS = "CASE WHEN sender <> 'system' OR notification IS NOT NULL THEN author END"
"""Not the name of a rule that wrote the article."""


@dataclass(slots=True, kw_only=True)
class Article:
    """A row of `articles`: a message, note or call. Customers see those that are not internal."""

    ticket_id: Annotated[UUID, Public("uuid NOT NULL")]
    id: Annotated[UUID, Public("uuid NOT NULL")]
    created_at: Annotated[datetime, Public("timestamptz NOT NULL")]
    written_at: Annotated[datetime | None, Public("timestamptz")] = None
    notification: Annotated[UUID | None, Public("uuid")] = None
    number: Annotated[int, Public("integer NOT NULL")]
    internal: Annotated[bool, Public("boolean NOT NULL")] = False
    kind: Annotated[str, Public("text NOT NULL")] = "message"
    sender: Annotated[str, Public("text NOT NULL")]
    channel: Annotated[str, Public("text NOT NULL")]
    subject: Annotated[str, Public("text NOT NULL")]
    text: Annotated[str, Public("text NOT NULL")]
    new_text: Annotated[str | None, Public("text")] = None
    html: Annotated[str | None, Public("text")] = None
    author: Annotated[str | None, Internal("text", instead=AUTHOR_FOR_CUSTOMERS)]
    delivery: Annotated[str | None, Public("text")] = None
    people: Annotated[dict[str, Any], Internal("json NOT NULL", instead=PEOPLE_FOR_CUSTOMERS)]
    attachments: Annotated[list[Any] | None, Public("json")] = None
    text_blob: Annotated[dict[str, Any] | None, Public("json")] = None
    mail: Annotated[UUID | None, Public("uuid")] = None
    raw: Annotated[dict[str, Any] | None, Public("json")] = None
    message_id: Annotated[str | None, Public("text")] = None
    reading_notes: Annotated[list[str] | None, Internal("text[]")] = None


@dataclass(slots=True)
class Delivery:
    """A change of an article's delivery, and how the article is found.

    With `article`, by its id: the notification is new, or the mail was not sent and there is none. `message_id` is then
    the mail's. Without it, by its notification, or by the Message-ID of the mail if that came back.
    """

    notification: UUID | None
    delivery: str
    article: UUID | None = None
    message_id: str | None = None


@dataclass(slots=True)
class AttachmentEntry:
    """A row of `attachments`: an article names an attachment. The article itself holds the name and the content."""

    id: Annotated[UUID, Column("uuid NOT NULL")]
    ticket_id: Annotated[UUID, Column("uuid NOT NULL")]
    article: Annotated[int, Column("integer NOT NULL")]
    internal: Annotated[bool, Column("boolean NOT NULL")]


@dataclass(slots=True)
class HistoryEntry:
    """A row of `history`: one event. `data` leaves out what the article of that number holds.

    `partition` and `position` are the event's partition and offset in the topic: the order in which changes are told.
    """

    ticket_id: Annotated[UUID, Column("uuid NOT NULL")]
    id: Annotated[UUID, Column("uuid NOT NULL")]
    cause: Annotated[UUID | None, Column("uuid")]
    at: Annotated[datetime, Column("timestamptz NOT NULL")]
    recorded_at: Annotated[datetime, Column("timestamptz NOT NULL")]
    correlation: Annotated[UUID, Column("uuid NOT NULL")]
    number: Annotated[int, Column("integer NOT NULL")]
    version: Annotated[int, Column("integer NOT NULL")]
    article: Annotated[int | None, Column("integer")]
    source: Annotated[str, Column("text NOT NULL")]
    type: Annotated[str, Column("text NOT NULL")]
    actor_kind: Annotated[str, Column("text NOT NULL")]
    actor_id: Annotated[str | None, Column("text")]
    data: Annotated[dict[str, Any], Column("json NOT NULL")]
    position: Annotated[int, Column("bigint NOT NULL")] = 0
    partition: Annotated[int, Column("smallint NOT NULL")] = 0


ARTICLES_TABLE = Table(Article)
ATTACHMENTS_TABLE = Table(AttachmentEntry)
HISTORY_TABLE = Table(HistoryEntry)
