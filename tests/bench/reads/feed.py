"""`python -m tests.bench.reads.feed [--tickets 10000]`: what the event feed costs and takes, on a PostgreSQL of its own.

- What it adds to the CPU of a ticket: batches of a few tickets are folded in turns with and without the notification,
  while a process listens, and also into tables without the feed's two indexes and columns.
- How fast the feed is read from its beginning, and how long a look takes that finds little.
- How long a change takes from its commit to whoever waits.
"""

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import psutil

from services.reporting.feed.desk_handler import DeskHandler
from services.reporting.feed.feed import Feed
from services.reporting.feed.follower import Follower
from services.reporting.feed.place import Place
from services.reporting.generations.projection_sets import projection_sets
from services.reporting.tickets.projection import TicketProjection
from shared.contracts.envelope import Recorded
from shared.contracts.parts import PersonRef, StateRef
from shared.contracts.routing import AgentReplied, OwnerChanged, StateChanged, TagsAdded, TicketLocked
from shared.contracts.topics import PARTITIONS, TICKETS
from shared.messaging.consuming.delivery import Delivered
from shared.messaging.consuming.handlers import Handler
from shared.messaging.consuming.projection import Position
from shared.messaging.consuming.projection_handler import ProjectionHandler
from shared.projections import sets
from shared.testing.samples import sample
from tests import servers
from tests.conftest import Databases
from tests.services.reporting.reporting_database import START, ZONE, Log, Reporting, reporting_with_a_live_desk
from tests.services.reporting.test_projections_and_lists import opened, queued

DESK = projection_sets(ZONE)["desk"]
BATCH = 5
"""Tickets in a batch: that many share one under load."""
ROUNDS = 9
OF_A_ROUND = 200
BY = PersonRef(id=UUID(int=1), name="Kari")
OPEN, CLOSED = StateRef(slug="open", name="open", type="open"), StateRef(slug="closed", name="closed", type="closed")
CHECKPOINTS = """
INSERT INTO messaging.checkpoints (consumer, topic, partition, next_offset)
SELECT $1, $2, p, o FROM unnest($3::integer[], $4::bigint[]) AS n(p, o)
    ON CONFLICT (consumer, topic, partition) DO UPDATE SET next_offset = excluded.next_offset
"""


class Folding:
    """Folds tickets into a generation, a few in each transaction, as the consumer does."""

    def __init__(self, desk: Reporting, generation: int) -> None:
        self.desk, self.consumer = desk, DESK.consumer(generation)
        self.offsets = [0] * PARTITIONS
        self.tickets = 0

    async def fold(self, handler: Handler, tickets: Sequence[Sequence[Recorded]]) -> None:
        for first in range(0, len(tickets), BATCH):
            deliveries = [self._delivered(event) for ticket in tickets[first : first + BATCH] for event in ticket]
            deliveries.sort(key=lambda delivery: delivery.position)
            async with self.desk.pool.acquire() as connection, connection.transaction():
                await handler.work(connection, deliveries, set())
                await connection.execute(CHECKPOINTS, self.consumer, TICKETS, list(range(PARTITIONS)), self.offsets)
        self.tickets += len(tickets)

    def _delivered(self, event: Recorded) -> Delivered:
        partition = event.stream.int % PARTITIONS
        self.offsets[partition] += 1
        return Delivered(Position(TICKETS, partition, self.offsets[partition] - 1), event.stream, b"", event)


def made(count: int, first: int) -> list[list[Recorded]]:
    """Tickets of eight events."""
    reply = AgentReplied.model_validate(sample(AgentReplied))
    found = []
    for n in range(first, first + count):
        log, number = Log(), f"2026{n:012}"
        answer = reply.model_copy(update={"message": reply.message.model_copy(update={"id": uuid4()})})
        log.add(
            uuid4(), opened(number), queued(number), TicketLocked(by=BY), OwnerChanged(to=BY), answer,
            StateChanged(to=OPEN, was=OPEN), TagsAdded(tags=("hum",)), StateChanged(to=CLOSED, was=OPEN),
            since=START + timedelta(seconds=n),
        )  # fmt: skip
        found.append(log.events)
    return found


def cpu(server: psutil.Process) -> float:
    """CPU seconds of this process and of PostgreSQL until now."""
    total = 0.0
    for process in (psutil.Process(), server, *server.children(recursive=True)):
        times = process.cpu_times()
        total += times.user + times.system
    return total


async def added_cpu(desk: Reporting, server: psutil.Process) -> None:
    """Prints what the feed adds to the CPU of folding a ticket."""
    plain = await sets.begin(desk.owner, DESK, desk.app_url)
    schema = DESK.schema(plain)
    for index in await desk.owner.fetch(
        "SELECT indexname FROM pg_indexes WHERE schemaname = $1 AND tablename = 'history' AND indexname NOT LIKE '%pkey'",
        schema,
    ):
        await desk.owner.execute(f"DROP INDEX {schema}.{index['indexname']}")
    kinds: dict[str, tuple[Folding, Handler]] = {
        "with the feed": (Folding(desk, 1), DeskHandler("desk_v1")),
        "without": (Folding(desk, plain), ProjectionHandler(TicketProjection(schema))),
    }
    spent: dict[str, list[float]] = {name: [] for name in kinds}
    follower = Follower(Feed(desk.pool), desk.app_url)
    following = asyncio.create_task(follower.run())
    for n in range(ROUNDS):
        for name, (folding, handler) in kinds.items():
            tickets = made(OF_A_ROUND, n * OF_A_ROUND)
            before = cpu(server)
            await folding.fold(handler, tickets)
            spent[name].append((cpu(server) - before) * 1000 / OF_A_ROUND)
    following.cancel()
    middle = {name: statistics.median(each[1:]) for name, each in spent.items()}
    for name, each in middle.items():
        print(f"CPU of folding a ticket of 8 events, {name}: {each:.3f} ms")
    print(f"the feed adds {middle['with the feed'] - middle['without']:.3f} ms")
    await sets.drop(desk.owner, DESK, plain)


async def reading(desk: Reporting, tickets: int) -> None:
    """Prints how fast the feed is read."""
    folding, handler = Folding(desk, 1), DeskHandler("desk_v1")
    row = await desk.pool.fetch(
        "SELECT partition, next_offset FROM messaging.checkpoints WHERE consumer = $1", folding.consumer
    )
    for each in row:
        folding.offsets[each["partition"]] = each["next_offset"]
    for first in range(0, tickets, 1_000):
        await folding.fold(handler, made(1_000, 10_000_000 + first))
    await desk.owner.execute("VACUUM ANALYZE desk_v1.history")
    feed = Feed(desk.pool)
    for limit in (50, 200, 1_000):
        place, count, pages, started = await feed.first(), 0, 0, time.perf_counter()
        while True:
            page = await feed.changes(place, limit)
            count, pages, place = count + len(page.changes), pages + 1, page.place
            if page.at_end:
                break
        took = time.perf_counter() - started
        print(f"{count} changes in pages of {limit}: {count / took:.0f} a second, {took * 1000 / pages:.2f} ms a page")
    looks = []
    for _ in range(300):
        started = time.perf_counter()
        await feed.changes(place, 200)
        looks.append(time.perf_counter() - started)
    print(f"a look that finds nothing: {statistics.median(looks) * 1000:.2f} ms")


async def waking(desk: Reporting) -> None:
    """Prints how long a change takes from its commit to whoever waits."""
    folding, handler = Folding(desk, 1), DeskHandler("desk_v1")
    place: Place = await Feed(desk.pool).end()
    folding.offsets = list(place.offsets)
    follower = Follower(Feed(desk.pool), desk.app_url)
    following = asyncio.create_task(follower.run())
    times = []
    with follower.watch() as watch:
        await watch.next(5)
        for tickets in (made(1, 20_000_000 + n) for n in range(200)):
            waiting = asyncio.create_task(watch.next(5))
            await folding.fold(handler, tickets)
            started = time.perf_counter()
            await waiting
            times.append(time.perf_counter() - started)
    following.cancel()
    times.sort()
    print(f"from commit to a waiter: p50 {times[100] * 1000:.2f} ms, p99 {times[197] * 1000:.2f} ms")


async def measure(url: str, tickets: int) -> None:
    async for desk in reporting_with_a_live_desk(Databases(url, strategy="file_copy")):
        pid = await desk.owner.fetchval("SELECT pg_backend_pid()")
        server = psutil.Process(pid).parent()
        assert server is not None
        await added_cpu(desk, server)
        await reading(desk, tickets)
        await waking(desk)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.reads.feed")
    parser.add_argument("--tickets", type=int, default=10_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ledgerdesk-bench-") as folder:
        os.chmod(folder, 0o711)
        with servers.postgres(Path(folder)) as url:
            asyncio.run(measure(url, asked.tickets))
    return 0


if __name__ == "__main__":
    sys.exit(main())
