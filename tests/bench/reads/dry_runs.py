"""`python -m tests.bench.reads.dry_runs [--tickets 90000]`: dry runs of triggers over a year, through the gateway.

The history is a made-up year (tests/histories): 90 000 cases have a million events. Each dry run tells its progress. While
it runs, a list is read again and again: what that costs then is compared with what it costs on an idle desk. Also the
memory of reporting, which must not depend on the number of events.
"""

import argparse
import asyncio
import contextlib
import json
import statistics
import sys
import time
from typing import Any

from deploy.local import lifecycle
from shared.database import connect_pool
from tests.bench.__main__ import Bench, home_of_its_own, write_results
from tests.bench.load.client import HttpConnection
from tests.bench.reads.export import FLAT, Peak
from tests.histories.folding import fill_live

YEAR = {"from": "2025-11-03T00:00:00Z", "to": "2026-11-03T00:00:00Z"}
WEEK = {"from": "2026-03-02T00:00:00Z", "to": "2026-03-09T00:00:00Z"}
HAPPENINGS = (
    "opened", "customer-message", "answered", "note", "state-changed", "moved", "owner-changed", "priority-changed",
    "tagged", "reminder",
)  # fmt: skip
OPEN = {"field": "state_type", "is": ["new", "open"]}
TEXT = {"field": "text", "contains": ["the door in b 214"]}
QUESTIONS: tuple[tuple[str, dict[str, str], dict[str, Any]], ...] = (
    ("openings of a year", YEAR, {"on": ["opened"], "when": {"all": []}}),
    ("changes of state, of which none fits", YEAR, {"on": ["state-changed"], "when": {"any": []}}),
    ("everything that happened in a year", YEAR, {"on": HAPPENINGS, "when": {"all": []}}),
    ("what was written in a year", YEAR, {"on": ["opened", "customer-message", "answered", "note"], "when": TEXT}),
    ("idle for three days in a year", YEAR, {"on": ["idle"], "idle_minutes": 4320, "when": OPEN}),
    ("everything of one week", WEEK, {"on": HAPPENINGS, "when": {"all": []}}),
)
BAR = 150.0
"""Requests of the floor for 1 000 events of the history: a million in 150 s on a floor of 1 000 requests a second."""


def measure(bench: Bench, tickets: int) -> None:
    """Adds rows to the table."""
    started = time.perf_counter()
    events = asyncio.run(_fill(bench, tickets))
    print(f"{tickets} cases, {events} events in {time.perf_counter() - started:.0f} s", flush=True)
    floor = bench.floor()
    idle = asyncio.run(_lists_beside(bench, asyncio.Event(), seconds=5.0))
    bench.row("a list on an idle desk, p50", statistics.median(idle), "ms", "", None)
    for what, period, trigger in QUESTIONS:
        peak = Peak(bench)
        took, lines, lists = asyncio.run(_asked(bench, period, trigger))
        grown = peak.end()
        read = next((line["progress"]["events"] for line in reversed(lines) if "progress" in line), 0)
        count = lines[-1]["result"]["count"]
        requests = took * floor / (events / 1000)
        bench.row(f"{what}: {count} acts, {len(lines) - 1} lines of progress", took, "s", "", None, read=read)
        bench.row(
            "the same for 1 000 events, in requests of the floor", requests, "requests", f"<= {BAR:g}", requests <= BAR
        )
        bench.row("reporting grows meanwhile", grown / 1e6, "MB", f"<= {FLAT / 1e6:.0f}", grown <= FLAT)
        if lists:
            bench.row("a list meanwhile, p50", statistics.median(lists), "ms", "", None, worst=max(lists))


async def _fill(bench: Bench, tickets: int) -> int:
    postgres = bench.instance.postgres
    pool = await connect_pool(postgres.url("postgres", postgres.password, "reporting"), smallest=1, largest=1)
    events = await fill_live(pool, tickets, names=("desk",))
    await pool.execute("VACUUM ANALYZE", timeout=900)
    await pool.close()
    return events


async def _asked(
    bench: Bench, period: dict[str, str], trigger: dict[str, Any]
) -> tuple[float, list[dict[str, Any]], list[float]]:
    """Seconds of a dry run, its lines, and what lists cost meanwhile."""
    document = {"slug": "try", "name": "Try", "then": [{"do": "tag", "tags": ["seen"]}], **trigger}
    done = asyncio.Event()
    lists = asyncio.create_task(_lists_beside(bench, done))
    connection = HttpConnection("127.0.0.1", bench.instance.ports["gateway"], bench.desk.token)
    started = time.perf_counter()
    status, _, answer = await connection.request(
        "POST", "/api/v1/triggers/dry-run", {"trigger": document, **period}, "Accept: application/x-ndjson\r\n"
    )
    took = time.perf_counter() - started
    done.set()
    connection.close()
    if status != 200:
        raise SystemExit(f"bench: the dry run answered {status}: {answer[:300]!r}")
    return took, [json.loads(line) for line in answer.splitlines()], await lists


async def _lists_beside(bench: Bench, done: asyncio.Event, seconds: float = 600.0) -> list[float]:
    """Milliseconds of a list of 50, ten times a second."""
    connection = bench.connection()
    took: list[float] = []
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while not done.is_set():
                started = time.perf_counter()
                await connection.request("GET", "/api/v1/tickets?limit=50")
                took.append((time.perf_counter() - started) * 1000)
                await asyncio.sleep(0.1)
    connection.close()
    return took


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.reads.dry_runs", description=__doc__)
    parser.add_argument("--tickets", type=int, default=90_000)
    asked = parser.parse_args()
    with home_of_its_own() as home:
        bench = Bench(lifecycle.up(home, lambda _: None), 0)
        measure(bench, asked.tickets)
    write_results("dry-runs.json", bench.rows, tickets=asked.tickets)
    return 0


if __name__ == "__main__":
    sys.exit(main())
