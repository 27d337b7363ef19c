"""`python -m tests.bench.clocks [--tickets 100000] [--timers 1000000]`: what the clocks of tickets cost.

On a PostgreSQL of its own, in one process. Each figure is a ratio to another one of the same run, measured in turns.

- An opened ticket, in CPU of the desk: without anything that follows from decisions, without an SLA, with an SLA that
  fits no ticket, and with one that gives two clocks in working time.
- Deadlines that wait: the worker's look for due ones; how late the last of 1 000 is that are due at once, and how late
  each is of 200 a second.
- A new SLA for every open ticket: how long its recount takes, and requests a second of the desk while it runs.
"""

import argparse
import asyncio
import itertools
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from uuid_utils.compat import uuid7

from services.routing import timers
from services.routing.app import handlers
from services.routing.recounts.worker import Recounts
from shared.contracts.directory import Calendar, Sla
from shared.contracts.envelope import Actor, Recorded, encode
from shared.contracts.event import data_of
from shared.contracts.intake import TicketOpened
from shared.contracts.parts import Message, QueueRef
from shared.contracts.routing import TicketQueued
from shared.contracts.topics import TICKETS
from shared.eventstore.store import utc_now
from shared.messaging.consuming.delivery import Delivered
from shared.messaging.consuming.projection import Position
from shared.rules.states import NEW
from tests import servers
from tests.conftest import Databases
from tests.services.routing.clocks.stage import save
from tests.services.routing.workplace import CUSTOMER, IT, OLA, SECRET, Workplace, workplace

ROUNDS = 6
OPENED_AT_ONCE = 250
AGENTS = 8
WINDOW_SECONDS = 4.0
OFFICE = Calendar(
    id=UUID(int=91),
    slug="office",
    name="Office",
    timezone="Europe/Oslo",
    hours=dict.fromkeys(("mon", "tue", "wed", "thu", "fri"), (("08:00", "11:30"), ("12:00", "16:00"))),
    holidays="NO",
)
DUE_AT_ONCE = 1_000
A_SECOND, SECONDS = 200, 10
"""So many deadlines are then due a second, for so long."""
SPREAD = """
UPDATE routing.timers t
   SET due_at = $1::timestamptz
                + CASE WHEN s.n > $2::integer THEN interval '10 seconds' + (s.n - $2) * interval '1 second' / $3::integer
                       ELSE interval '0' END
  FROM (SELECT ticket_id, kind, row_number() OVER (ORDER BY ticket_id) AS n
          FROM routing.timers WHERE due_at < now() + interval '1 hour') AS s
 WHERE t.ticket_id = s.ticket_id AND t.kind = s.kind
"""
PLANNED = """
SELECT ticket_id, due_at FROM routing.timers WHERE due_at > $1::timestamptz AND due_at < $1 + interval '1 hour'
"""
TOLD = """
SELECT stream_id, min(recorded_at) AS at
  FROM es.events
 WHERE type IN ('helpdesk.DeadlineWarned.v1', 'helpdesk.DeadlineBroken.v1') AND stream_id = ANY($1)
 GROUP BY stream_id
"""
FILL = """
WITH t AS (SELECT gen_random_uuid() AS id, n FROM generate_series(1, $2) n), s AS (
    INSERT INTO es.streams SELECT id, 'ticket', 1 FROM t
), p AS (
    INSERT INTO routing.places SELECT id, $3, true FROM t
)
INSERT INTO es.events (stream_id, version, occurred_at, event_id, correlation_id, type, actor_kind, data)
SELECT id, 1, now(), gen_random_uuid(), gen_random_uuid(), 'helpdesk.TicketQueued.v1', 'service',
       replace($1, '"number":"0"', format('"number":"%s"', n))::json
  FROM t
"""


def gold(version_of: int, queue: str, **more: object) -> Sla:
    document = {
        "id": UUID(int=90), "slug": "gold", "name": f"Gold {version_of}", "queues": (queue,), "calendar": "office",
        "first_answer_minutes": 60.0, "update_minutes": 120.0, "solution_minutes": 960.0, "pauses_in": ("pending-reminder",),
    }  # fmt: skip
    return Sla.model_validate(document | more)


async def opening(desk: Workplace) -> None:
    """CPU of an opened ticket, in turns."""
    numbers = itertools.count(1)
    place = QueueRef(id=IT.id, slug=IT.slug, name=IT.name)
    handler = handlers(desk.store, desk.operations.directory)[TICKETS]
    conclude = handler.runner.conclude  # type: ignore[attr-defined]
    await save(desk, OFFICE)

    def deliveries() -> list[Delivered]:
        made = []
        for _ in range(OPENED_AT_ONCE):
            n, stream = next(numbers), uuid7()
            opened = TicketOpened(
                number=f"20261128{n:08d}", title="It hums", queue=place, customer=CUSTOMER, channel="email",
                message=Message(id=uuid7(), channel="email", text="It hums."),
            )  # fmt: skip
            event = Recorded(
                uuid7(), opened.TYPE, "/services/intake", stream, 1, utc_now(), utc_now(), uuid7(), None,
                Actor("customer"), None, opened,
            )  # fmt: skip
            made.append(Delivered(Position(TICKETS, 0, n), stream, encode(event), event))
        return made

    async def cpu() -> float:
        batch = deliveries()
        started = time.process_time()
        async with desk.pool.acquire() as connection, connection.transaction():
            await handler.work(connection, batch, set())
        handler.committed()
        return (time.process_time() - started) / OPENED_AT_ONCE * 1e6

    kinds = ("nothing that follows", "no SLA", "an SLA of another queue", "two clocks in working time")
    took: dict[str, list[float]] = {kind: [] for kind in kinds}
    version = 0
    for number in range(ROUNDS + 1):
        for kind in kinds:
            version += 1
            queue = IT.slug if kind == kinds[3] else SECRET.slug
            await save(desk, gold(version, queue), version, retired=kind in kinds[:2])
            handler.runner.conclude = None if kind == kinds[0] else conclude  # type: ignore[attr-defined]
            value = await cpu()
            if number:
                took[kind].append(value)
    floor = statistics.median(took[kinds[0]])
    for kind in kinds:
        value = statistics.median(took[kind])
        print(f"an opened ticket, {kind:<28} {value:7.0f} us CPU   {value / floor:5.2f} of the first", flush=True)
    await save(desk, gold(0, SECRET.slug), version + 1, retired=True)


async def waiting(desk: Workplace, count: int) -> None:
    """What waiting deadlines cost, and how late many are that are due at once."""
    look = await _look(desk)
    await desk.pool.execute(
        "INSERT INTO routing.timers SELECT gen_random_uuid(), 'solution', now() + interval '1 day' + n * interval '1 second'"
        " FROM generate_series(1, $1::integer) n",
        count,
        timeout=600,
    )
    await desk.pool.execute("ANALYZE routing.timers")
    for statement, arguments in ((timers.NEXT, []), (timers.DUE, [utc_now(), 100])):
        for row in await desk.pool.fetch(f"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF) {statement}", *arguments):
            print(f"    {row[0]}")
    more = await _look(desk)
    print(f"a look for due timers: {look:.2f} ms with few, {more:.2f} ms with {count} that wait", flush=True)
    await _fill(desk, SECRET.slug, SECRET.id, DUE_AT_ONCE + A_SECOND * SECONDS)
    await save(desk, gold(1, SECRET.slug, calendar=None, first_answer_minutes=0.2, solution_minutes=None), 1)
    work = Recounts(desk.store, desk.clock.conclude, desk.operations.directory)
    while await work.work():
        pass
    due = await desk.pool.fetchval("SELECT max(due_at) FROM routing.timers WHERE due_at < now() + interval '1 hour'")
    due = max(due, utc_now() + timedelta(seconds=1))
    await desk.pool.execute(SPREAD, due, DUE_AT_ONCE, A_SECOND)
    spread = await desk.pool.fetch(PLANNED, due)
    planned = {row["ticket_id"]: row["due_at"] for row in spread}
    while utc_now() < due:
        await asyncio.sleep(0.001)
    fired = 0
    while fired < DUE_AT_ONCE:
        fired += await desk.clock.fire(timers.AT_ONCE)
    late = (utc_now() - due).total_seconds()
    print(
        f"{DUE_AT_ONCE} deadlines due at the same moment: the last is told {late:.2f} s later (2 s are promised)",
        flush=True,
    )
    running, cpu = asyncio.create_task(desk.clock.run()), time.process_time()
    while await desk.pool.fetchval(
        "SELECT EXISTS (SELECT FROM routing.timers WHERE due_at < now() + interval '1 hour')"
    ):
        await asyncio.sleep(0.2)
    running.cancel()
    await asyncio.wait([running])
    cpu = (time.process_time() - cpu) / len(planned) * 1000
    told = await desk.pool.fetch(TOLD, list(planned))
    lates = sorted((row["at"] - planned[row["stream_id"]]).total_seconds() for row in told)
    p50, p99 = lates[len(lates) // 2], lates[len(lates) * 99 // 100]
    print(
        f"{A_SECOND} due a second: told {p50:.2f} s later (p50), {p99:.2f} s (p99), {lates[-1]:.2f} s at most; {cpu:.2f} ms CPU each",
        flush=True,
    )


async def _look(desk: Workplace) -> float:
    took = []
    for _ in range(200):
        started = time.perf_counter()
        await desk.clock.fire(timers.AT_ONCE)
        await desk.pool.fetchval(timers.NEXT)
        took.append(time.perf_counter() - started)
    return statistics.median(took) * 1000


async def recounting(desk: Workplace, count: int) -> None:
    """A new SLA for many open tickets, and the desk meanwhile."""
    await _fill(desk, IT.slug, IT.id, count)
    await desk.pool.execute("VACUUM ANALYZE es.events", timeout=600)
    await desk.pool.execute("ANALYZE routing.places")
    served = [await desk.ticket(SECRET) for _ in range(AGENTS * 10)]
    await save(desk, gold(1, IT.slug, first_answer_minutes=None), 1)
    work = Recounts(desk.store, desk.clock.conclude, desk.operations.directory)
    alone: list[float] = []
    beside: list[float] = []
    delays: list[float] = []
    for _ in range(ROUNDS):
        rate, _times = await _serve(desk, served, WINDOW_SECONDS)
        alone.append(rate)
        running = asyncio.create_task(work.run())
        rate, times = await _serve(desk, served, WINDOW_SECONDS)
        beside.append(rate)
        delays += times
        running.cancel()
        await asyncio.wait([running])
    done = await desk.pool.fetchval("SELECT sum(done) FROM routing.recounts WHERE finished_at IS NULL") or 0
    ratio = statistics.median(beside) / statistics.median(alone)
    p99 = statistics.quantiles(delays, n=100)[98] * 1000
    print(
        f"the desk beside a recount: {statistics.median(beside):.0f} requests/s, {ratio:.2f} of {statistics.median(alone):.0f} alone",
        end="; ",
    )
    print(f"p99 {p99:.0f} ms; {done / (ROUNDS * WINDOW_SECONDS):.0f} tickets/s are counted anew meanwhile", flush=True)
    started, cpu = time.monotonic(), time.process_time()
    running = asyncio.create_task(work.run())
    while left := await desk.pool.fetchval(
        "SELECT sum(total - done) FROM routing.recounts WHERE finished_at IS NULL AND round < 3"
    ):
        await asyncio.sleep(1)
    running.cancel()
    took, used = time.monotonic() - started, time.process_time() - cpu
    rest = count - done
    print(
        f"a recount with nothing else to do: {rest / took:.0f} tickets/s, {used / rest * 1e6:.0f} us CPU a ticket",
        flush=True,
    )
    print(
        f"    {count} open tickets take {count / rest * took:.0f} s" + (f" ({left} left)" if left else ""), flush=True
    )


async def _fill(desk: Workplace, slug: str, queue: UUID, count: int) -> None:
    place = QueueRef(id=queue, slug=slug, name=slug)
    queued = TicketQueued(
        number="0",
        title="It hums",
        queue=place,
        customer=CUSTOMER,
        state=NEW,
        priority=3,
        channel="email",
        at=utc_now(),
    )
    await desk.pool.execute(FILL, data_of(queued).decode(), count, queue, timeout=600)


async def _serve(desk: Workplace, tickets: Sequence[str], seconds: float) -> tuple[float, list[float]]:
    """Agents who set and take back a tag, one after the other. Requests a second, and how long each took."""
    end, times = time.monotonic() + seconds, list[float]()

    async def agent(number: int) -> None:
        for ticket in itertools.cycle(tickets[number::AGENTS]):
            for command in ("tag", "untag"):
                if time.monotonic() > end:
                    return
                started = time.monotonic()
                await desk.done(ticket, command, {"tags": ["hot"]}, who=OLA)
                times.append(time.monotonic() - started)

    await asyncio.gather(*(agent(number) for number in range(AGENTS)))
    return len(times) / seconds, times


async def measure(superuser_url: str, tickets: int, waits: int) -> None:
    with tempfile.TemporaryDirectory() as blobs:
        async with workplace(Databases(superuser_url), Path(blobs)) as desk:
            await opening(desk)
        async with workplace(Databases(superuser_url), Path(blobs)) as desk:
            await save(desk, OFFICE)
            await waiting(desk, waits)
        async with workplace(Databases(superuser_url), Path(blobs)) as desk:
            await save(desk, OFFICE)
            await recounting(desk, tickets)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.clocks", description=__doc__)
    parser.add_argument("--tickets", type=int, default=100_000)
    parser.add_argument("--timers", type=int, default=1_000_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as home, servers.postgres(Path(home)) as url:
        asyncio.run(measure(url, arguments.tickets, arguments.timers))
    return 0


if __name__ == "__main__":
    sys.exit(main())
