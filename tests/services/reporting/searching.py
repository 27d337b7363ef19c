"""A desk whose tickets can be searched: real rows, the index of a process, and the route."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

from httpx2 import ASGITransport, AsyncClient

from services.reporting.search import api as search_api
from services.reporting.search.index.projection_set import SEARCH
from services.reporting.search.index.served import ServedIndex
from services.reporting.search.ticket_search import TicketSearch
from services.reporting.tickets.ticket_reader import TicketReader
from shared.blobs.store import BlobStore
from shared.contracts.event import Event
from shared.contracts.intake import TicketOpened
from shared.contracts.parts import Address, Attachment, Blob, CustomerRef, Message, PersonRef, QueueRef
from shared.contracts.routing import AgentReplied, NoteAdded, TicketQueued
from shared.directory.copy import DirectoryCopy
from shared.http.identity import HEADER, sign
from shared.http.serving.application import application
from shared.http.serving.health import Health
from shared.projections import sets
from shared.rules.access import Identity
from shared.rules.states import NEW
from shared.testing.keys import KEYS, SIGNING
from shared.testing.progress import until
from tests.described import CHECKED
from tests.services.reporting.reporting_database import Log, Reporting
from tests.services.reporting.test_feed import Topic

EVENTS = "SELECT id, event_count FROM desk.tickets"


@dataclass(slots=True)
class Searched:
    """The desk of a test. `at` tells how its process is reached; `generation` is the live one of `desk`."""

    rows: Reporting
    index: ServedIndex
    search: TicketSearch
    client: AsyncClient
    topic: Topic
    log: Log = field(default_factory=Log)
    generation: int = 1
    about: dict[UUID, dict[str, Any]] = field(default_factory=dict)

    async def happen(self, ticket: UUID, *events: Event) -> None:
        """Adds events to a ticket and shows them in the lists."""
        known = len(self.log.events)
        self.log.add(ticket, *events)
        self.topic.add(*self.log.events[known:])
        await self.topic.apply(self.generation)

    async def open(
        self,
        queue: QueueRef,
        customer: CustomerRef,
        title: str = "matter",
        text: str = "",
        *,
        files: Sequence[str] = (),
        cc: Sequence[Address] = (),
        to: Sequence[Address] = (),
        subject: str | None = None,
        **more: Any,
    ) -> tuple[UUID, str]:
        """A ticket with one message of its customer. Returns its id and number."""
        ticket, number = uuid4(), f"2026112310{len(self.about) + 1:06d}"
        blob = Blob(sha256="a" * 64, size=1, type="text/plain")
        message = Message(
            id=uuid4(),
            channel="email",
            sender=Address(email=customer.email, name=customer.name),
            to=tuple(to),
            cc=tuple(cc),
            subject=title if subject is None else subject,
            text=text,
            attachments=tuple(Attachment(id=uuid4(), name=name, blob=blob) for name in files),
        )
        about: dict[str, Any] = {"number": number, "title": title, "queue": queue, "customer": customer, "priority": 3}
        self.about[ticket] = {name: about[name] for name in ("number", "title", "queue", "customer")}
        await self.happen(
            ticket,
            TicketOpened(channel="email", message=message, **about, **more),
            TicketQueued(state=NEW, channel="email", **about, **more),
        )
        return ticket, number

    async def note(self, ticket: UUID, by: PersonRef, text: str, *, subject: str = "", internal: bool = True) -> None:
        message = Message(id=uuid4(), channel="note", text=text, subject=subject)
        await self.happen(ticket, NoteAdded(by=by, message=message, internal=internal))

    async def reply(self, ticket: UUID, by: PersonRef, text: str) -> None:
        message = Message(id=uuid4(), channel="email", text=text)
        await self.happen(ticket, AgentReplied(by=by, message=message, **self.about[ticket]))

    async def indexed(self) -> None:
        """Waits until the index has everything that the lists show."""
        await indexed(self.index)

    async def ask(self, q: str, who: Identity, **parameters: Any) -> Any:
        """The answer of a search, of what the lists show now."""
        await self.indexed()
        query = urlencode({"q": q, **parameters}, doseq=True)
        answer = await self.client.get(f"/api/v1/search?{query}", headers={HEADER: sign(who, "reporting", SIGNING)})
        assert answer.status_code == 200, (q, answer.text)
        return answer.json()

    async def hits(self, q: str, who: Identity, **parameters: Any) -> list[UUID]:
        """The tickets that are found, in order. Their number must be the count."""
        found = await self.ask(q, who, **parameters)
        tickets = [UUID(item["ticket"]["id"]) for item in found["items"]]
        if found["next_cursor"] is None and "cursor" not in parameters:
            assert found["count"] == {"value": len(tickets), "exact": True}
        return tickets


async def indexed(index: ServedIndex) -> None:
    """Waits until an index has all events that the lists show, and no other tickets."""
    wanted = {row["id"].bytes: row["event_count"] for row in await index.pool.fetch(EVENTS)}

    async def shown() -> bool:
        index.nudge()
        if index.generation is None:
            return False
        return await index.ask(lambda reader: dict(reader.rows("SELECT ticket, events FROM docs"))) == wanted

    await until(shown)


async def promoted_search(desk: Reporting) -> int:
    generation = await sets.begin(desk.owner, SEARCH, desk.app_url)
    await sets.promote(desk.owner, SEARCH, generation, desk.app_url)
    return generation


@asynccontextmanager
async def serving(desk: Reporting, directory: Path) -> AsyncIterator[ServedIndex]:
    """The index of one process."""
    index = ServedIndex(desk.pool, desk.app_url, directory)
    task = asyncio.create_task(index.run())
    try:
        yield index
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def searched(desk: Reporting, directory: Path) -> AsyncIterator[Searched]:
    """A desk with one process that serves search. Its documents must be seeded before."""
    copy = DirectoryCopy(desk.pool, desk.app_url)
    await copy.load()
    await promoted_search(desk)
    async with serving(desk, directory / "search") as index:
        search = TicketSearch(TicketReader(desk.pool, copy, BlobStore(f"file://{directory}")), index)
        app = application(Health("reporting", "api"), keys=KEYS, routers=[search_api.router(search)])
        async with AsyncClient(
            transport=ASGITransport(app), base_url="http://reporting", event_hooks=CHECKED
        ) as client:
            yield Searched(desk, index, search, client, Topic(desk))
