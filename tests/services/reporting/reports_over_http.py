"""The reports of a database over HTTP, with documents for a made-up desk."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from httpx2 import ASGITransport, AsyncClient

from services.reporting.reports import reports_api
from services.reporting.tickets.ticket_reader import TicketReader
from shared.blobs.store import BlobStore
from shared.contracts.directory import Member, Person, Queue
from shared.directory.copy import DirectoryCopy
from shared.http.identity import HEADER, sign
from shared.http.serving.application import application
from shared.http.serving.health import Health
from shared.rules.access import Identity
from shared.testing.documents import seed
from shared.testing.keys import KEYS, SIGNING
from tests.described import CHECKED
from tests.histories.desk import Desk
from tests.services.reporting.reporting_database import Reporting

AGENT = Identity(
    person_id=UUID(int=1), kind="agent", login="kari", name="Kari", email="kari@help.example", roles=("agent",)
)
ADMIN = AGENT.model_copy(update={"person_id": UUID(int=9), "kind": "admin", "login": "admin", "roles": ("admin",)})
CUSTOMER = AGENT.model_copy(update={"person_id": UUID(int=20), "kind": "customer", "roles": ("customer",)})


@asynccontextmanager
async def client_of_reports(
    reporting: Reporting, desk: Desk, zone: ZoneInfo, hidden: int = 0
) -> AsyncIterator[Callable[..., Awaitable[Any]]]:
    """Answers for a path below `/api/v1` and an identity. AGENT reads all queues but the last `hidden` ones."""
    member = (Member(person=AGENT.person_id, rights=("read",)),)
    shown = len(desk.queues) - hidden
    queues = [
        Queue(id=each.id, slug=each.slug, name=each.name, members=member if n < shown else ())
        for n, each in enumerate(desk.queues)
    ]
    people = [
        Person(id=each.id, login=f"agent{n}", name=each.name, email=f"agent{n}@help.example", roles=("agent",))
        for n, each in enumerate(desk.agents)
    ]
    await seed(reporting.app_url, *queues, *people)
    copy = DirectoryCopy(reporting.pool, reporting.app_url)
    await copy.load()
    reader = TicketReader(reporting.pool, copy, BlobStore("file:///nowhere"))
    app = application(Health("reporting", "api"), keys=KEYS, routers=[reports_api.router(reader, zone)])
    async with AsyncClient(transport=ASGITransport(app), base_url="http://reporting", event_hooks=CHECKED) as client:

        async def get(path: str, who: Identity = AGENT) -> Any:
            return await client.get(f"/api/v1{path}", headers={HEADER: sign(who, "reporting", SIGNING)})

        yield get


@asynccontextmanager
async def reports_over_http(
    reporting: Reporting, desk: Desk, zone: ZoneInfo, hidden: int = 0
) -> AsyncIterator[Callable[[str], Awaitable[Any]]]:
    """The same, as JSON, for AGENT. Raises AssertionError for any answer but 200."""
    async with client_of_reports(reporting, desk, zone, hidden) as get:

        async def ask(path: str) -> Any:
            answer = await get(path)
            assert answer.status_code == 200, (path, answer.text)
            return answer.json()

        yield ask
