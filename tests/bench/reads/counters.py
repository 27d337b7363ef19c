"""`python -m tests.bench.reads.counters [--tickets 100000]`: counters and counts where one person owns every ticket.

In ms at the gateway and in requests of the floor, like the list of a queue in `tests.bench`.
"""

import argparse
import asyncio
import json
import statistics
import sys
import time
from typing import Any
from uuid import UUID

import asyncpg

from deploy.local import lifecycle
from tests.bench.__main__ import Bench, home_of_its_own, write_results
from tests.bench.load.many_tickets import fill_list

QUEUE = "counted"
REQUESTS = {
    "counters of the menu bar": ("/stats/mine", 5.0),
    "counts of a dashboard's widgets": ("/stats/widgets", 5.0),
    "the last seven days": ("/stats/days", 5.0),
    "count of my tickets (more than are counted)": (f"/tickets?limit=1&count=true&queue={QUEUE}&owner=me", 15.0),
    "count of a queue's closed ones (more than are counted)": (
        f"/tickets?limit=1&count=true&queue={QUEUE}&state_type=closed",
        15.0,
    ),
    "count of a customer's tickets": ("/tickets?limit=1&count=true&customer=c7@customer.example", 5.0),
}
"""What is asked -> the path, and the bar in ms."""
OWN_ALL = """
UPDATE desk.tickets SET owner_id = $1, owner_name = 'Admin', state_type = CASE WHEN created_at < $3 THEN 'closed' ELSE 'open' END
 WHERE queue_id = $2
"""
COUNT_ALL = """
INSERT INTO stats.people (person_id, queue_id, locked, owned) VALUES ($1, $2, 0, $3)
    ON CONFLICT (person_id, queue_id) DO UPDATE SET owned = excluded.owned
"""


def measure(bench: Bench, tickets: int) -> None:
    """Adds rows to the table."""
    bench.desk.call("PUT", f"/queues/{QUEUE}", {"slug": QUEUE, "name": "Counted", "members": []})
    queue = UUID(bench.desk.call("GET", f"/queues/{QUEUE}")["id"])
    me = UUID(bench.desk.call("GET", "/session")["person"]["id"])
    asyncio.run(fill_list(bench.instance, queue, QUEUE, tickets))
    asyncio.run(_own(bench, queue, me, tickets))
    assert bench.desk.call("GET", "/stats/mine")["owned"] >= tickets
    bench.floor()
    for what, (path, bar) in REQUESTS.items():
        took = asyncio.run(_p50(bench, path))
        bench.row(f"{what}, p50 at the gateway", took, "ms", f"<= {bar:g}", took <= bar)
        bench.in_requests(took, bar)


async def _own(bench: Bench, queue: UUID, me: UUID, tickets: int) -> None:
    """Makes one person the owner of every ticket of the queue, and closes nine of ten."""
    postgres = bench.instance.postgres
    connection = await asyncpg.connect(postgres.url("postgres", postgres.password, "reporting"), command_timeout=600)
    lately: Any = await connection.fetchval(
        "SELECT percentile_disc(0.9) WITHIN GROUP (ORDER BY created_at) FROM desk.tickets WHERE queue_id = $1", queue
    )
    await connection.execute(OWN_ALL, me, queue, lately)
    await connection.execute(COUNT_ALL, me, queue, tickets)
    for (generation,) in await connection.fetch(
        "SELECT generation FROM projections.generations WHERE name = 'desk' AND state = 'live'"
    ):
        await connection.execute(f"VACUUM ANALYZE desk_v{generation}.tickets")
    await connection.close()


async def _p50(bench: Bench, path: str) -> float:
    connection, times = bench.connection(), []
    for _ in range(200):
        started = time.perf_counter()
        status, _, body = await connection.request("GET", f"/api/v1{path}")
        times.append(time.perf_counter() - started)
        assert status == 200 and json.loads(body), body
    return statistics.median(times) * 1000


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.reads.counters", description=__doc__)
    parser.add_argument("--tickets", type=int, default=100_000)
    arguments = parser.parse_args()
    with home_of_its_own() as home:
        bench = Bench(lifecycle.up(home, lambda _: None), 0)
        measure(bench, arguments.tickets)
    write_results("counters.json", bench.rows, tickets=arguments.tickets)
    return 0


if __name__ == "__main__":
    sys.exit(main())
