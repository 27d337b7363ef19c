"""`python -m tests.bench.reads.reports [--tickets 100000]`: every report over a year, and what the set costs.

The history is a made-up year (tests/histories). A report's bar is 300 requests of the floor, as many as it does in
300 ms if it does 1 000 a second. Reports are read at the gateway, by an agent who reads every queue.
"""

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Iterable
from itertools import chain, islice
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from deploy.local import lifecycle
from services.reporting.generations.projection_sets import projection_sets
from services.reporting.reports.catalogue import FIELD, REPORTS
from shared.contracts.envelope import Recorded
from shared.contracts.parts import PersonRef, QueueRef
from shared.contracts.topics import TICKETS
from shared.database import Pool, connect_pool
from shared.messaging.consuming.delivery import Delivered
from shared.messaging.consuming.projection import Position
from shared.projections.sets import live
from tests.bench.__main__ import Bench, all_processes, cpu_of, home_of_its_own, write_results
from tests.bench.load.client import HttpConnection
from tests.histories.desk import Desk
from tests.histories.folding import fill_live
from tests.histories.history import cases

SLUGS = ("it-support", "network", "hr", "facilities", "purchasing", "library", "lab", "web")
YEAR = "from=2025-11-03&to=2026-11-03"
BAR = 300.0
"""Requests of the floor."""
TIMES = 5
TOGETHER = 25
"""Events in a batch of a busy desk: what arrives while the batch before is worked through."""
MEASURED = 4_000
"""Events that are folded to measure what they cost."""


def measure(bench: Bench, tickets: int) -> None:
    """Adds rows to the table."""
    person = {"login": "reader", "name": "Reader", "email": "reader@help.example.org", "roles": ["agent"]}
    bench.desk.call("PUT", "/people/reader", {**person, "password": bench.password})
    queues = []
    for slug in SLUGS:
        document = {"slug": slug, "name": slug.title(), "members": [{"person": "reader", "rights": ["read"]}]}
        bench.desk.call("PUT", f"/queues/{slug}", document)
        queues.append(QueueRef(id=UUID(bench.desk.call("GET", f"/queues/{slug}")["id"]), slug=slug, name=slug.title()))
    agents = [PersonRef(id=UUID(int=1000 + n), name=f"Agent {n}") for n in range(40)]
    desk = Desk(queues=queues, agents=agents)
    started = time.perf_counter()
    events = asyncio.run(_fill(bench, desk, tickets))
    print(f"{tickets} tickets, {events} events in {time.perf_counter() - started:.0f} s", flush=True)
    session = {"login": "reader", "password": bench.password}
    token: str = bench.desk.call("POST", "/session", session)["token"]
    floor = bench.floor()
    for what, path in questions():
        took = asyncio.run(_median(bench, token, path))
        requests = took * floor / 1000
        bench.row(what, took, "ms", "", None)
        bench.row("the same in requests of the floor", requests, "requests", f"<= {BAR:g}", requests <= BAR)
    asyncio.run(_cost(bench, desk))


def questions() -> Iterable[tuple[str, str]]:
    """What is asked, and its path."""
    for name, report in REPORTS.items():
        yield f"{name}, a year", f"/reports/{name}?{YEAR}"
        if report.past:
            yield f"{name} by month", f"/reports/{name}?{YEAR}&interval=month"
        for by in report.by:
            if by not in ("ticket", "person"):
                shown = f"{FIELD}room" if by == FIELD else by
                yield f"{name} by {shown}", f"/reports/{name}?{YEAR}&by={shown}"
    yield "volume by day", f"/reports/volume?{YEAR}&interval=day"
    yield "volume by month and queue", f"/reports/volume?{YEAR}&interval=month&by=queue"
    yield "volume with a filter", f"/reports/volume?{YEAR}&priority=5&state_type=closed"


async def _pool(bench: Bench) -> Pool:
    postgres = bench.instance.postgres
    return await connect_pool(postgres.url("postgres", postgres.password, "reporting"), smallest=1, largest=1)


async def _fill(bench: Bench, desk: Desk, tickets: int) -> int:
    pool = await _pool(bench)
    events = await fill_live(pool, tickets, desk=desk, names=("reports",))
    await pool.execute("VACUUM ANALYZE", timeout=600)
    await pool.close()
    return events


async def _median(bench: Bench, token: str, path: str) -> float:
    connection = HttpConnection("127.0.0.1", bench.instance.ports["gateway"], token)
    took = []
    for _ in range(TIMES + 1):
        started = time.perf_counter()
        status, _, body = await connection.request("GET", f"/api/v1{path}")
        took.append((time.perf_counter() - started) * 1000)
        assert status == 200, (path, body)
    connection.close()
    return statistics.median(took[1:])


async def _cost(bench: Bench, desk: Desk) -> None:
    """CPU of folding and saving, for an event of each set: of this process and of PostgreSQL."""
    pool = await _pool(bench)
    server = [each for name, group in all_processes(bench.instance).items() if name == "postgres" for each in group]
    known: dict[str, Any] = dict(projection_sets(ZoneInfo("UTC")))
    for seed, name in enumerate(("stats", "reports"), start=7):
        events = list(islice(chain.from_iterable(cases(seed, MEASURED, desk)), MEASURED))
        async with pool.acquire() as connection:
            generation = await live(connection, name)
        handler = known[name].handlers(generation)[TICKETS]
        before, own = cpu_of(server), time.process_time()
        for start in range(0, len(events), TOGETHER):
            async with pool.acquire() as connection, connection.transaction():
                await handler.work(connection, _delivered(events[start : start + TOGETHER]), set())
        spent = cpu_of(server) - before + time.process_time() - own
        bench.row(f"{name}: CPU of an event, folded and saved", spent * 1_000_000 / len(events), "us", "", None)
    await pool.close()


def _delivered(events: Iterable[Recorded]) -> list[Delivered]:
    return [Delivered(Position(TICKETS, 0, n), event.stream, b"", event) for n, event in enumerate(events)]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.reads.reports", description=__doc__)
    parser.add_argument("--tickets", type=int, default=100_000)
    asked = parser.parse_args()
    with home_of_its_own() as home:
        bench = Bench(lifecycle.up(home, lambda _: None), 0)
        measure(bench, asked.tickets)
    write_results("reports.json", bench.rows, tickets=asked.tickets)
    return 0


if __name__ == "__main__":
    sys.exit(main())
