"""`python -m tests.bench.desk [--tickets 1000000]`: measures what agents read and do, each with its bar.

Lists are measured at 100 000 tickets, and again at `--tickets` if that is more. Starts a system of its own and takes it
down. Prints a table and writes `bench/desk.json`.
"""

import argparse
import asyncio
import itertools
import json
import statistics
import time
import uuid
from typing import Any

from deploy.local import lifecycle
from tests.bench.__main__ import CONNECTIONS, Bench, home_of_its_own, write_results
from tests.bench.load.client import HttpConnection, closed_loop
from tests.bench.load.many_tickets import fill_list

QUEUE = 20_000
"""Tickets in each queue that lists are read from."""
READS = 200
FILTERS = {
    "of one queue": "queue={0}",
    "with three filters": "queue={0}&state=new&priority=3&priority=4&available=true",
    "by customer": "customer=c42@customer.example",
}


class DeskBench(Bench):
    """The rows of agents' reads and commands."""

    def lists(self, tickets: int) -> None:
        slugs = self._queues("list", 5)
        self._fill(slugs, QUEUE)
        small = {name: self._list(name, filters.format(slugs[0])) for name, filters in FILTERS.items()}
        if tickets <= 5 * QUEUE:
            return
        # Many more queues are added; the ones that are read stay as they are.
        others = self._queues("other", 9)
        self._fill(others, (tickets - 5 * QUEUE) // len(others))
        for name, filters in FILTERS.items():
            large = asyncio.run(self._times(f"/tickets?limit=50&{filters.format(slugs[0])}"))
            ratio = statistics.median(large) / small[name]
            self.row(f"the same at {tickets:,} tickets, {name}", ratio, "times", "<= 1.5", ratio <= 1.5)

    def _queues(self, prefix: str, count: int) -> list[str]:
        slugs = [f"{prefix}-{n}" for n in range(count)]
        for slug in slugs:
            self.desk.call("PUT", f"/queues/{slug}", {"slug": slug, "name": slug, "members": []})
        return slugs

    def _fill(self, slugs: list[str], each: int) -> None:
        for slug in slugs:
            queue = self.desk.call("GET", f"/queues/{slug}")
            asyncio.run(fill_list(self.instance, uuid.UUID(queue["id"]), slug, each))

    def _list(self, name: str, filters: str) -> float:
        times = asyncio.run(self._times(f"/tickets?limit=50&{filters}"))
        p50, p99 = statistics.median(times) * 1000, times[int(len(times) * 0.99)] * 1000
        self.row(f"list of 50 among {5 * QUEUE:,} tickets, {name}, p50", p50, "ms", "<= 5", p50 <= 5)
        self.in_requests(p50)
        self.row(f"list of 50 among {5 * QUEUE:,} tickets, {name}, p99", p99, "ms", "<= 25", p99 <= 25)
        return p50 / 1000

    async def _times(self, path: str, connection: HttpConnection | None = None) -> list[float]:
        """The sorted times of READS reads."""
        connection, times = connection or self.connection(), []
        for _ in range(READS):
            started = time.perf_counter()
            status, _, body = await connection.request("GET", f"/api/v1{path}")
            times.append(time.perf_counter() - started)
            assert status == 200, body
        return sorted(times)

    def counts(self) -> None:
        """All counts of an agent who works in 100 queues, in one call."""
        self.desk.call("PUT", "/people/counter", {
            "login": "counter", "name": "Counter", "email": "counter@help.example.org", "password": self.password,
            "roles": ["agent"],
        })  # fmt: skip
        members = [{"person": "counter", "rights": ["read"]}]
        for n in range(100):
            self.desk.call("PUT", f"/queues/count-{n}", {"slug": f"count-{n}", "name": str(n), "members": members})
        session = self.desk.call("POST", "/session", {"login": "counter", "password": self.password})
        connection = HttpConnection("127.0.0.1", self.instance.ports["gateway"], session["token"])
        p50 = statistics.median(asyncio.run(self._times("/stats/queues", connection))) * 1000
        self.row("counts of 100 queues for one agent", p50, "ms", "<= 5", p50 <= 5)
        self.in_requests(p50)

    def long_tickets(self) -> None:
        """Reads of a ticket with 200 articles, and commands on one with 1 000 events compared with 10."""
        short, middle, long = (asyncio.run(self._ticket(notes)) for notes in (8, 199, 998))
        for part in ("", "/articles?limit=50"):
            p50 = statistics.median(asyncio.run(self._times(f"/tickets/{middle}{part}"))) * 1000
            self.row(f"a ticket with 200 articles{', a page of them' if part else ''}", p50, "ms", "<= 15", p50 <= 15)
        few, many = (asyncio.run(self._commands(ticket)) for ticket in (short, long))
        self.row("a command on a ticket with 1 000 events against 10", many / few, "times", "<= 3", many / few <= 3,
                 few_ms=few * 1000, many_ms=many * 1000)  # fmt: skip

    async def _ticket(self, notes: int) -> str:
        connection = self.connection()
        opened = await self.ticket(connection)()
        for n in range(notes):
            await self._command(connection, opened["id"], "note", {"text": f"note {n}"})
        return str(opened["id"])

    async def _commands(self, ticket: str) -> float:
        connection, times = self.connection(), []
        for n in range(100):
            started = time.perf_counter()
            await self._command(connection, ticket, "set-priority", {"priority": 1 + n % 5})
            times.append(time.perf_counter() - started)
        return statistics.median(times)

    async def _command(self, connection: HttpConnection, ticket: str, command: str, body: Any) -> None:
        status, _, answer = await connection.request("POST", f"/api/v1/tickets/{ticket}/{command}", body)
        if status != 200:
            raise SystemExit(f"bench: {command} answered {status}: {answer[:300]!r}")

    def bulk(self) -> None:
        """One command for 200 tickets."""
        seconds = asyncio.run(self._bulk())
        self.row("a command for 200 tickets at once", seconds, "s", "<= 2", seconds <= 2)

    async def _bulk(self) -> float:
        connection, times = self.connection(), []
        opening = self.ticket(connection)
        tickets = [(await opening())["id"] for _ in range(200)]
        await self._drain()
        for n in range(5):
            body = {"tickets": tickets, "command": "set-priority", "body": {"priority": 1 + n}}
            started = time.perf_counter()
            status, _, answer = await connection.request("POST", "/api/v1/tickets/commands", body)
            times.append(time.perf_counter() - started)
            assert status == 200 and all(item["status"] == 200 for item in json.loads(answer)["items"]), answer[:300]
        return statistics.median(times)

    def replies(self, floor: float) -> None:
        """Replies to tickets that were opened before. Each queues a mail."""
        done, took = asyncio.run(self._replies())
        drained = asyncio.run(self._drain())
        rate = done / (took + drained)
        self.row("replies, until every mail has left", rate, "per s", ">= 0.12", rate / floor >= 0.12, floor,
                 accepted_per_s=done / took)  # fmt: skip

    async def _replies(self) -> tuple[int, float]:
        connections = [self.connection() for _ in range(CONNECTIONS)]
        per = max(10, int(self.seconds * 10))
        tickets: list[list[str]] = []
        for connection in connections:
            opening = self.ticket(connection)
            tickets.append([(await opening())["id"] for _ in range(per)])
        await self._drain()

        def worker(connection: HttpConnection, mine: list[str]) -> Any:
            turn = itertools.cycle(mine)

            async def step() -> None:
                await self._command(connection, next(turn), "reply", {"text": "Please send us the serial number."})

            return step

        return await closed_loop([worker(c, mine) for c, mine in zip(connections, tickets, strict=True)], self.seconds)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.desk", description=__doc__)
    parser.add_argument("--tickets", type=int, default=1_000_000, help="how many the lists are measured at in the end")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of the load of replies")
    arguments = parser.parse_args()
    with home_of_its_own() as home:
        bench = DeskBench(lifecycle.up(home, lambda _: None), arguments.seconds)
        floor = bench.floor()
        bench.long_tickets()
        bench.counts()
        bench.bulk()
        bench.replies(floor)
        bench.lists(arguments.tickets)
    write_results("desk.json", bench.rows, tickets=arguments.tickets)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
