"""A newer version's tables are filled from the whole log before they are shown. Other versions do not fill them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from services.reporting.app import replayed
from services.reporting.feed.feed import Feed
from services.reporting.feed.place import UnknownPlace
from services.reporting.generations import rebuilding
from services.reporting.generations.live_consumer import LiveConsumer
from services.reporting.generations.projection_sets import projection_sets
from services.reporting.tickets.projection import TicketProjection
from services.reporting.tickets.read_model.ticket_row import TicketRow
from shared.contracts.topics import TICKETS
from shared.database import Connection
from shared.eventstore.migrations import role_of
from shared.eventstore.store import Store
from shared.messaging import topics
from shared.messaging.clients import producer
from shared.messaging.consuming import consumer, halting
from shared.messaging.consuming.delivery import Delivered, Parked
from shared.messaging.consuming.projection_handler import ProjectionHandler
from shared.messaging.republish import republish
from shared.projections import sets
from shared.projections.sets import ProjectionSet
from shared.testing.progress import until
from tests import servers
from tests.servers import Kafka
from tests.services.reporting.reporting_database import ZONE, Log, Reporting, reporting_with_a_live_desk
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
    """A broker of the test's own, because a generation folds everything that is in the topic."""
    with servers.kafka(tmp_path) as broker:
        yield broker


@pytest.fixture
def environment(reporting: Reporting, own_kafka: Kafka, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEDGERDESK_DATABASE_OWNER_URL", reporting.owner_url)
    monkeypatch.setenv("LEDGERDESK_DATABASE_URL", reporting.app_url)
    for variable, value in own_kafka.environment("reporting").items():
        monkeypatch.setenv(variable, value)


async def publish(kafka: Kafka, log: Log) -> None:
    await topics.ensure(kafka.admin, kafka.passwords)
    async with producer(kafka.admin, "test") as client:
        sent = [await client.send(**kafka.record(TICKETS, event)) for event in log.events]
        await asyncio.gather(*sent)


@pytest.mark.usefixtures("environment")
async def test_changed_tables_are_filled_and_then_shown(reporting: Reporting, own_kafka: Kafka) -> None:
    log = Log()
    log.add(TICKET, opened("2026112710000017"), queued("2026112710000017"))
    await publish(own_kafka, log)
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


class CountingHandler(ProjectionHandler[TicketRow]):
    """Counts the deliveries, and calls `meanwhile` before each batch."""

    def __init__(self, schema: str, meanwhile: Callable[[int], Awaitable[None]]) -> None:
        super().__init__(TicketProjection(schema))
        self.meanwhile, self.given = meanwhile, 0

    async def work(self, connection: Connection, deliveries: Sequence[Delivered], parked: set[UUID]) -> list[Parked]:
        self.given += len(deliveries)
        await self.meanwhile(self.given)
        return await super().work(connection, deliveries, parked)


def counted(meanwhile: Callable[[int], Awaitable[None]]) -> tuple[ProjectionSet, CountingHandler]:
    handler = CountingHandler("desk_v2", meanwhile)
    return replace(NEWER, handler=lambda _: handler), handler


@pytest.fixture
async def many(own_kafka: Kafka, monkeypatch: pytest.MonkeyPatch) -> int:
    """The number of events in the log, of a hundred tickets. A build takes a few of them at a time."""
    monkeypatch.setattr(consumer, "REBUILD_RECORDS", 20)
    monkeypatch.setattr(rebuilding, "PAUSE_SECONDS", 0.1)
    log = Log()
    for n in range(100):
        number = f"20261127100{n:05d}"
        log.add(UUID(int=100 + n), opened(number), queued(number))
    await publish(own_kafka, log)
    return len(log.events)


async def shown(reporting: Reporting) -> int:
    count: int = await reporting.pool.fetchval("SELECT count(*) FROM desk.tickets WHERE event_count = 2")
    return count


KILL = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1 AND pid <> pg_backend_pid()"


@pytest.mark.usefixtures("environment")
async def test_a_build_goes_on_from_its_checkpoint_when_postgresql_fails_over(reporting: Reporting, many: int) -> None:
    role, killed = role_of(reporting.app_url), False

    async def kill_once(given: int) -> None:
        nonlocal killed
        if given > many / 2 and not killed:
            killed = bool(await reporting.pool.fetch(KILL, role))

    which, handler = counted(kill_once)
    await rebuilding.up_to_date([which])
    assert killed
    assert await sets.live(reporting.owner, "desk") == 2
    assert await shown(reporting) == 100
    assert many < handler.given < many + 100  # only events that were not committed came again


@pytest.mark.usefixtures("environment")
async def test_a_build_that_an_outage_stopped_goes_on_at_the_next_start(
    reporting: Reporting, many: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail_half_way(given: int) -> None:
        if given > many / 2:
            raise ConnectionError("the server is away")

    monkeypatch.setattr(rebuilding, "OUTAGE_SECONDS", 0.0)
    which, first = counted(fail_half_way)
    with pytest.raises(ConnectionError):
        await rebuilding.up_to_date([which])
    assert await sets.live(reporting.owner, "desk") == 1

    async def nothing(given: int) -> None: ...

    which, second = counted(nothing)
    await rebuilding.up_to_date([which])
    assert await sets.live(reporting.owner, "desk") == 2
    assert await shown(reporting) == 100
    assert second.given < many and first.given + second.given < many + 100


@pytest.mark.usefixtures("environment")
async def test_a_build_that_a_fault_in_the_code_stopped_is_dropped(reporting: Reporting, many: int) -> None:
    async def broken(given: int) -> None:
        raise halting.Halt("the topic was lost")

    which, _ = counted(broken)
    with pytest.raises(halting.Halt):
        await rebuilding.up_to_date([which])
    assert await sets.unfinished(reporting.owner, NEWER) is None


@pytest.mark.parametrize("generation", [1, 9, 10, 11, 123])
@pytest.mark.parametrize("name", ["desk", "stats", "reports"])
def test_parked_tickets_of_any_generation_can_be_replayed(name: str, generation: int) -> None:
    found = replayed(projection_sets(ZONE)[name].consumer(generation))
    assert found is not None
    (handler,) = found(Store(None, "reporting")).values()  # type: ignore[arg-type]
    filling: Any = getattr(handler, "handler", handler)  # replays of `desk` are wrapped
    assert f"{name}_v{generation}." in str(vars(filling.projection))


@pytest.mark.parametrize(
    "consumer_name", ["reporting.desk_v", "reporting.desk_vx", "desk_v1", "reporting.other_v1", ""]
)
def test_other_consumers_are_not_replayed(consumer_name: str) -> None:
    assert replayed(consumer_name) is None


async def test_republishing_makes_the_places_of_readers_unknown(reporting: Reporting, own_kafka: Kafka) -> None:
    log, feed = Log(), Feed(reporting.pool)
    log.add(TICKET, opened("2026112710000017"), queued("2026112710000017"))
    await reporting.show(log.events)
    place = await feed.end()
    assert (await feed.changes(place, 9)).at_end
    await republish({"reporting": reporting.app_url}, own_kafka.admin, own_kafka.secret)
    with pytest.raises(UnknownPlace):
        await feed.changes(place, 9)
    assert await reporting.pool.fetchval("SELECT max(position) FROM desk.history") == -1


async def test_a_promotion_gives_way_to_a_long_read(reporting: Reporting) -> None:
    """An export may read for minutes: the promotion waits for its end, and nobody waits for the promotion."""
    newer = await sets.begin(reporting.owner, DESK, reporting.app_url)
    waits = "SELECT pid FROM pg_locks WHERE NOT granted AND relation = 'desk.articles'::regclass"
    async with reporting.pool.acquire() as export, export.transaction():
        await export.fetch("SELECT FROM desk.articles")
        promoting = asyncio.create_task(sets.promote(reporting.owner, DESK, newer, reporting.app_url))
        await until(lambda: export.fetch(waits))
        assert await reporting.pool.fetch("SELECT FROM desk.articles") == []
        assert not promoting.done()
    await promoting
    assert await sets.live(reporting.owner, "desk") == newer
