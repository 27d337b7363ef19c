"""`python -m tests.bench [--seconds 60]`: measures Ledgerdesk beside a floor on the same machine.

Starts a system of its own, measures it and takes it down. Prints a table and writes `bench/latest.json`.
docs/performance.md explains each row.
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import psutil

from deploy.databases import provide
from deploy.local import lifecycle
from deploy.local.commands.demo import Desk
from deploy.local.home import CHECKOUT, SERVICES, Home
from deploy.local.ports import free_ports
from deploy.local.postgres import PostgresServer
from deploy.local.programs import Instance
from tests.bench.load.client import HttpConnection, LmtpConnection, closed_loop, paced
from tests.bench.load.many_tickets import fill_list

CONNECTIONS = 24
SETTLE_SECONDS = 40
AT_REST_SECONDS = 0.5
"""Pause between two tickets of an idle system, after which the first one's events are worked through."""
ROUNDS = 3
"""How often a load is measured, each time right after the floor. The median ratio counts, because a shared machine
changes within minutes."""
FLOOR_SECONDS = 8
FLOOR_MS = 0.65
"""CPU of a request to the floor on the machine on which the bars were set: it did 2 900 to 3 400 a second."""
MOST_VISIBLE_SECONDS = 300
"""How long tickets are looked for under load at most."""
POLL_SECONDS = 0.01
"""Pause between two polls for a ticket. Polling without a pause would take the core that makes it visible."""
Result = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Round:
    """A measurement of a load, right after the floor. `rate` counts until all is worked through, CPU is ms for each."""

    floor: float
    floor_cpu: float
    done: int
    rate: float
    drained: float
    cpu: float
    by_process: dict[str, float]

    @property
    def ratio(self) -> float:
        return self.rate / self.floor

    @property
    def requests(self) -> float:
        return self.cpu / self.floor_cpu


class Bench:
    """One run on one instance."""

    def __init__(self, instance: Instance, seconds: float) -> None:
        self.instance, self.seconds = instance, seconds
        self.rows: list[Result] = []
        self.floor_cpu = 0.0
        self.password = instance.home.admin_password.read_text("utf-8").strip()
        self.desk = Desk(instance.gateway_url, "admin", self.password)
        document = {"slug": "bench", "name": "Bench", "address": "bench@help.example.org", "members": []}
        self.desk.call("PUT", "/queues/bench", document)

    def row(
        self, what: str, ours: float, unit: str, bar: str, met: bool | None, floor: float | None = None, **more: Any
    ) -> None:
        """Adds a row to the table and prints it at once."""
        ratio = ours / floor if floor else None
        self.rows.append(
            {"what": what, "ours": ours, "unit": unit, "floor": floor, "ratio": ratio, "bar": bar, "met": met, **more}
        )
        shown = f"{ours:>10.2f} {unit:<12}" + (f" floor {floor:.0f}, ratio {ratio:.3f}" if floor and ratio else "")
        print(f"{what:<62} {shown:<52} bar {bar:<10} {'' if met is None else 'met' if met else 'NOT MET'}", flush=True)

    def in_requests(self, milliseconds: float, bar: float = 5, **more: Any) -> None:
        """Adds the row before, whose bar is in ms, in requests of the floor: comparable on a slower machine."""
        requests, most = milliseconds / self.floor_cpu, bar / FLOOR_MS
        what = f"the same in requests of the floor ({bar:g} ms were {most:.1f} where the bar was set)"
        self.row(what, requests, "requests", f"<= {most:.1f}", requests <= most, **more)

    def connection(self) -> HttpConnection:
        return HttpConnection("127.0.0.1", self.instance.ports["gateway"], self.desk.token)

    def ticket(self, connection: HttpConnection) -> Any:
        """A step that opens a ticket of a new customer: five events, with the customer's registration."""
        body = {
            "subject": "My computer hums",
            "body": "Since this morning it hums. " * 6,
            "queue": "bench",
            "channel": "web",
        }
        return partial(_open, connection, body)

    # Rows of the table

    def floor(self) -> float:
        """Measures the two-insert application by the same load generator: requests a second, and the CPU for each."""
        with floor_application(self.instance.postgres) as (port, process):
            asyncio.run(fresh_loop(port, 2))
            group = [psutil.Process(process), *psutil.Process(process).children(recursive=True)]
            before = cpu_of(group) + cpu_by_process(self.instance)["postgres"]
            done, took = asyncio.run(fresh_loop(port, FLOOR_SECONDS))
            self.floor_cpu = (cpu_of(group) + cpu_by_process(self.instance)["postgres"] - before) * 1000 / done
        print(
            f"floor: {done / took:.0f} requests/s of two inserts,"
            f" {self.floor_cpu:.2f} ms CPU each (application and PostgreSQL)"
        )
        return done / took

    def rounds(self, load: Callable[[float], Coroutine[Any, Any, tuple[int, float]]], seconds: float) -> list[Round]:
        """Runs a load for `seconds` in all, in rounds, with the floor before each."""
        found = []
        for _ in range(ROUNDS):
            floor = self.floor()
            before = cpu_by_process(self.instance)
            done, took = asyncio.run(load(seconds / ROUNDS))
            drained = asyncio.run(self._drain())
            spent = {name: cpu - before.get(name, 0.0) for name, cpu in cpu_by_process(self.instance).items()}
            found.append(
                Round(
                    floor=floor,
                    floor_cpu=self.floor_cpu,
                    done=done,
                    rate=done / (took + drained),
                    drained=drained,
                    cpu=sum(spent.values()) * 1000 / done,
                    by_process={name: round(1000 * cpu / done, 3) for name, cpu in sorted(spent.items())},
                )
            )
        return found

    def openings(self) -> float:
        """Tickets over HTTP through the whole pipeline, and what they cost in CPU and on disk."""
        disk, tables = asyncio.run(disk_bytes(self.instance)), asyncio.run(table_bytes(self.instance))
        rounds = self.rounds(self._openings, self.seconds)
        done = sum(each.done for each in rounds)
        at = middle(rounds, key=lambda each: each.ratio)
        self.row("tickets opened over HTTP, until everything was worked through", at.rate, "per s", ">= 0.12",
                 at.ratio >= 0.12, at.floor,
                 ratios=[each.ratio for each in rounds], drained=[each.drained for each in rounds])  # fmt: skip
        at = middle(rounds, key=lambda each: each.requests)
        self.row("CPU a ticket, whole pipeline", at.cpu, "ms", "<= 5", at.cpu <= 5, by_process=at.by_process)
        self.floor_cpu = at.floor_cpu
        self.in_requests(at.cpu, each_round=[each.requests for each in rounds])
        print(f"    {at.by_process}")
        grown = (asyncio.run(disk_bytes(self.instance)) - disk) / done
        self.row("bytes on disk a ticket (5 events), stores and topic", grown, "bytes", "<= 8000", grown <= 8000)
        asyncio.run(vacuum(self.instance))
        packed = (asyncio.run(disk_bytes(self.instance)) - disk) / done
        after = asyncio.run(table_bytes(self.instance))
        largest = {
            name: round((size - tables.get(name, 0)) / done)
            for name, size in sorted(after.items(), key=lambda t: -t[1])
        }
        self.row("the same without dead row versions (VACUUM FULL)", packed, "bytes", "-", None, by_table=largest)
        print(f"    {dict(itertools.islice(largest.items(), 12))}")
        return statistics.median(each.rate for each in rounds)

    async def _openings(self, seconds: float) -> tuple[int, float]:
        return await closed_loop([self.ticket(self.connection()) for _ in range(CONNECTIONS)], seconds)

    async def _drain(self) -> float:
        """Seconds until every outbox is empty, every mail has left, and every consumer has reached the end."""
        from tests.chaos.checks import Checks
        from tests.chaos.load import Acknowledged
        from tests.chaos.scenes import of_instance

        started = time.monotonic()
        if not await Checks(of_instance(self.instance), Acknowledged()).quiet(300):
            raise SystemExit("bench: the system does not become quiet")
        return time.monotonic() - started

    def mails(self) -> None:
        rounds = self.rounds(self._mails, self.seconds)
        at = middle(rounds, key=lambda each: each.ratio)
        self.row("mails through LMTP, until everything was worked through", at.rate, "per s", ">= 0.08",
                 at.ratio >= 0.08, at.floor, ratios=[each.ratio for each in rounds])  # fmt: skip

    async def _mails(self, seconds: float) -> tuple[int, float]:
        connections = [LmtpConnection("127.0.0.1", self.instance.ports["lmtp"]) for _ in range(CONNECTIONS)]
        return await closed_loop([partial(_deliver, each) for each in connections], seconds)

    def visible(self, rate: float) -> None:
        """The time from 201 until a GET without a consistency token shows the ticket."""
        for name, load, bar in (("idle", 0.0, 150), ("at half the rate", rate / 2, 400)):
            self.floor()
            times = sorted(asyncio.run(self._visible(load)))
            p50, p99 = statistics.median(times) * 1000, times[int(len(times) * 0.99)] * 1000
            self.row(f"accepted to visible, p99, {name}", p99, "ms", f"<= {bar}", p99 <= bar, p50=p50)
            self.in_requests(p99, bar)
        asyncio.run(self._drain())

    async def _visible(self, load: float) -> list[float]:
        background = None
        if load:
            connections = [self.ticket(self.connection()) for _ in range(8)]
            background = asyncio.create_task(paced(connections, load, MOST_VISIBLE_SECONDS))
            await asyncio.sleep(2)
        connection, times = self.connection(), []
        for _ in range(300 if load else 100):
            if background is not None and background.done():
                raise SystemExit("bench: the load has ended before the last look")
            opened = await self.ticket(connection)()
            started = time.monotonic()
            while (await connection.request("GET", f"/api/v1/tickets/{opened['id']}"))[0] != 200:
                await asyncio.sleep(POLL_SECONDS)
            times.append(time.monotonic() - started)
            await asyncio.sleep(0.03 if load else AT_REST_SECONDS)
        if background is not None:
            background.cancel()
            await asyncio.gather(background, return_exceptions=True)
        return times

    def growing_list(self) -> None:
        found: dict[int, float] = {}
        for size in (10_000, 100_000):
            slug = f"list-{size}"
            self.desk.call("PUT", f"/queues/{slug}", {"slug": slug, "name": slug, "members": []})
            queue = self.desk.call("GET", f"/queues/{slug}")
            asyncio.run(fill_list(self.instance, uuid.UUID(queue["id"]), slug, size))
            self.floor()
            found[size] = asyncio.run(self._page(slug))
        self.row(
            "queue list of 50 at 100 000 tickets, p50 at the gateway", found[100_000], "ms", "<= 5", found[100_000] <= 5
        )
        self.in_requests(found[100_000])
        ratio = found[100_000] / found[10_000]
        self.row("the same against 10 000 tickets", ratio, "times", "<= 1.2", ratio <= 1.2, at_10_000=found[10_000])

    async def _page(self, slug: str) -> float:
        connection, times = self.connection(), []
        for _ in range(200):
            started = time.perf_counter()
            status, _, body = await connection.request("GET", f"/api/v1/tickets?queue={slug}&limit=50")
            times.append(time.perf_counter() - started)
            assert status == 200 and len(json.loads(body)["items"]) == 50
        return statistics.median(times) * 1000

    def rebuild(self) -> None:
        """Builds a generation beside the live one, each time from the same events."""
        found: list[tuple[float, float]] = []
        for _ in range(ROUNDS):
            floor = self.floor()
            said = self._projections("build", "desk").split(",")[-1]
            found.append((float(said.split()[0]), floor))
            self._projections("drop", "desk")
        rate, floor = middle(found, key=lambda each: each[0] / each[1])
        copied = asyncio.run(copy_floor(self.instance))
        self.row("rebuild of desk from offset 0, one process", rate, "events/s", ">= 20000", rate >= 20_000, copied)
        what = "the same for a request of the floor (20 000 were 6.3 where the bar was set)"
        self.row(what, rate / floor, "events", ">= 6.3", rate / floor >= 6.3, each_round=[r / f for r, f in found])

    def _projections(self, *arguments: str) -> str:
        command = [sys.executable, "-m", "deploy.local", "run", "reporting", "projections", *arguments]
        environment = os.environ | {"LEDGERDESK_HOME": str(self.instance.home.path)}
        return subprocess.run(
            command, cwd=CHECKOUT, env=environment, stdout=subprocess.PIPE, text=True, check=True
        ).stdout.strip()

    def idle(self) -> None:
        """Memory and CPU some time after the start, because Java compiles for half a minute."""
        time.sleep(SETTLE_SECONDS)
        processes = list(all_processes(self.instance).values())
        memory = sum(p.memory_full_info().pss for group in processes for p in group) / 2**20
        self.row("memory of everything", memory, "MB", "<= 1200", memory <= 1200)
        before = cpu_by_process(self.instance)
        time.sleep(20)
        each = {name: round((cpu - before[name]) * 5, 2) for name, cpu in cpu_by_process(self.instance).items()}
        percent = sum(each.values())
        self.row("CPU of everything, idle", percent, "% of a core", "<= 6", percent <= 6, by_process=each)
        print(f"    {each}")
        self.floor()
        self.in_requests(percent * 10, bar=60)


Measured = TypeVar("Measured")


def middle(found: Sequence[Measured], *, key: Callable[[Measured], float]) -> Measured:
    return sorted(found, key=key)[len(found) // 2]


def all_processes(instance: Instance) -> dict[str, list[psutil.Process]]:
    """Program -> its process and that one's children."""
    found = {}
    for each in lifecycle.status(instance.home)["processes"]:
        parent = psutil.Process(each["pid"])
        found[each["name"]] = [parent, *parent.children(recursive=True)]
    return found


def cpu_of(group: list[psutil.Process]) -> float:
    """CPU seconds of the processes that still run."""
    spent = 0.0
    for process in group:
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            spent += times.user + times.system
    return spent


def cpu_by_process(instance: Instance) -> dict[str, float]:
    """CPU seconds so far, with those of ended children."""
    spent = {}
    for name, group in all_processes(instance).items():
        running = cpu_of(group)
        times = group[0].cpu_times()  # read last, so that a child that has just ended is counted
        spent[name] = times.children_user + times.children_system + running
    return spent


async def copy_floor(instance: Instance) -> float:
    """Rows a second by COPY into a table like `history`, the widest row that a rebuild writes for each event."""
    connection = await asyncpg.connect(instance.postgres.url("postgres", instance.postgres.password, "reporting"))
    names = "ticket_id, id, cause, at, number, version, article, source, type, actor_kind, actor_id, data::text"
    rows = [tuple(row) for row in await connection.fetch(f"SELECT {names} FROM desk_v1.history LIMIT 20000")]
    await connection.execute("CREATE TABLE public.copy_floor (LIKE desk_v1.history)")
    await connection.execute("ALTER TABLE public.copy_floor ADD PRIMARY KEY (ticket_id, number)")
    started = time.monotonic()
    for first in range(0, len(rows), 5_000):
        await connection.copy_records_to_table("copy_floor", schema_name="public", records=rows[first : first + 5_000])
    took = time.monotonic() - started
    await connection.execute("DROP TABLE public.copy_floor")
    await connection.close()
    return len(rows) / took


async def disk_bytes(instance: Instance) -> int:
    """Bytes of the databases and topics, after a checkpoint."""
    total = 0
    for service in SERVICES:
        postgres = instance.postgres
        connection = await asyncpg.connect(postgres.url("postgres", postgres.password, service))
        await connection.execute("CHECKPOINT")
        total += await connection.fetchval("SELECT pg_database_size(current_database())")
        await connection.close()
    return total + sum(
        p.stat().st_size for p in (instance.kafka.data / "log").rglob("*.log") if "helpdesk" in p.parent.name
    )


async def table_bytes(instance: Instance) -> dict[str, int]:
    """Database and table -> its size with indexes."""
    found: dict[str, int] = {}
    for service in SERVICES:
        connection = await asyncpg.connect(instance.postgres.url("postgres", instance.postgres.password, service))
        sizes = (
            "SELECT schemaname || '.' || relname AS name, pg_total_relation_size(relid) AS size"
            "  FROM pg_stat_user_tables"
        )
        found |= {f"{service} {row['name']}": row["size"] for row in await connection.fetch(sizes)}
        await connection.close()
    return found


async def vacuum(instance: Instance) -> None:
    """Rewrites every table without its dead row versions."""
    for service in SERVICES:
        connection = await asyncpg.connect(instance.postgres.url("postgres", instance.postgres.password, service))
        await connection.execute("VACUUM FULL")
        await connection.close()


async def _open(connection: HttpConnection, body: Any) -> Any:
    customer = {"email": f"{uuid.uuid4().hex[:12]}@customer.example", "name": "Per Hansen"}
    status, _, answer = await connection.request("POST", "/api/v1/tickets", body | {"customer": customer})
    if status != 201:
        raise SystemExit(f"bench: POST /tickets answered {status}: {answer[:300]!r}")
    return json.loads(answer)


async def _post_item(connection: HttpConnection) -> None:
    status, _, _ = await connection.request(
        "POST", "/items", {"subject": "My computer hums", "body": "Since this morning it hums. " * 6}
    )
    assert status == 201


async def fresh_loop(port: int, seconds: float) -> tuple[int, float]:
    return await closed_loop(
        [partial(_post_item, HttpConnection("127.0.0.1", port)) for _ in range(CONNECTIONS)], seconds
    )


async def _deliver(connection: LmtpConnection) -> None:
    name = uuid.uuid4().hex
    mail = (
        f"From: Per <{name}@customer.example>\r\nTo: bench@help.example.org\r\nSubject: hums\r\n"
        f"Message-ID: <{name}@customer.example>\r\n"
        f"Date: Mon, 23 Nov 2026 08:00:00 +0000\r\n\r\n{'Since this morning it hums. ' * 6}\r\n"
    )
    await connection.deliver(f"{name}@customer.example", "bench@help.example.org", mail.encode())


@contextlib.contextmanager
def floor_application(postgres: PostgresServer) -> Iterator[tuple[int, int]]:
    """Runs the floor's application on a PostgreSQL. Yields its port and process id."""

    async def make() -> str:
        owner, app = ("floor_owner", "floor"), ("floor", "floor")
        await provide(postgres.superuser_url, "floor", owner, app)
        url = postgres.url("floor_owner", "floor", "floor")
        connection = await asyncpg.connect(url)
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS items (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, subject text)"
        )
        await connection.execute("CREATE TABLE IF NOT EXISTS bodies (item bigint PRIMARY KEY, body text)")
        await connection.close()
        return url

    (port,) = free_ports(1)
    environment = os.environ | {"FLOOR_DATABASE_URL": asyncio.run(make())}
    options = ["--workers", "2", "--log-level", "error", "--no-access-log", "--loop", "uvloop", "--http", "httptools"]
    command = [sys.executable, "-m", "uvicorn", "tests.bench.load.floor:app", "--port", str(port), *options]
    process = subprocess.Popen(command, cwd=CHECKOUT, env=environment)
    try:
        end = time.monotonic() + 30
        while True:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                asyncio.run(_post_item(HttpConnection("127.0.0.1", port)))
                break
            if time.monotonic() > end:
                raise SystemExit("bench: the floor's application does not start")
            time.sleep(0.1)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(30)


@contextlib.contextmanager
def home_of_its_own() -> Iterator[Home]:
    """A folder for an instance that is only measured. Takes it down in the end."""
    folder = Path(tempfile.mkdtemp(prefix="ledgerdesk-bench-"))
    folder.chmod(0o711)
    os.environ["LEDGERDESK_PORT"], os.environ["LEDGERDESK_LMTP_PORT"] = map(str, free_ports(2))
    for share in ("TICKETS_A_DAY", "UPLOAD_MIB_A_DAY", "AGENT_TICKETS_A_DAY", "AGENT_UPLOAD_MIB_A_DAY"):
        os.environ[f"LEDGERDESK_{share}"] = "0"  # no limit: the load is more than one person sends on a day
    os.environ.setdefault("LEDGERDESK_ADMIN_PASSWORD", secrets.token_urlsafe(12))
    home = Home(folder / "home")
    try:
        yield home
    finally:
        lifecycle.down(home, lambda _: None)


def write_results(name: str, rows: list[Result], **arguments: Any) -> None:
    """Writes the rows to `bench/NAME` in `LEDGERDESK_HOME`."""
    results = Home.of_environment().path / "bench" / name
    results.parent.mkdir(parents=True, exist_ok=True)
    results.write_text(json.dumps({**arguments, "rows": rows}, indent=1), "utf-8")
    print(f"written to {results}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="length of the main load")
    arguments = parser.parse_args()
    with home_of_its_own() as home:
        lifecycle.up(home, lambda _: None)
        lifecycle.down(home, lambda _: None)
        started = time.monotonic()
        instance = lifecycle.up(home, lambda _: None)
        warm = time.monotonic() - started
        bench = Bench(instance, arguments.seconds)
        bench.row("warm start of everything", warm, "s", "<= 15", warm <= 15)
        bench.idle()
        rate = bench.openings()
        bench.mails()
        bench.visible(rate)
        bench.rebuild()
        bench.growing_list()
    write_results("latest.json", bench.rows, seconds=arguments.seconds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
