"""A read that takes too long is stopped by PostgreSQL, and its caller is told so."""

from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import pytest
from httpx2 import ASGITransport, AsyncClient

from services.reporting.notices.notice_list import NoticeList
from services.reporting.schema import MIGRATIONS
from services.reporting.stats import api as stats_api
from services.reporting.tickets import articles_api, tickets_api
from services.reporting.tickets.ticket_reader import TicketReader
from shared.blobs.store import BlobStore
from shared.contracts.directory import Member, Queue
from shared.database import connect, connect_pool
from shared.directory.copy import DirectoryCopy
from shared.http.identity import HEADER, sign
from shared.http.keys import Keys
from shared.http.serving.application import application
from shared.http.serving.health import Health
from shared.http.serving.process import Role
from shared.messaging.access.account import KafkaAccount
from shared.rules.access import Identity
from shared.service.assembly import assembled
from shared.testing.documents import seed
from shared.testing.keys import KEYS, SIGNING
from tests.described import CHECKED
from tests.servers import NO_KAFKA
from tests.services.reporting.reporting_database import ZONE, Reporting

KARI = Identity(
    person_id=UUID(int=1), kind="agent", login="kari", name="Kari", email="kari@help.example", roles=("agent",)
)
IT = Queue(id=UUID(int=10), slug="it", name="IT", members=(Member(person=KARI.person_id, rights=("read",)),))
TICKET = f"/tickets/{UUID(int=1000)}"
READS = [
    ("desk_v1.tickets", "/tickets?owner=kari&tag=x"),
    ("desk_v1.tickets", TICKET),
    ("desk_v1.tickets", f"{TICKET}/articles"),
    ("desk_v1.tickets", f"{TICKET}/history"),
    ("desk_v1.attachments", f"/blobs/{UUID(int=1)}"),
    ("stats_v1.queues", "/stats/queues"),
    ("stats_v1.days", "/stats/days"),
    ("stats_v1.time", "/stats/time"),
]


@dataclass(frozen=True)
class Settings:
    database_url: str
    kafka: KafkaAccount
    keys: Keys


async def test_a_statement_that_takes_too_long_is_told_as_a_problem(live_desk: Reporting, tmp_path: Path) -> None:
    """Another transaction holds each table that a read needs, so that the statement waits until it is stopped."""
    await seed(live_desk.app_url, IT)
    pool = await connect_pool(live_desk.app_url, statement_seconds=0.2)
    copy = DirectoryCopy(live_desk.pool, live_desk.app_url)
    await copy.load()
    reader = TicketReader(pool, copy, BlobStore(f"file://{tmp_path}"))
    routers = [
        tickets_api.router(reader),
        articles_api.router(reader),
        stats_api.router(stats_api.StatsReader(pool, copy, ZONE, NoticeList(pool, pool, copy, ZONE))),
    ]
    app = application(Health("reporting", "api"), keys=KEYS, routers=routers)
    transport = ASGITransport(app)
    headers = {HEADER: sign(KARI, "reporting", SIGNING)}
    blocker = await connect(live_desk.owner_url)
    async with AsyncClient(transport=transport, base_url="http://reporting", event_hooks=CHECKED) as client:
        for table, path in READS:
            transaction = blocker.transaction()
            await transaction.start()
            await blocker.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            answer = await client.get(f"/api/v1{path}", headers=headers)
            await transaction.rollback()
            assert (answer.status_code, answer.headers.get("retry-after")) == (503, "5"), (path, answer.text)
            assert answer.json()["type"] == "/problems/too-slow", path
            again = await client.get(f"/api/v1{path}", headers=headers)
            assert again.status_code in (200, 404), "the connection still works"
    await blocker.close()
    await pool.close()


@pytest.mark.parametrize("role", ["api", "all"])
async def test_reads_have_the_time_out_and_workers_do_not(live_desk: Reporting, role: Role) -> None:
    settings = Settings(live_desk.app_url, NO_KAFKA.account("reporting"), KEYS)
    async with assembled(role, Health("reporting", role), settings, MIGRATIONS) as parts:
        assert await (await parts.reads()).fetchval("SHOW statement_timeout") == "5s"
        assert await parts.pool.fetchval("SHOW statement_timeout") == "0"
