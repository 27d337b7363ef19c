"""A ticket as the desk's lists and pages show it, with what one batch of events adds to its articles and history."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.contracts.parts import PersonRef, TicketRef
from shared.messaging.projection import Seen


@dataclass(slots=True)
class Article:
    """One row of `articles`."""

    id: UUID
    number: int
    created_at: datetime
    sender: str
    channel: str
    internal: bool
    subject: str
    text: str
    new_text: str | None
    html: str | None
    author: str | None
    people: dict[str, Any]
    attachments: list[Any] | None
    text_blob: dict[str, Any] | None
    mail: UUID | None
    kind: str = "message"
    raw: dict[str, Any] | None = None
    message_id: str | None = None
    written_at: datetime | None = None
    notification: UUID | None = None
    delivery: str | None = None
    reading_notes: list[str] | None = None


@dataclass(slots=True)
class Delivery:
    """A change of an article's delivery. `article` names it where the notification is new, or where there is none because the mail was not
    sent; then `message_id` is the mail's. Else the notification names it, or for a mail that came back its Message-ID."""

    notification: UUID | None
    delivery: str
    article: UUID | None = None
    message_id: str | None = None


@dataclass(slots=True)
class HistoryEntry:
    """One row of `history`."""

    id: UUID
    cause: UUID | None
    at: datetime
    number: int
    version: int
    article: int | None
    source: str
    type: str
    actor_kind: str
    actor_id: str | None
    data: dict[str, Any]


@dataclass(slots=True)
class TicketRow:
    """One row of `tickets`. `is_new` tells that it is not in the table yet; the three lists are what is to be added."""

    id: UUID
    number: str = ""
    title: str = ""
    queue_id: UUID = UUID(int=0)
    queue_slug: str = ""
    queue_name: str = ""
    state_slug: str = "new"
    state_name: str = "new"
    state_type: str = "new"
    priority: int = 3
    channel: str = "api"
    customer_id: UUID = UUID(int=0)
    customer_email: str = ""
    customer_name: str = ""
    company: str | None = None
    owner: PersonRef | None = None
    previous_owner: PersonRef | None = None
    responsible: PersonRef | None = None
    locked_by: PersonRef | None = None
    locked_since: datetime | None = None
    lock_expires_at: datetime | None = None
    reminder_due: bool = False
    links: list[dict[str, Any]] = field(default_factory=list)
    merged_into: TicketRef | None = None
    pending_until: datetime | None = None
    tags: list[str] = field(default_factory=list)
    fields: dict[str, Any] | None = None
    form: dict[str, Any] | None = None
    time_units: float = 0.0
    created_at: datetime | None = None
    updated_at: datetime | None = None
    first_answer_at: datetime | None = None
    closed_at: datetime | None = None
    article_count: int = 0
    public_article_count: int = 0
    event_count: int = 0
    seen: Seen = field(default_factory=dict)
    is_new: bool = True
    articles: list[Article] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    history: list[HistoryEntry] = field(default_factory=list)
