"""The events of a parked ticket are replayed once and in order, also beside its consumer and other replays."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID

import pytest

from shared.messaging.consuming import parking
from shared.messaging.consuming.delivery import Delivered, Parked
from shared.messaging.consuming.projection_handler import ProjectionHandler
from shared.runtime import failpoints
from shared.runtime.failpoints import FailpointRaised
from shared.testing.progress import until
from tests.conformance.messaging.system import Pair, TextRow, Texts, append, open_tickets, pair, running, said
from tests.servers import Kafka

BLOCKED = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


class Gated(ProjectionHandler[TextRow]):
    """Stops inside the consumer's transaction, with the ticket's parked rows locked, until the gate opens."""

    def __init__(self, texts: Texts) -> None:
        super().__init__(texts)
        self.gate, self.inside = asyncio.Event(), asyncio.Event()
        self.gate.set()

    async def work(self, connection: Any, deliveries: Sequence[Delivered], parked: set[UUID]) -> list[Parked]:
        self.inside.set()
        await self.gate.wait()
        return await super().work(connection, deliveries, parked)


class Desk:
    """A ticket whose second event is parked, and its consumer, which still runs. The code has been fixed since."""

    def __init__(self, services: Pair) -> None:
        self.services, self.intake, self.reader = services, services.intake, services.reader
        self.texts = Texts()
        self.handler = Gated(self.texts)
        self.ticket = UUID(int=0)

    async def write(self, version: int, text: str) -> None:
        await self.intake.store.append([append(self.ticket, version, said(text))])

    async def parked(self, count: int) -> bool:
        return [each.events for each in await parking.parked(self.reader.pool)] == [count]

    async def shown(self) -> list[str]:
        found: list[str] = await self.reader.pool.fetchval("SELECT texts FROM texts WHERE stream = $1", self.ticket)
        return found[1:]

    async def shows(self, *texts: str) -> bool:
        return await self.shown() == list(texts)

    async def replay(self) -> int:
        return await parking.replay(self.reader.pool, self.services.name, ProjectionHandler(self.texts), self.ticket)

    async def blocked(self) -> bool:
        return bool(await self.reader.pool.fetchval(BLOCKED))


@pytest.fixture
async def desk(postgres: Any, kafka: Kafka) -> AsyncIterator[Desk]:
    async with pair(postgres, kafka) as services:
        made = Desk(services)
        made.texts.broken = {"message 0"}
        async with running(services.relay(), services.consumer(made.handler)):
            (made.ticket,) = await open_tickets(services.intake.store, 1)
            await until(lambda: made.parked(1))
            made.texts.broken = set()
            yield made
    failpoints.arm("")


async def test_an_event_that_is_parked_during_a_replay_is_not_lost(desk: Desk) -> None:
    desk.handler.inside.clear()
    desk.handler.gate.clear()
    await desk.write(2, "in between")
    await desk.handler.inside.wait()
    replaying = asyncio.create_task(desk.replay())
    await until(desk.blocked)
    desk.handler.gate.set()
    assert await replaying == 2
    await desk.write(3, "afterwards")
    await until(lambda: desk.shows("message 0", "in between", "afterwards"))
    assert await parking.parked(desk.reader.pool) == []


async def test_several_replays_at_once_take_each_event_once(desk: Desk) -> None:
    for n in range(5):
        await desk.write(2 + n, f"more {n}")
    await until(lambda: desk.parked(6))
    assert sorted(await asyncio.gather(*(desk.replay() for _ in range(4)))) == [0, 0, 0, 6]
    assert await desk.shows("message 0", *(f"more {n}" for n in range(5)))


async def test_a_replay_in_a_rebalance_leaves_nothing_out(desk: Desk) -> None:
    """A second replica takes over partitions during the replay, while the customer continues to write."""

    async def writes() -> None:
        for n in range(8):
            await desk.write(2 + n, f"more {n}")

    second = desk.services.consumer(ProjectionHandler(desk.texts))

    async def replayed() -> bool:
        await desk.replay()
        return len(await desk.shown()) == 9

    async with running(second):
        writing = asyncio.create_task(writes())
        await until(second.has_its_partitions)
        await until(replayed)
        await writing
    assert await desk.shows("message 0", *(f"more {n}" for n in range(8)))
    assert await parking.parked(desk.reader.pool) == []


async def test_a_replay_that_dies_before_its_commit_leaves_all_parked(desk: Desk) -> None:
    await desk.write(2, "and another")
    await until(lambda: desk.parked(2))
    failpoints.arm("parking.before_commit=raise")
    with pytest.raises(FailpointRaised):
        await desk.replay()
    failpoints.arm("")
    assert await desk.parked(2)
    assert await desk.replay() == 2
    assert await desk.shows("message 0", "and another")


async def test_an_event_that_is_still_unreadable_stays_parked(desk: Desk) -> None:
    await until(lambda: desk.parked(1))
    await desk.reader.pool.execute("UPDATE messaging.parked SET value = 'no event'")
    with pytest.raises(parking.StillBroken, match="cannot be read"):
        await desk.replay()
    assert await desk.parked(1)
