"""`python -m tests.bench.reads.deadlines [--tickets 100000] [--plans]`: lists by deadlines, beside the list by priority.

Fills the read model of a PostgreSQL of its own with made-up tickets: half of them in one queue, which all have a running
deadline; the others in 50 queues, of which one in ten has one. One in two hundred is escalated. The statements of pages
of 50 are measured in turns, so that a busy machine slows all of them.
"""

import argparse
import asyncio
import contextlib
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from services.reporting.tickets.read_model.ticket_row import ColumnFilters
from services.reporting.tickets.ticket_list import Filters, count_statement, statement
from services.reporting.visibility import Scope
from shared.database import Connection
from tests import servers
from tests.conftest import Databases
from tests.services.reporting.reporting_database import reporting_with_a_live_desk

TURNS = 40
MOST_RATIO = 5.0
"""A page by deadlines takes at most so many times as long as the same page by priority."""
WITHOUT = "by due time, those without one"
"""Has no bar: in a queue in which nearly all tickets have a deadline, the last ones are found by reading the queue."""
FILL = """
INSERT INTO desk_v1.tickets (id, queue_id, created_at, updated_at, customer_id, priority, number, title, customer_email,
                             time_units, article_count, public_article_count, event_count, reminder_due, escalated,
                             queue_slug, queue_name, state_slug, state_name, state_type, channel, customer_name, tags,
                             seen, due_at, deadlines)
SELECT lpad(to_hex(n), 32, '0')::uuid,
       CASE WHEN n <= $1 / 2 THEN $2 ELSE lpad(to_hex(1000 + n % 50), 32, '0')::uuid END,
       at, at, lpad(to_hex(n % 5000), 32, '0')::uuid, 1 + n % 5, n::text, 'It hums', n || '@customer.example',
       0, 2, 1, 7, false, n % 200 = 0, 'q', 'Q', 'open', 'open', 'open', 'email', 'Per', '{}', '{}',
       CASE WHEN n <= $1 / 2 OR n % 10 = 0 THEN now() + (n * 7919 % $1) * interval '1 second' END,
       CASE WHEN n <= $1 / 2 OR n % 10 = 0 THEN $3::text::json END
  FROM generate_series(1, $1::integer) AS n CROSS JOIN LATERAL (SELECT now() - n * interval '1 minute' AS at) AS t
"""
BIG, SMALL = UUID(int=7), UUID(int=1007)
DEADLINE = """
[{"clock": "first_answer", "sla": {"id": "00000000-0000-0000-0000-000000000046", "slug": "gold", "name": "Gold", "version": 3},
  "calendar": null, "since": "2026-11-23T08:00:00Z", "minutes": 20, "used_minutes": 0, "at": "2026-11-23T08:00:00Z",
  "state": "running", "due_at": "2026-11-23T08:20:00Z", "warn_at": "2026-11-23T08:16:00Z", "warned": false, "ended_at": null}]
"""


def pages() -> dict[str, tuple[str, list[Any]]]:
    """The statements by what they list; each is compared with the last one before it whose name begins with `by priority`."""
    everything = Scope((), (), None, everything=True)
    agent = Scope((BIG, *(UUID(int=1000 + n) for n in range(50))), (), None)
    in_20_minutes = datetime.now(UTC) + timedelta(minutes=20)
    chosen = ColumnFilters(), ColumnFilters(escalated=True), ColumnFilters(due_before=in_20_minutes)
    found: dict[str, tuple[str, list[Any]]] = {}
    middle = datetime.now(UTC) + timedelta(hours=6)
    for name, scope, queues in (
        ("an agent of 51 queues", agent, None),
        ("an administrator", everything, None),
        ("one queue in which all have a deadline", agent, (BIG,)),
        ("one queue in which a tenth has one", agent, (SMALL,)),
    ):
        bare, hot, soon = (Filters(columns=each, queues=queues) for each in chosen)
        found |= {
            f"by priority: {name}": statement(scope, bare, "default", None, 51),
            f"by due time: {name}": statement(scope, bare, "due_at", None, 51),
            f"by due time, falling: {name}": statement(scope, bare, "-due_at", None, 51),
            f"by due time, from the middle: {name}": statement(scope, bare, "due_at", [middle, middle, UUID(int=1)], 51),
            f"{WITHOUT}: {name}": statement(scope, bare, "due_at", [None, middle - timedelta(days=90), UUID(int=1)], 51),
            f"escalated: {name}": statement(scope, hot, "default", None, 51),
            f"escalated, by due time: {name}": statement(scope, hot, "due_at", None, 51),
            f"due in 20 minutes: {name}": statement(scope, soon, "default", None, 51),
            f"due in 20 minutes, by due time: {name}": statement(scope, soon, "due_at", None, 51),
            f"count of the escalated: {name}": count_statement(scope, hot),
        }  # fmt: skip
    return found


async def measure(connection: Connection, *, plans: bool) -> bool:
    """Prints the medians. Returns whether every page keeps the bound."""
    wanted, took = pages(), dict[str, list[float]]()
    for _ in range(TURNS):
        for name, (text, arguments) in wanted.items():
            started = time.perf_counter()
            await connection.fetch(text, *arguments)
            took.setdefault(name, []).append(1000 * (time.perf_counter() - started))
    kept, floor = True, 1.0
    for name, times in took.items():
        median = statistics.median(times)
        if name.startswith("by priority"):
            floor = median
        ratio = median / floor
        good = ratio <= MOST_RATIO or name.startswith(WITHOUT)
        kept &= good
        print(f"{name:<75} {median:7.2f} ms  x {ratio:4.1f}{'' if good else '  TOO LONG'}")
        if plans:
            text, arguments = wanted[name]
            print(
                *(
                    f"    {row[0]}"
                    for row in await connection.fetch("EXPLAIN (ANALYZE, COSTS OFF) " + text, *arguments)
                ),
                sep="\n",
            )
    return kept


async def run(url: str, tickets: int, *, plans: bool) -> bool:
    async with contextlib.asynccontextmanager(reporting_with_a_live_desk)(Databases(url)) as reporting:
        await reporting.owner.execute(FILL, tickets, BIG, DEADLINE)
        await reporting.owner.execute("VACUUM ANALYZE desk_v1.tickets")
        async with reporting.pool.acquire() as connection:
            return await measure(connection, plans=plans)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.reads.deadlines", description=__doc__)
    parser.add_argument("--tickets", type=int, default=100_000)
    parser.add_argument("--plans", action="store_true", help="print the plan of each statement")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory, servers.postgres(Path(directory)) as url:
        return 0 if asyncio.run(run(url, asked.tickets, plans=asked.plans)) else 1


if __name__ == "__main__":
    sys.exit(main())
