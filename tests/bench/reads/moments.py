"""`python -m tests.bench.reads.moments [--tickets 100000]`: reads of past moments at the gateway, beside the floor.

Folds made-up tickets of a year into 100 queues, and one ticket of 1 000 events. Then it reads that ticket as it was
after half of them, and the counts and a list as they were in the middle of the year.
"""

import argparse
import asyncio
import json
import random
import statistics
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from uuid_utils.compat import uuid7

from deploy.local import lifecycle
from services.reporting.generations.projection_sets import projection_sets
from shared.contracts.envelope import Actor, Recorded
from shared.contracts.event import Event
from shared.contracts.intake import TicketOpened
from shared.contracts.parts import CustomerRef, Message, PersonRef, QueueRef
from shared.contracts.routing import (
    NoteAdded,
    OwnerChanged,
    StateChanged,
    TagsAdded,
    TicketLocked,
    TicketUnlocked,
)
from shared.contracts.topics import TICKETS
from shared.database import Pool, connect_pool
from shared.messaging.consuming.delivery import Delivered
from shared.messaging.consuming.handlers import Handler
from shared.messaging.consuming.projection import Position
from shared.projections.sets import live
from shared.rules.states import CLOSED_SUCCESSFUL, NEW, OPEN
from tests.bench.__main__ import Bench, home_of_its_own, write_results

QUEUES = 100
LONG = 1_000
"""Events of the long ticket."""
BATCH = 5_000
YEAR = timedelta(days=365)
KARI = PersonRef(id=UUID(int=1), name="Kari")


def measure(bench: Bench, tickets: int) -> None:
    """Adds the rows to the table."""
    queues = []
    for n in range(QUEUES):
        bench.desk.call("PUT", f"/queues/moment-{n}", {"slug": f"moment-{n}", "name": f"Moment {n}", "members": []})
        queue = bench.desk.call("GET", f"/queues/moment-{n}")
        queues.append(QueueRef(id=UUID(queue["id"]), slug=queue["slug"], name=queue["name"]))
    since = datetime.now(UTC) - YEAR
    middle = (since + YEAR / 2).strftime("%Y-%m-%dT%H:%M:%SZ")
    long = uuid7()
    halfway = asyncio.run(_fill(bench, queues, tickets, since, long))
    bench.floor()
    one = asyncio.run(_median(bench, f"/tickets/{long}?as_of={halfway}", 200))
    now = asyncio.run(_median(bench, f"/tickets/{long}", 200))
    bench.row(f"as_of of a ticket of {LONG} events, p50", one, "ms", "", None, as_it_is_now=now)
    bench.in_requests(one, bar=13)
    bench.row("the same ticket as it is now, p50", now, "ms", "", None)
    floor = bench.floor()
    counts = asyncio.run(_median(bench, f"/stats/queues?as_of={middle}", 20))
    most = 2_000 * 1_000 / floor
    what = f"as_of of the counts of {QUEUES} queues among {tickets} tickets, p50"
    bench.row(what, counts, "ms", f"<= {most:.0f}", counts <= most, floor)
    for name, query in (("", ""), (", the open ones", "&state_type=open"), (", by change", "&sort=-updated_at")):
        listed = asyncio.run(_median(bench, f"/tickets?limit=50&as_of={middle}{query}", 20))
        bench.row(f"as_of of a list of 50 among {tickets} tickets{name}, p50", listed, "ms", "", None)


async def _median(bench: Bench, path: str, times: int) -> float:
    """Milliseconds."""
    connection, found = bench.connection(), []
    for _ in range(times):
        started = time.perf_counter()
        status, _, body = await connection.request("GET", f"/api/v1{path}")
        found.append(time.perf_counter() - started)
        if status != 200 or json.loads(body).get("items") == []:
            raise SystemExit(f"bench: {path} answered {status}: {body[:300]!r}")
    return statistics.median(found) * 1000


async def _fill(bench: Bench, queues: list[QueueRef], tickets: int, since: datetime, long: UUID) -> str:
    """Folds the tickets into the live generation. Returns the id of the event in the middle of the long one."""
    postgres, chance = bench.instance.postgres, random.Random(1)
    pool = await connect_pool(postgres.url("postgres", postgres.password, "reporting"), smallest=1, largest=1)
    desk = projection_sets(ZoneInfo("UTC"))["desk"]
    async with pool.acquire() as connection:
        generation = await live(connection, desk.name) or 1
    handler = desk.handlers(generation)[TICKETS]
    added = [_note() if n % 2 else TagsAdded(tags=(f"tag-{n % 20}",), by=KARI) for n in range(LONG - 1)]
    long_life = _life(long, queues[0], since, chance, added, hours=6)
    await _fold(pool, handler, long_life)
    for first in range(0, tickets, BATCH):
        events: list[Recorded] = []
        for _ in range(min(BATCH, tickets - first)):
            events += _life(uuid7(), chance.choice(queues), since + chance.random() * YEAR, chance, _course(chance))
        await _fold(pool, handler, events)
    for table in desk.tables:
        await pool.execute(f"ANALYZE {desk.schema(generation)}.{table}")
    await pool.close()
    return str(long_life[LONG // 2].id)


async def _fold(pool: Pool, handler: Handler, events: Sequence[Recorded]) -> None:
    delivered = [Delivered(Position("", 0, n), event.stream, b"", event) for n, event in enumerate(events)]
    async with pool.acquire() as connection, connection.transaction():
        parked = await handler.work(connection, delivered, set())
    if parked:
        raise SystemExit(f"bench: {parked[0].reason}")


def _life(
    ticket: UUID,
    queue: QueueRef,
    opened_at: datetime,
    chance: random.Random,
    course: Sequence[Event],
    hours: float = 12,
) -> list[Recorded]:
    """A ticket's opening and what follows, with so many hours between two events on average."""
    customer = CustomerRef(id=UUID(int=chance.randrange(1_000, 6_000)), email=f"{ticket.hex}@customer.example")
    message = Message(id=uuid7(), channel="email", text="Since this morning it hums. " * 6)
    opened = TicketOpened(
        number=f"m{ticket.hex}", title="My computer hums", queue=queue, customer=customer, channel="email",
        priority=chance.choice((2, 3, 3, 3, 4, 5)), message=message,
    )  # fmt: skip
    versions: dict[str, int] = {}
    events, at = [], opened_at
    for payload in (opened, *course):
        versions[payload.OWNER] = version = versions.get(payload.OWNER, 0) + 1
        source, actor = f"/services/{payload.OWNER}", Actor("agent")
        events.append(
            Recorded(uuid7(), payload.TYPE, source, ticket, version, at, at, ticket, None, actor, None, payload)
        )
        at += timedelta(hours=chance.expovariate(1 / hours))
    return events


def _course(chance: random.Random) -> list[Event]:
    """What happens to a usual ticket."""
    course: list[Event] = [
        StateChanged(to=OPEN, was=NEW, by=KARI),
        TicketLocked(by=KARI),
        OwnerChanged(to=KARI, was=None),
        _note(),
        TicketUnlocked(was=KARI),
        StateChanged(to=CLOSED_SUCCESSFUL, was=OPEN, by=KARI),
    ]
    return course[: chance.choice((0, 4, 6, 6, 6, 6))]


def _note() -> NoteAdded:
    return NoteAdded(by=KARI, message=Message(id=uuid7(), channel="note", text="It hums indeed. " * 6))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.reads.moments", description=__doc__)
    parser.add_argument("--tickets", type=int, default=100_000)
    arguments = parser.parse_args()
    with home_of_its_own() as home:
        bench = Bench(lifecycle.up(home, lambda _: None), 0)
        measure(bench, arguments.tickets)
    write_results("moments.json", bench.rows, tickets=arguments.tickets)
    return 0


if __name__ == "__main__":
    sys.exit(main())
