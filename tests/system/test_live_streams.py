"""Live streams of a whole system of real processes, several of each kind (requirement A13.08)."""

import asyncio
import contextlib
import signal
import sys
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from deploy.local.ports import free_ports
from shared.testing.progress import until
from tests.specs.requirement import requirement
from tests.system.desk import Desk
from tests.system.harness import ADMIN_PASSWORD, Program, System, ready
from tests.system.listening import Listener, balanced, listening

pytestmark = pytest.mark.timeout(300)
CONFIRMED = 3
"""Changes that every listener sees between two deaths."""


def second(system: System, service: str, **more: str) -> Program:
    """A second process of a service, which only serves."""
    first = system[service]
    ports = free_ports(2)
    environment = {
        **first.environment, **more,
        "LEDGERDESK_LISTEN": f"127.0.0.1:{ports[0]}", "LEDGERDESK_METRICS_LISTEN": f"127.0.0.1:{ports[1]}",
    }  # fmt: skip
    command = [sys.executable, "-m", f"services.{service}", "api"]
    return Program(f"{service}-2", command, environment, first.log.with_name(f"{service}-2.log"))


def port_of(program: Program) -> int:
    return int(program.environment["LEDGERDESK_LISTEN"].rpartition(":")[2])


@dataclass
class Replicas:
    """Two gateways that share two reportings. `url` is the front of the gateways."""

    system: System
    url: str
    gateway: Program
    reporting: Program
    reporting_url: str

    async def start(self, program: Program) -> None:
        program.start()
        await self.until_ready(program)

    async def until_ready(self, program: Program) -> None:
        async def is_ready() -> bool:
            assert program.runs, program.tail()
            return await asyncio.to_thread(ready, f"http://127.0.0.1:{port_of(program)}")

        await until(is_ready, seconds=60)

    async def start_first(self, name: str) -> None:
        """Starts the first gateway or reporting again."""
        await asyncio.to_thread(self.system.start, name, LEDGERDESK_REPORTING_URL=self.reporting_url)


@pytest.fixture
async def replicas(system: System) -> AsyncIterator[Replicas]:
    async with contextlib.AsyncExitStack() as stack:
        reporting = second(system, "reporting")
        reportings = [port_of(system["reporting"]), port_of(reporting)]
        behind = await stack.enter_async_context(balanced(lambda: reportings))
        gateway = second(system, "gateway", LEDGERDESK_REPORTING_URL=behind)
        gateways = [port_of(system["gateway"]), port_of(gateway)]
        front = await stack.enter_async_context(balanced(lambda: gateways))
        made = Replicas(system, front, gateway, reporting, behind)
        try:
            await asyncio.to_thread(system.restart, "gateway", LEDGERDESK_REPORTING_URL=behind)
            await made.start(reporting)
            await made.start(gateway)
            yield made
        finally:
            for each in (gateway, reporting):
                if each.runs:
                    each.kill()


@dataclass
class Writer:
    """Opens tickets and tags them, one after the other, and tries again until each is done."""

    desk: Desk
    tickets: list[str] = field(default_factory=list)
    done: int = 0

    async def run(self) -> None:
        while True:
            self.tickets.append(await self._opened())
            for _ in range(2):
                await self._insist(f"/tickets/{self.tickets[-1]}/tag", {"tags": [uuid.uuid4().hex[:12]]})
                self.done += 1

    async def _opened(self) -> str:
        key = uuid.uuid4().hex
        while True:
            with contextlib.suppress(OSError, asyncio.TimeoutError):
                answer = await self.desk.open(key=key)
                if answer.status == 201:
                    return str(answer.body["id"])
            await asyncio.sleep(0.05)

    async def _insist(self, path: str, body: object) -> None:
        key = uuid.uuid4().hex
        while True:
            with contextlib.suppress(OSError, asyncio.TimeoutError):
                if (await self.desk.call("POST", path, body, key=key)).status == 200:
                    return
            await asyncio.sleep(0.05)


async def told_once(desk: Desk, listeners: list[Listener], tickets: list[str]) -> None:
    """Waits until each listener was told every event of these tickets; fails if one was told twice."""
    expected: dict[str, Counter[str]] = {}

    async def everything() -> bool:
        for ticket in tickets:
            expected[ticket] = Counter(event["type"] for event in await desk.history(ticket))
        return all(each.types(ticket) >= expected[ticket] for each in listeners for ticket in tickets)

    await until(everything, seconds=60)
    for each in listeners:
        wrong = {t: (each.types(t), expected[t]) for t in tickets if each.types(t) != expected[t]}
        assert not wrong, wrong
        assert not each.told("reset")


@requirement("A13.08")
async def test_no_change_is_missed_or_told_twice_while_replicas_die(replicas: Replicas, desk: Desk) -> None:
    system = replicas.system
    listeners = [Listener(replicas.url, desk.token) for _ in range(4)]
    writer = Writer(desk)

    async def seen_by_all() -> None:
        """Every listener sees some more changes."""
        before = [len(each.messages) for each in listeners]

        async def more() -> bool:
            return all(len(each.messages) >= n + CONFIRMED for each, n in zip(listeners, before, strict=True))

        await until(more, seconds=60)

    async with listening(*listeners):
        writing = asyncio.create_task(writer.run())
        await seen_by_all()
        replicas.reporting.kill()
        await seen_by_all()
        await replicas.start(replicas.reporting)
        replicas.gateway.kill()
        await seen_by_all()
        await replicas.start(replicas.gateway)
        system["reporting"].kill()
        await replicas.start_first("reporting")
        await seen_by_all()
        await asyncio.to_thread(system["gateway"].stop, signal.SIGTERM)
        await replicas.start_first("gateway")
        await seen_by_all()
        await asyncio.to_thread(replicas.reporting.stop, signal.SIGTERM)
        await seen_by_all()
        writing.cancel()
        await told_once(desk, listeners, writer.tickets[:-1])
    assert sum(each.ends for each in listeners) >= 2


@requirement("A13.08")
async def test_an_ending_gateway_ends_its_streams_and_spreads_their_clients(replicas: Replicas, desk: Desk) -> None:
    listeners = [Listener(f"http://127.0.0.1:{port_of(replicas.gateway)}", desk.token) for _ in range(8)]
    async with listening(*listeners):
        began = time.monotonic()
        assert await asyncio.to_thread(replicas.gateway.stop) == 0
        assert time.monotonic() - began < 25
    last = {each.retries[-1] for each in listeners}
    assert len(last) > 1
    assert all(each.retries[0] == 2000 for each in listeners)


@requirement("A13.08")
async def test_presence_is_told_across_replicas(replicas: Replicas, desk: Desk) -> None:
    ticket = await desk.opened()
    listeners = [
        Listener(f"http://127.0.0.1:{port}", desk.token, f"?tickets={ticket}")
        for port in (port_of(replicas.system["gateway"]), port_of(replicas.gateway))
    ]
    async with listening(*listeners):
        await desk.call("PUT", f"/tickets/{ticket}/presence", {"doing": "replying"})

        async def told() -> bool:
            return all(
                [p["doing"] for data in each.told("presence")[-1:] for p in data["people"]] == ["replying"]
                for each in listeners
            )

        await until(told)
        await desk.call("PUT", f"/tickets/{ticket}/presence", {"doing": None})

        async def gone() -> bool:
            return all(each.told("presence")[-1] == {"ticket": ticket, "people": []} for each in listeners)

        await until(gone)


@requirement("A13.08")
async def test_streams_end_with_their_session_in_every_process(replicas: Replicas, desk: Desk) -> None:
    session = await desk.done("POST", "/session", {"login": "admin", "password": ADMIN_PASSWORD})
    listeners = [
        Listener(f"http://127.0.0.1:{port}", session["token"])
        for port in (port_of(replicas.system["gateway"]), port_of(replicas.gateway))
    ]
    async with listening(*listeners):
        mine, desk.token = desk.token, session["token"]
        await desk.done("DELETE", "/session")
        desk.token = mine
        ticket = await desk.opened()

        async def refused() -> bool:
            return all(each.statuses[-1] == 401 for each in listeners)

        await until(refused)
        assert not any(each.of(ticket) for each in listeners)


@requirement("A13.08")
async def test_counts_on_the_stream_end_equal_to_the_counts(system: System, desk: Desk) -> None:
    listener = Listener(system.url, desk.token)
    await desk.saved(f"/queues/{desk.queue}", {"slug": desk.queue, "name": "Desk", "members": []})
    async with listening(listener):
        await desk.done("PUT", "/session/queues", {"queues": [desk.queue]})
        for ticket in [await desk.opened() for _ in range(3)][:2]:
            await desk.done("POST", f"/tickets/{ticket}/lock")

        async def equal() -> bool:
            counts = await desk.done("GET", "/stats/queues")
            rows = {row["queue"]["id"]: row for row in counts["items"]}
            own = [data["mine"] for data in listener.told("counts") if data["mine"] is not None]
            told = {row["queue"]["id"]: row for data in listener.told("counts") for row in data["queues"]}
            mine = [row for row in rows.values() if row["queue"]["slug"] == desk.queue]
            return (
                told == rows
                and own[-1:] == [counts["mine"]]
                and mine[0]["new"] + mine[0]["open"] == 3
                and mine[0]["locked_by_me"] == 2
            )

        await until(equal)
