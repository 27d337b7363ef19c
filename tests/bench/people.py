"""`python -m tests.bench.people [--seconds 30]`: rules that act on what people open, and what people set for themselves.

Starts a system of its own and takes it down. A trigger gives every new ticket to one agent, who so has a notice of each.

- From the opening until the trigger's act is recorded, while tickets are opened at a steady rate.
- What that agent's notices, drafts and preferences take at the gateway, in requests of the floor.
"""

import argparse
import asyncio
import itertools
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import asyncpg

from deploy.local import lifecycle
from deploy.local.commands.demo import Desk
from tests.bench.__main__ import Bench, cpu_by_process, home_of_its_own, write_results
from tests.bench.load.client import HttpConnection, paced

RATE = 5
"""Openings a second."""
OPENERS = 4
REQUESTS = 200
# An opening and what it leads to have one time: that of the opening.
ACTS = """
SELECT extract(epoch FROM act.recorded_at - queued.occurred_at)::float8 AS since_opening,
       extract(epoch FROM act.recorded_at - queued.recorded_at)::float8 AS since_queued
  FROM es.events act
  JOIN es.events queued ON queued.stream_id = act.stream_id AND queued.version = 1
 WHERE act.actor_kind = 'rule' AND act.type = 'helpdesk.OwnerChanged.v1'
"""


class PeopleBench(Bench):
    """The rows of rules that act, and of personal settings."""

    def agent(self) -> str:
        """Somebody who has every new ticket to do. Returns their token."""
        login, password = "kari", "kari's password 42"  # pragma: allowlist secret
        person = {"login": login, "name": "Kari", "email": "kari@example.org", "roles": ["agent"]}
        self.desk.call("PUT", f"/people/{login}", person | {"password": password})
        document = self.desk.call("GET", "/queues/bench")
        members = [{"person": login, "rights": ["read", "create", "move_into", "note", "work"]}]
        self.desk.call("PUT", "/queues/bench", document | {"members": members})
        trigger = {"slug": "to-kari", "name": "To Kari", "order": 1, "active": True, "on": ["opened"],
                   "when": {"all": []}, "then": [{"do": "assign", "owner": login}]}  # fmt: skip
        self.desk.call("PUT", "/triggers/to-kari", trigger)
        agent = Desk(self.instance.gateway_url, login, password)
        agent.call("POST", "/session/password", {"current": password, "new": f"{password}, now my own"})
        token: str = agent.token
        return token

    def acts(self) -> None:
        """How late the trigger acts."""
        rows = asyncio.run(self._acts())
        for name, what in (("since_opening", "its opening"), ("since_queued", "it is in its queue")):
            late = sorted(row[name] * 1000 for row in rows)
            p50, p99 = statistics.median(late), late[int(len(late) * 0.99)]
            self.row(f"a rule has acted on a ticket after {what}, p50", p50, "ms", "", None, acts=len(late))
            self.row("the same, p99", p99, "ms", "", None)

    async def _acts(self) -> Sequence[asyncpg.Record]:
        openings = [self.ticket(self.connection()) for _ in range(OPENERS)]
        done = await paced(openings, RATE, self.seconds)
        await self._drain()
        postgres = self.instance.postgres
        connection = await asyncpg.connect(postgres.url("postgres", postgres.password, "routing"))
        try:
            end = time.monotonic() + 60
            while len(rows := await connection.fetch(ACTS)) < done and time.monotonic() < end:
                await asyncio.sleep(0.2)
        finally:
            await connection.close()
        if len(rows) < done:
            raise SystemExit(f"bench: the trigger acted on {len(rows)} of {done} tickets")
        return rows

    def settings(self, token: str) -> None:
        """What is read and saved all the time while somebody works."""
        self.floor()
        count = itertools.count()
        draft = {"command": "open", "attachments": []}
        densities = itertools.cycle(("compact", "comfortable"))
        rows: tuple[tuple[str, str, str, Callable[[], Any]], ...] = (
            ("GET /session", "GET", "/session", lambda: None),
            ("GET /notices, a page of 50", "GET", "/notices?limit=50", lambda: None),
            ("PUT /drafts", "PUT", "/drafts/new", lambda: draft | {"body": {"text": f"Hello {next(count)} " * 40}}),
            ("PATCH /session/preferences", "PATCH", "/session/preferences", lambda: {"density": next(densities)}),
        )
        for what, method, path, body in rows:
            connection = HttpConnection("127.0.0.1", self.instance.ports["gateway"], token)
            before = sum(cpu_by_process(self.instance).values())
            p50 = statistics.median(asyncio.run(_requests(connection, method, path, body))) * 1000
            cpu = (sum(cpu_by_process(self.instance).values()) - before) * 1000 / REQUESTS
            self.row(f"{what}, p50", p50, "ms", "", None, cpu=cpu)
            self.row(f"{what}, its CPU in requests of the floor", cpu / self.floor_cpu, "requests", "", None)


async def _requests(connection: HttpConnection, method: str, path: str, body: Callable[[], Any]) -> list[float]:
    """Seconds for each request, one after the other."""
    took = []
    for _ in range(REQUESTS):
        content, started = body(), time.perf_counter()
        status, _, answer = await connection.request(method, f"/api/v1{path}", content)
        took.append(time.perf_counter() - started)
        if status not in (200, 201):
            raise SystemExit(f"bench: {method} {path} answered {status}: {answer[:300]!r}")
    return took


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.people", description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0, help="length of the load of openings")
    arguments = parser.parse_args()
    with home_of_its_own() as home:
        bench = PeopleBench(lifecycle.up(home, lambda _: None), arguments.seconds)
        token = bench.agent()
        bench.acts()
        bench.settings(token)
    write_results("people.json", bench.rows, seconds=arguments.seconds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
