"""Whole installations as far as mail goes: the real intake on a database of its own, and notify's own rules, side by side in a test."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from services.intake.mail.reading_pool import Readers
from services.intake.mailroom.envelope import Envelope
from services.intake.mailroom.mailroom import Mailroom
from services.intake.records.mails import Mail
from services.notify import ticket as notify_ticket
from services.notify.policies import Policies
from services.notify.ticket import Ticket
from services.notify.writing.mail_builder import MailBuilder
from services.notify.writing.message import EncodedMail, encode
from shared.contracts.directory import Queue
from shared.contracts.event import Event
from shared.contracts.notify import NotificationRequested
from tests.services.intake.conftest import open_mailroom


@dataclass
class Installation:
    """`mails` are those that have left; nothing brings them anywhere but a test."""

    domain: str
    mailroom: Mailroom
    policies: Policies
    mails: list[EncodedMail] = field(default_factory=list)
    _seen: dict[UUID, int] = field(default_factory=dict)
    _states: dict[UUID, Ticket] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return f"it@{self.domain}"

    async def take(self, raw: bytes, sender: str, *recipients: str) -> Mail:
        """A mail comes in, and what follows from it goes out."""
        taken = await self.mailroom.take(raw, Envelope(sender, recipients or (self.address,)))
        if taken.ticket_id is not None:
            await self._follow(taken.ticket_id)
        return taken

    async def events(self, ticket: UUID | None) -> Sequence[Event]:
        assert ticket is not None
        return [each.payload for each in await self.mailroom.records.store.load(ticket)]

    async def _follow(self, stream: UUID) -> None:
        """What notify makes of a ticket's new events."""
        events = await self.mailroom.records.store.load(stream)
        state = self._states.get(stream, notify_ticket.initial())
        for event in events[self._seen.get(stream, 0) :]:
            for command in self.policies.react(event):
                for decided in notify_ticket.decide(command, state):
                    state = notify_ticket.evolve(state, decided)
                    if isinstance(decided, NotificationRequested):
                        self.mails.append(encode(decided.notification, decided.mail, datetime.now(UTC)))
        self._seen[stream], self._states[stream] = len(events), state


@asynccontextmanager
async def installation(postgres: Any, directory: Path, readers: Readers, domain: str) -> AsyncIterator[Installation]:
    """One with a queue for unknown addresses and one with an address, and a key of its own."""
    postmaster = Queue(id=UUID(int=10), slug="postmaster", name="Postmaster")
    it = Queue(id=UUID(int=11), slug="it", name="IT support", address=f"it@{domain}")
    key = f"the key of {domain}"
    async with open_mailroom(postgres, directory, readers, postmaster, it, key=key) as mailroom:
        queues = mailroom.directory.queues
        yield Installation(domain, mailroom, Policies(MailBuilder(lambda: queues, key.encode(), domain)))
