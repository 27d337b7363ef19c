"""Notify on a real database, and a mail server that can be told to refuse."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any
from uuid import UUID, uuid4

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from services.notify.schema import MIGRATIONS
from services.notify.sending import deliveries
from services.notify.sending.sender import Sender
from services.notify.sending.transports.smtp import Server, Smtp
from services.notify.sending.transports.transport import Transport
from shared.contracts.envelope import Actor, Recorded
from shared.contracts.event import Event
from shared.contracts.notify import (
    NotificationFailed,
    NotificationKind,
    NotificationRequested,
    NotificationSent,
    NotificationSuppressed,
)
from shared.contracts.parts import Address
from shared.database import Pool, connect, connect_pool
from shared.eventstore.migrations import migrate
from shared.eventstore.store import Append, Context, NewEvent, Store
from shared.testing.progress import until
from shared.testing.streams import load_many
from tests.specs.notify.tickets import mail

PER = "per@customer.example"
OUTCOMES = (NotificationSent, NotificationFailed, NotificationSuppressed)


@dataclass
class MailServer:
    """Takes mail on 127.0.0.1.

    `recipient` and `data` decide what it answers (None: yes); `held` keeps it from answering a mail whose first
    recipient's address ends in `held_for`; `asked` counts the mails it was given.
    """

    port: int = 0
    received: list[Envelope] = field(default_factory=list)
    sessions: set[int] = field(default_factory=set)
    recipient: Callable[[str], str | None] = lambda _: None
    data: Callable[[Envelope], str | None] = lambda _: None
    held: asyncio.Event | None = None
    held_for: str = ""
    international: bool = False
    asked: int = 0

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        refused = self.recipient(address)
        if refused is not None:
            return refused
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.asked += 1
        if self.held is not None and envelope.rcpt_tos[0].endswith(self.held_for):
            await self.held.wait()
        refused = self.data(envelope)
        if refused is not None:
            return refused
        self.sessions.add(id(session))
        self.received.append(envelope)
        return "250 OK"

    def mails(self) -> list[EmailMessage]:
        found = [message_from_bytes(e.original_content or b"", policy=policy.default) for e in self.received]
        return [each for each in found if isinstance(each, EmailMessage)]

    @property
    def server(self) -> Server:
        return Server.at(f"smtp://127.0.0.1:{self.port}")


@contextlib.asynccontextmanager
async def mail_server(**more: Any) -> AsyncIterator[MailServer]:
    """A server in the test's own loop, so that no thread is needed to watch it."""
    handler = MailServer(**more)
    made = Controller(handler, hostname="127.0.0.1", port=0, enable_SMTPUTF8=handler.international)
    server = await asyncio.get_running_loop().create_server(made.factory, "127.0.0.1", 0)
    handler.port = server.sockets[0].getsockname()[1]
    try:
        yield handler
    finally:
        server.close()


@dataclass
class Notify:
    """Notify's database and store, and what a sender needs of them."""

    pool: Pool
    store: Store
    url: str
    owner_url: str

    async def ages(self, ticket: UUID, *, minutes: int) -> None:
        """Lets time pass for a ticket's events. Only the tables' owner can do that."""
        owner = await connect(self.owner_url)
        moved = "UPDATE es.events SET recorded_at = recorded_at - make_interval(mins => $2) WHERE stream_id = $1"
        await owner.execute(moved, ticket, minutes)
        await owner.close()

    async def request(
        self,
        *recipients: str,
        ticket: UUID | None = None,
        expected: int = 0,
        kind: NotificationKind = "answer",
        **more: Any,
    ) -> tuple[UUID, UUID]:
        """Requests and queues a mail as the policies do. Returns ticket and notification."""
        ticket, notification = ticket or uuid4(), uuid4()
        written = mail(
            message_id=f"<{notification.hex}@help.example.org>",
            to=tuple(Address(email=each) for each in recipients or (PER,)),
            **more,
        )
        article = uuid4() if kind == "answer" else notification
        event = NotificationRequested(notification=notification, kind=kind, article=article, mail=written)
        async with self.pool.acquire() as connection, connection.transaction():
            context = Context(Actor("service", "notify"))
            appended = await self.store.append(
                [Append(ticket, "ticket", expected, (NewEvent(event),), context)], connection=connection
            )
            await deliveries.schedule(connection, appended.events)
        return ticket, notification

    async def events(self, ticket: UUID) -> list[Recorded]:
        return await self.store.load(ticket)

    async def outcome(self, ticket: UUID) -> Recorded | None:
        """The event with the outcome of the ticket's newest mail, if it has one."""
        last = (await self.store.load(ticket))[-1]
        return last if isinstance(last.payload, OUTCOMES) else None

    async def outcomes(self, tickets: Sequence[UUID]) -> list[Event]:
        streams = await load_many(self.store, list(tickets))
        return [e.payload for s in streams.values() for e in s if isinstance(e.payload, OUTCOMES)]

    async def waiting(self) -> list[dict[str, Any]]:
        return [
            dict(row)
            for row in await self.pool.fetch("SELECT *, due_at - now() AS pause FROM notify.deliveries ORDER BY 1")
        ]

    async def hurry(self) -> None:
        """Lets time pass: everything that waits is due."""
        await self.pool.execute("UPDATE notify.deliveries SET due_at = now()")

    async def settled(self, sender: Sender, ticket: UUID) -> Event:
        """The outcome of a ticket's mail; all its retry delays are skipped."""

        async def probe() -> Recorded | None:
            found = await self.outcome(ticket)
            if found is None:
                await self.pool.execute(
                    "UPDATE notify.deliveries SET due_at = now() WHERE last_error <> '' AND due_at > now()"
                )
                sender.wake()
            return found

        found = await until(probe)
        assert found is not None
        return found.payload


@contextlib.asynccontextmanager
async def notify(postgres: Any) -> AsyncIterator[Notify]:
    owner_url, app_url = postgres.database("notify")
    await migrate(owner_url, app_url, *MIGRATIONS)
    pool = await connect_pool(app_url)
    try:
        yield Notify(pool, Store(pool, "notify"), app_url, owner_url)
    finally:
        await pool.close()


@contextlib.asynccontextmanager
async def sending(one: Notify, transport: Transport, **more: Any) -> AsyncIterator[Sender]:
    """A sender that runs until the block ends, and then drains."""
    sender = Sender(one.store, transport, **more)
    task = asyncio.create_task(sender.run())
    try:
        yield sender
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def smtp(server: MailServer) -> Smtp:
    return Smtp(server.server)
