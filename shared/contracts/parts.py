"""Parts of events that several services share: references to people and queues, messages, blobs."""

import unicodedata
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from shared.contracts.event import Value
from shared.contracts.marks.open_values import Known
from shared.contracts.marks.personal import Personal

Channel = Literal["email", "phone", "web", "api", "note", "system"]
Standing = Literal["participant", "outsider", "unverified"]
"""How a writer is related to a ticket: a participant; somebody whom the desk asked in confidence; or somebody who has
not proved to be a participant."""
StateType = Literal["new", "open", "pending_reminder", "pending_auto_close", "closed", "merged", "removed"]
WriterKind = Literal["customer", "agent", "system"]
AnyChannel = Annotated[str, Known(Channel)]
AnyStanding = Annotated[str, Known(Standing)]
AnyStateType = Annotated[str, Known(StateType)]
AnyWriterKind = Annotated[str, Known(WriterKind)]


class QueueRef(Value):
    """A queue with its name at that time."""

    id: UUID
    slug: str
    name: str


class TopicRef(Value):
    """A topic with its name at that time."""

    id: UUID
    slug: str
    name: str


class RuleRef(Value):
    """A trigger with its name at that time. `version`: of its document."""

    id: UUID
    name: str
    version: int


class SlaRef(Value):
    """A service level agreement with its name at that time. `version`: of its document."""

    id: UUID
    slug: str
    name: str
    version: int


class CalendarRef(Value):
    """A calendar. `version`: of its document."""

    id: UUID
    slug: str
    version: int


class TicketRef(Value):
    """Another ticket with its title at that time. Number and title are empty until intake has opened it."""

    id: UUID
    number: str = ""
    title: Personal[str] = ""


class PersonRef(Value):
    """An agent or administrator with their name at that time."""

    id: UUID
    name: Personal[str]


class CustomerRef(Value):
    """A customer as known at that time. `email` is in lower case; `company` is a company's slug."""

    id: UUID
    email: Personal[str]
    name: Personal[str] = ""
    company: str | None = None

    @property
    def called(self) -> str:
        """The customer's name for display on one line: the name, else the address; never empty."""
        words = " ".join(self.name.split())
        seen = any(unicodedata.category(each)[0] not in "CZ" for each in words)
        return words if seen else self.email or "customer"


class StateRef(Value):
    """A state with its name at that time."""

    slug: str
    name: str
    type: AnyStateType


class Address(Value):
    """A mail address with its display name."""

    email: Personal[str]
    name: Personal[str] = ""


class Blob(Value):
    """Content in the object store. `sha256` (hex) is its key; `size` in bytes."""

    sha256: str
    size: int
    type: str


class Writer(Value):
    """Who wrote an article: a kind of person, and their name at that time."""

    kind: AnyWriterKind
    name: Personal[str] = ""


ScanResult = Literal["clean", "infected", "not_scanned"]


class Attachment(Value):
    """A file of a message. `id` names it in the API.

    `scan`: the result of the virus scan when the file came in; null if there was no scanner. `threat`: the scanner's
    name for what it found. An `infected` file is kept, but only administrators can get it.
    """

    id: UUID
    name: Personal[str]
    blob: Blob
    inline_id: str | None = None
    scan: Annotated[str, Known(ScanResult)] | None = None
    threat: str = ""


class Message(Value):
    """The content of an article. `text` has everything; `new_text` only what its writer added (null: the same).

    A text of more than 64 kB is in `text_blob` as a whole, and `text` has its beginning. `message_id` is the Message-ID
    header of the mail, with angle brackets. `mail` names the raw mail in intake, `raw` is its content. `reading_notes`
    tell the desk which parts of the mail could not be read or were changed. `reply_to`: where the sender wants answers,
    if not at their own address. `reply_to_doubt`: a code for why answers do not go there unless somebody confirms it;
    empty if they do.
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
        """Where answers go; empty: to the sender."""
        return () if self.reply_to_doubt else self.reply_to
