"""The answers about articles and events. They describe; the routes answer plain values that `presentation` makes."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from services.reporting.tickets.bodies import AddressShown
from shared.contracts.marks.open_values import Known
from shared.contracts.parts import AnyChannel, AnyWriterKind, ScanResult
from shared.http import story
from shared.http.bodies import Body, example
from shared.http.references import TicketNamed

ArticleKind = Literal[
    "message", "note", "call in", "call out", "forward", "bounce", "close", "reopen", "move", "assign", "solution",
    "outsider", "unverified", "failure", "delay", "delivered", "complaint", "auto_reply",
]  # fmt: skip
ActorKind = Literal["agent", "customer", "rule", "system", "service"]


class AttachmentShown(Body):
    """A file. `inline`: the HTML shows it within the text. `threat`: the scanner's name for malware in it."""

    model_config = example(
        {
            "id": story.BLOB,
            "name": "hum.ogg",
            "type": "audio/ogg",
            "size": 48213,
            "inline": False,
            "scan": "clean",
            "threat": "",
        }
    )

    id: UUID
    name: str
    type: str
    size: int = Field(description="Bytes.")
    inline: bool
    scan: Annotated[str, Known(ScanResult)]
    threat: str


class Article(Body):
    """A message, note or call. Customers get those that are not internal."""

    model_config = example(
        {
            "id": story.ARTICLE,
            "number": 1,
            "sender": "customer",
            "channel": "email",
            "kind": "message",
            "internal": False,
            "from": {"email": story.CUSTOMER["email"], "name": story.CUSTOMER["name"]},
            "to": [{"email": "it@help.example.org", "name": ""}],
            "cc": [],
            "reply_to": [],
            "reply_to_doubt": "",
            "subject": story.TITLE,
            "text": "Since this morning.\n\n-- \nKari Nordmann, Acme",
            "new_text": "Since this morning.",
            "html": None,
            "attachments": [
                {
                    "id": story.BLOB,
                    "name": "hum.ogg",
                    "type": "audio/ogg",
                    "size": 48213,
                    "inline": False,
                    "scan": "clean",
                    "threat": "",
                }
            ],
            "reading_notes": [],
            "created_at": story.OPENED_AT,
            "author": story.CUSTOMER["name"],
            "delivery": None,
            "ticket": {"id": story.TICKET, "number": story.NUMBER},
        }
    )

    id: UUID
    number: int = Field(description="Counts from 1 in the ticket that the article belongs to.")
    sender: AnyWriterKind
    channel: AnyChannel
    kind: Annotated[str, Known(ArticleKind)]
    internal: bool
    from_: AddressShown | None = Field(alias="from")
    to: list[AddressShown]
    cc: list[AddressShown]
    reply_to: list[AddressShown] = Field(description="Where the sender wants answers, if not at their own address.")
    reply_to_doubt: str = Field(
        description="Why answers do not go there unless somebody confirms it; empty if they do."
    )
    subject: str
    text: str = Field(description="All of it.")
    new_text: str = Field(description="What its writer added, without quotes and signature.")
    html: str | None = Field(description="Safe to show.")
    attachments: list[AttachmentShown]
    reading_notes: list[str] = Field(description="What could not be read of the mail, or was changed.")
    created_at: datetime
    author: str | None
    delivery: str | None = Field(description="What became of the mail that the article was sent as; null: none was.")
    ticket: TicketNamed | None = Field(
        description="The ticket that it belongs to: this one, or one that was merged into it. Null if you may not see it."
    )


class ArticlePage(Body):
    items: list[Article]
    next_cursor: str | None


class ActorOfEvent(Body):
    model_config = example({"kind": "agent", "id": story.AGENT["id"]})

    kind: Annotated[str, Known(ActorKind)]
    id: str | None = Field(description="The id of a person or rule, or the name of a policy or service.")
    name: str | None = Field(default=None, description="Of a rule only: its name today.")
    version: int | None = Field(default=None, description="Of a rule only: the version that acted.")


class HistoryEvent(Body):
    """An event of a ticket, with what you may see of its data."""

    model_config = example(
        {
            "id": story.EVENT,
            "type": "helpdesk.TicketLocked.v1",
            "source": "/services/routing",
            "version": 2,
            "at": story.ANSWERED_AT,
            "actor": {"kind": "agent", "id": story.AGENT["id"]},
            "cause": None,
            "summary": "Locked by Eva Agent",
            "data": {"by": story.AGENT, "expires_at": "2026-11-29T10:31:40.507Z"},
        }
    )

    id: UUID
    type: str
    source: str = Field(description="`/services/` and the service that wrote it.")
    version: int = Field(description="In the service's stream of the ticket.")
    at: datetime
    actor: ActorOfEvent
    cause: UUID | None = Field(description="The event that it followed from; null for a person's own act.")
    summary: str = Field(description="In words.")
    data: dict[str, Any] = Field(description="The payload, whose schema its type names.")


class HistoryPage(Body):
    items: list[HistoryEvent]
    next_cursor: str | None
