"""What people ask intake for, without HTTP: a new ticket, or a message of its customer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

Channel = Literal["phone", "email", "web", "api"]


@dataclass(frozen=True, slots=True)
class ForCustomer:
    """The customer for whom an agent opens a ticket; `email` is in its canonical form."""

    email: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class NewTicket:
    """A ticket to open. `queue` and `topic` are ids or slugs; the topic decides the queue, and `fields` and
    `attachments` are what it asks for. `customer` is None when customers open tickets themselves. `priority` is None
    when nobody chose one."""

    subject: str
    body: str
    customer: ForCustomer | None = None
    queue: str | None = None
    topic: str | None = None
    priority: int | None = None
    channel: Channel = "api"
    fields: Mapping[str, Any] = field(default_factory=dict)
    tags: Sequence[str] = ()
    attachments: Sequence[UUID] = ()


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A customer's message for a ticket. Agents name the customer in `on_behalf_of`; `close`: the customer is satisfied
    (A5.08)."""

    text: str | None = None
    html: str | None = None
    on_behalf_of: str | None = None
    attachments: Sequence[UUID] = ()
    close: bool = False
