"""A newer version's tables are filled from the whole log before anybody sees them, and code of another version keeps out of them."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from services.reporting import rebuilding
from services.reporting.live_consumer import LiveConsumer
from services.reporting.sets import projection_sets
from shared.contracts.topics import TICKETS
from shared.messaging import topics
from shared.messaging.clients import producer
from shared.projections import sets
from shared.testing.progress import until
from tests import servers
from tests.servers import Kafka
from tests.services.reporting.desk_rows import ZONE, Log, Reporting, reporting_with_a_live_desk
from tests.services.reporting.test_projections_and_lists import opened, queued

TICKET = UUID(int=7)
DESK = projection_sets(ZONE)["desk"]
NEWER = replace(DESK, ddl=f"{DESK.ddl}\nCREATE TABLE {{schema}}.news (id uuid PRIMARY KEY);\n")


@pytest.fixture
async def reporting(postgres: Any) -> AsyncIterator[Reporting]:
    async for made in reporting_with_a_live_desk(postgres):
        yield made


@pytest.fixture
def own_kafka(tmp_path: Path) -> Iterator[Kafka]:
    """A broker of the test's own: a generation takes everything that stands in the topic."""
    with servers.kafka(tmp_path) as broker:
        yield broker


async def test_changed_tables_are_filled_and_then_shown(
    reporting: Reporting, own_kafka: Kafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Log()
    log.add(TICKET, opened("2026112710000017"), queued("2026112710000017"))
    await topics.ensure(own_kafka.admin, own_kafka.passwords)
    async with producer(own_kafka.admin, "test") as client:
        for event in log.events:
            await client.send_and_wait(**own_kafka.record(TICKETS, event))
    monkeypatch.setenv("LEDGERDESK_DATABASE_OWNER_URL", reporting.owner_url)
    monkeypatch.setenv("LEDGERDESK_DATABASE_URL", reporting.app_url)
    for variable, value in own_kafka.environment("reporting").items():
        monkeypatch.setenv(variable, value)
    await rebuilding.up_to_date([DESK])
    assert await sets.live(reporting.owner, "desk") == 1  # nothing has changed
    for _ in range(2):
        await rebuilding.up_to_date([NEWER])
        assert await sets.live(reporting.owner, "desk") == 2
    assert [row["id"] for row in await reporting.pool.fetch("SELECT id FROM desk.tickets")] == [TICKET]
    await _only_the_newer_one_fills(reporting, own_kafka)


async def _only_the_newer_one_fills(reporting: Reporting, kafka: Kafka) -> None:
    older, newer = (
        LiveConsumer(
            which, database_url=reporting.app_url, pool=reporting.pool, kafka=kafka.account("reporting"), replica=None
        )
        for which in (DESK, NEWER)
    )
    running = [asyncio.create_task(each.run()) for each in (older, newer)]
    try:
        await until(newer.has_its_partitions)
        assert older.running is None
    finally:
        for each in running:
            each.cancel()
        await asyncio.gather(*running, return_exceptions=True)
