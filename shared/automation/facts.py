"""What a condition looks at."""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import UUID

from shared.contracts.parts import AnyChannel, AnyStateType, CustomerRef, Message


@dataclass(frozen=True)
class Facts:
    """A ticket as it was right after an event, and the event.

    `queue`, `state`, `company` and `topic` are slugs; None for none. `text`: what was written, and `sender` the mail
    address of its writer; empty if nothing was written. `actor`: the kind of the actor; of an opening: who opened the
    ticket. `at`: the event's time.
    """

    queue: str
    state: str
    state_type: AnyStateType
    priority: int
    channel: AnyChannel
    title: str
    actor: str
    at: datetime
    owner: UUID | None = None
    customer: CustomerRef | None = None
    company: str | None = None
    topic: str | None = None
    tags: Sequence[str] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)
    escalated: bool = False
    text: str = ""
    sender: str = ""

    @cached_property
    def folded_text(self) -> str:
        """The text for comparisons in any case: made once, however many conditions look at it."""
        return folded(self.text)

    @cached_property
    def folded_title(self) -> str:
        return folded(self.title)


def folded(text: str) -> str:
    """The text without differences of case, and with letters and accents in one form."""
    return unicodedata.normalize("NFC", text).casefold()


def written(message: Message) -> str:
    """What the writer of a message added, for `Facts.text`. Of a long text, its beginning (64 kB)."""
    return message.text if message.new_text is None else message.new_text
