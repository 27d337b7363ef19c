"""The desk's API in this process, on real PostgreSQL: people, three queues, and tickets in them."""

import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from httpx2 import ASGITransport, AsyncClient, Response
from uuid_utils.compat import uuid7

from services.routing import ticket, timers
from services.routing.api import routes, with_originals
from services.routing.app import handlers
from services.routing.conclusions import Conclusions
from services.routing.matches.idle import IdleTickets
from services.routing.matches.worker import TriggerWorker
from services.routing.operations.tickets import TicketOperations
from services.routing.recording import Recording, write_rows
from services.routing.references import customers, numbers
from services.routing.references.assignees import Assignees
from services.routing.runner import runner, timed
from services.routing.schema import MIGRATIONS
from services.routing.ticket import Ticket
from shared.blobs.store import BlobStore
from shared.blobs.uploads import Uploads
from shared.bounded.processes import Processes
from shared.contracts.directory import Member, Person, Queue, Right, TicketField
from shared.contracts.envelope import Actor, Recorded
from shared.contracts.event import Event
from shared.contracts.parts import CustomerRef, PersonRef, QueueRef
from shared.contracts.routing import TicketQueued
from shared.contracts.topics import TICKETS
from shared.database import Pool, connect_pool
from shared.directory.copy import DirectoryCopy
from shared.eventstore.migrations import migrate
from shared.eventstore.store import Append, Context, NewEvent, Store
from shared.http.identity import HEADER, sign
from shared.http.serving.application import application
from shared.http.serving.health import Health
from shared.messaging.consuming.handlers import Handler
from shared.rules.access import Identity
from shared.rules.states import NEW
from shared.testing.documents import seed
from shared.testing.keys import KEYS, SIGNING
from tests.described import CHECKED

ALL: tuple[Right, ...] = ("read", "create", "move_into", "note", "work")


def _person(number: int, name: str, *roles: str) -> tuple[Person, Identity]:
    login, email = name.lower(), f"{name.lower()}@help.example"
    document = Person.model_validate(
        {"id": UUID(int=number), "login": login, "name": name, "email": email, "roles": roles}
    )
    return document, Identity(
        person_id=document.id,
        kind="admin" if "admin" in roles else "agent" if "agent" in roles else "customer",
        login=login,
        name=name,
        email=email,
        roles=roles,
    )


KARI_DOCUMENT, KARI = _person(1, "Kari", "agent")
OLA_DOCUMENT, OLA = _person(2, "Ola", "agent")
ADMIN_DOCUMENT, ADMIN = _person(3, "Ada", "admin")
PER_DOCUMENT, PER = _person(4, "Per", "customer")
EVA_DOCUMENT, EVA = _person(5, "Eva", "agent")
"""An agent without any right."""

IT = Queue(
    id=UUID(int=11),
    slug="it",
    name="IT support",
    address="it@help.example",
    lock_timeout_minutes=60,
    members=(Member(person=KARI.person_id, rights=ALL), Member(person=OLA.person_id, rights=ALL)),
)
HR = Queue(
    id=UUID(int=12),
    slug="hr",
    name="HR",
    address="hr@help.example",
    members=(
        Member(person=KARI.person_id, rights=("read", "move_into")),
        Member(person=OLA.person_id, rights=ALL),
    ),
)
SECRET = Queue(id=UUID(int=13), slug="secret", name="Secret", members=(Member(person=OLA.person_id, rights=ALL),))
ROOM = TicketField(id=UUID(int=21), slug="floor", name="Floor", kind="number")
CUSTOMER = CustomerRef(id=PER.person_id, email=PER.email, name=PER.name)


@dataclass(slots=True)
class Workplace:
    pool: Pool
    store: Store
    operations: TicketOperations
    clock: timers.Timers
    client: AsyncClient
    copy: DirectoryCopy
    worker: TriggerWorker
    listener: Handler
    """What the desk's consumer does with the events of tickets."""
    numbers: Any = field(default_factory=lambda: count(1))

    async def ticket(self, queue: Queue = IT, *, customer: CustomerRef = CUSTOMER, **more: Any) -> str:
        """Queues a ticket. Returns its number."""
        stream, number = uuid7(), f"{datetime.now(UTC):%Y%m%d}10{next(self.numbers):06d}"
        place = QueueRef(id=queue.id, slug=queue.slug, name=queue.name)
        queued = TicketQueued.model_validate(
            {"number": number, "title": f"Matter {number}", "queue": place, "customer": customer, "state": NEW,
             "priority": 3, "channel": "email", "at": datetime.now(UTC)} | more
        )  # fmt: skip
        await self.record(stream, queued)
        return number

    async def record(self, stream: UUID, *events: Event) -> None:
        """Records events that nothing decided."""
        version = len(await self.store.load(stream))
        async with self.pool.acquire() as connection, connection.transaction():
            made = Append(stream, "ticket", version, tuple(map(NewEvent, events)), Context(Actor("system")))
            await self.store.append([made], connection=connection)
            recorded = (await self.store.load(stream, connection=connection))[version:]
            await numbers.remember(connection, recorded)
            await customers.remember(connection, recorded)
            await write_rows(connection, recorded)

    async def give(
        self,
        reference: str,
        command: str,
        body: dict[str, Any] | None = None,
        *,
        who: Identity = KARI,
        key: str | None = None,
        expected: int | None = None,
        root: str = "/api/v1/tickets",
    ) -> Response:
        """One command over HTTP."""
        headers = {HEADER: sign(who, "routing", SIGNING), "Idempotency-Key": key or str(uuid4())}
        if expected is not None:
            headers["If-Match"] = f'"{expected}"'
        return await self.client.post(f"{root}/{reference}/{command}", json=body or {}, headers=headers)

    async def done(self, reference: str, command: str, body: dict[str, Any] | None = None, **more: Any) -> Any:
        """A command that must succeed. Returns the body of the response."""
        answer = await self.give(reference, command, body, **more)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def bulk(
        self,
        tickets: Sequence[str],
        command: str,
        body: dict[str, Any],
        *,
        who: Identity = KARI,
        key: str | None = None,
    ) -> Response:
        headers = {HEADER: sign(who, "routing", SIGNING), "Idempotency-Key": key or str(uuid4())}
        content = {"tickets": list(tickets), "command": command, "body": body}
        return await self.client.post("/api/v1/tickets/commands", json=content, headers=headers)

    async def events(self, reference: str) -> list[Recorded]:
        """A ticket's log at the desk."""
        stream = await self.operations.find(reference)
        assert stream is not None
        return await self.store.load(stream)

    async def state(self, reference: str) -> Ticket:
        """The state of a ticket, folded from its log. The cached state must agree with it."""
        stream, _ = await self.operations.current(reference)
        kept = (await self.operations.runner.states.newest([stream]))[stream]
        states = [ticket.initial()]
        for event in await self.events(reference):
            states.append(ticket.evolve(states[-1], timed(event)))
        assert kept.state == states[kept.version]
        return states[-1]

    async def kinds(self, reference: str) -> list[str]:
        """The names of a ticket's events."""
        return [event.type.split(".")[1] for event in await self.events(reference)]


def person(who: Identity) -> PersonRef:
    return PersonRef(id=who.person_id, name=who.name)


@contextlib.asynccontextmanager
async def workplace(databases: Any, blobs: Path, wake: Callable[[], None] = lambda: None) -> AsyncIterator[Workplace]:
    owner, url = databases.database("routing")
    await migrate(owner, url, *MIGRATIONS)
    await seed(url, IT, HR, SECRET, KARI_DOCUMENT, OLA_DOCUMENT, ADMIN_DOCUMENT, PER_DOCUMENT, EVA_DOCUMENT, ROOM)
    pool, processes = await connect_pool(url), Processes("shared.bounded.rich_text", 1)
    try:
        store, copy = Store(pool, "routing"), DirectoryCopy(pool, url)
        await copy.load()
        conclude = Conclusions(lambda: copy.configuration)
        clock = timers.Timers(store, conclude)
        commands = runner(store, conclude, Recording(store, wake))
        assignees = Assignees(pool, copy, UTC)
        operations = TicketOperations(pool, commands, copy, Uploads(BlobStore(f"file://{blobs}")), processes, assignees)
        idle = IdleTickets(store, commands.states, lambda: conclude.rules)
        worker = TriggerWorker(commands, operations, conclude.at_depth, idle)
        app = application(
            Health("routing", "api"), keys=KEYS, routers=[routes.router(operations), with_originals.router(operations)]
        )
        async with AsyncClient(transport=ASGITransport(app), base_url="http://desk", event_hooks=CHECKED) as client:
            listener = handlers(store, copy)[TICKETS]
            yield Workplace(pool, store, operations, clock, client, copy, worker, listener)
    finally:
        await processes.close()
        await pool.close()
