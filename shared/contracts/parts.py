"""Parts that events of several services share: references to people and queues, messages, blobs."""

import unicodedata
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from shared.contracts.event import Value
from shared.contracts.open_values import Known
from shared.contracts.personal import Personal

Channel = Literal["email", "phone", "web", "api", "note", "system"]
Standing = Literal["participant", "outsider", "unverified"]
"""Who a writer is to a ticket: one of those it is about; somebody whom the desk asked in confidence; or somebody who did not show that
they have to do with it."""
StateType = Literal["new", "open", "pending_reminder", "pending_auto_close", "closed", "merged", "removed"]
WriterKind = Literal["customer", "agent", "system"]
AnyChannel = Annotated[str, Known(Channel)]
AnyStanding = Annotated[str, Known(Standing)]
AnyStateType = Annotated[str, Known(StateType)]
AnyWriterKind = Annotated[str, Known(WriterKind)]


class QueueRef(Value):
    """A queue as it was called at that time."""

    id: UUID
    slug: str
    name: str


class TopicRef(Value):
    """A topic as it was called at that time."""

    id: UUID
    slug: str
    name: str


class TicketRef(Value):
    """Another ticket as it was called at that time; number and title are empty while intake has not opened it yet."""

    id: UUID
    number: str = ""
    title: Personal[str] = ""


class PersonRef(Value):
    """An agent or administrator as they were called at that time."""

    id: UUID
    name: Personal[str]


class CustomerRef(Value):
    """A customer as known at that time. `email` is lower case; `company` a company's slug."""

    id: UUID
    email: Personal[str]
    name: Personal[str] = ""
    company: str | None = None

    @property
    def called(self) -> str:
        """What they are called on one line, wherever somebody is to read it: their name, else their address; never nothing."""
        words = " ".join(self.name.split())
        seen = any(unicodedata.category(each)[0] not in "CZ" for each in words)
        return words if seen else self.email or "customer"


class StateRef(Value):
    """A state as it was called at that time."""

    slug: str
    name: str
    type: AnyStateType


class Address(Value):
    """A mail address with its display name."""

    email: Personal[str]
    name: Personal[str] = ""


class Blob(Value):
    """Content in the object store; `sha256` (hex) is its key, `size` in bytes."""

    sha256: str
    size: int
    type: str


class Writer(Value):
    """Whose words an article has: a kind of person, and the name that they had."""

    kind: AnyWriterKind
    name: Personal[str] = ""


ScanResult = Literal["clean", "infected", "not_scanned"]


class Attachment(Value):
    """A file of a message; `id` names it in the API.

    `scan` is what a virus scanner said when the file came in, `threat` its name for what it found; null for a file that none was asked about.
    One that is `infected` is kept, and handed to administrators only.
    """

    id: UUID
    name: Personal[str]
    blob: Blob
    inline_id: str | None = None
    scan: Annotated[str, Known(ScanResult)] | None = None
    threat: str = ""


class Message(Value):
    """One article's content. `text` keeps everything; `new_text` is what its writer added (null: the same).

    A text of more than 64 kB stands in `text_blob` as a whole and its beginning in `text`.
    `message_id` is the mail's own Message-ID header with angle brackets; `mail` names the raw mail in intake, `raw` is its content.
    `reading_notes` tell the desk what of the mail could not be read, or is not as it came.
    `reply_to` is where its sender wants answers, if not at their own address; `reply_to_doubt` is a code for why answers do not go there
    unless somebody confirms it, and empty where they do.
    """

    id: UUID
    channel: AnyChannel
    sender: Address | None = None
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    bcc: tuple[Address, ...] = ()
    subject: Personal[str] = ""
    text: Personal[str] = ""
    new_text: Personal[str] | None = None
    html: Personal[str] | None = None
    text_blob: Blob | None = None
    attachments: tuple[Attachment, ...] = ()
    message_id: Personal[str] | None = None
    mail: UUID | None = None
    raw: Blob | None = None
    written_at: datetime | None = None
    reading_notes: Personal[tuple[str, ...]] = ()
    reply_to: tuple[Address, ...] = ()
    reply_to_doubt: str = ""

    @property
    def answers_to(self) -> tuple[Address, ...]:
        """Where answers go instead of to the sender; empty: to the sender."""
        return () if self.reply_to_doubt else self.reply_to
