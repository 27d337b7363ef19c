"""`python -m tests.bench.reads.stream`: what live streams cost, and how soon a change is seen on them.

Starts a system of its own and takes it down. The idle streams belong to agents who read ten queues each. A change is
timed from the moment its command is sent, until it is seen on each of 100 streams, and until a list shows it.
"""

import argparse
import asyncio
import re
import sys
import time
from collections.abc import Sequence
from typing import Any

import psutil

from deploy.local import lifecycle
from tests.bench.__main__ import Bench, all_processes, cpu_of, home_of_its_own, write_results
from tests.bench.load.client import HttpConnection

IDLE = 1_000
WATCHED = 100
PEOPLE = 50
QUEUES = 10
CHANGES_A_SECOND = 20
SECONDS = 30.0
POLL_SECONDS = 0.003
"""Pause between two looks at a list."""
_TICKET = re.compile(rb'event: ticket\nid: [^\n]+\ndata: \{"id":"([0-9a-f-]{36})"')


class Listener(asyncio.Protocol):
    """One open stream. Remembers when each ticket was first seen on it."""

    def __init__(self, token: str) -> None:
        self.token, self.begun = token, asyncio.get_running_loop().create_future()
        self.seen: dict[str, float] = {}
        self._rest = b""
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        head = f"GET /api/v1/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {self.token}\r\n\r\n"
        transport.write(head.encode())

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        text = self._rest + data
        if not self.begun.done() and b"retry: 2000" in text:
            self.begun.set_result(None)
        for found in _TICKET.finditer(text):
            self.seen.setdefault(found[1].decode(), now)
        self._rest = text[-600:]

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.begun.done():
            self.begun.set_exception(SystemExit(f"bench: a stream ended at once: {self._rest[:300]!r}"))


class StreamBench(Bench):
    """The rows of live streams."""

    free: list[HttpConnection]
    """Connections of writers that write nothing now."""

    def prepare(self) -> list[str]:
        """The tokens of people who read all queues."""
        logins = [f"listener-{n}" for n in range(PEOPLE)]
        for login in logins:
            person = {"login": login, "name": login.title(), "email": f"{login}@help.example.org",
                      "password": self.password, "roles": ["agent"]}  # fmt: skip
            self.desk.call("PUT", f"/people/{login}", person)
        members = [{"person": login, "rights": ["read"]} for login in logins]
        for n in range(QUEUES):
            self.desk.call("PUT", f"/queues/live-{n}", {"slug": f"live-{n}", "name": f"Live {n}", "members": members})
        sessions = [{"login": login, "password": self.password} for login in logins]
        return [str(self.desk.call("POST", "/session", session)["token"]) for session in sessions]

    async def at_rest(self, tokens: Sequence[str]) -> None:
        """Memory and CPU of the gateway with 1 000 streams on which nothing happens."""
        (gateway,) = [group for name, group in all_processes(self.instance).items() if name == "gateway"]
        warm = await self._open(tokens, 50)  # what the first streams allocate once
        await asyncio.sleep(2)
        before, cpu = _memory(gateway), await _cpu(gateway)
        listeners = await self._open(tokens, IDLE)
        await asyncio.sleep(5)
        after, with_streams = _memory(gateway), await _cpu(gateway)
        each = (after - before) / IDLE / 1024
        self.row(f"memory of a gateway for each of {IDLE} streams", each, "KiB", "<= 40", each <= 40)
        more = (with_streams - cpu) * 100
        self.row(f"CPU of a gateway with {IDLE} idle streams, beyond {cpu:.1%} without", more, "%", "<= 3", more <= 3)
        if any(each_one.transport.is_closing() for each_one in (*warm, *listeners)):
            raise SystemExit("bench: streams have ended")
        for each_one in (*warm, *listeners):
            each_one.transport.close()

    async def changes(self, tokens: Sequence[str]) -> None:
        """How soon a change is seen on 100 streams, and in a list."""
        writer, self.free = self.connection(), []
        tickets = [
            (await writer.request("POST", "/api/v1/tickets", {
                "subject": f"change {n}", "body": "hums", "queue": f"live-{n % QUEUES}", "channel": "phone",
                "customer": {"email": f"c{n}@customer.example"}}))
            for n in range(int(CHANGES_A_SECOND * SECONDS))
        ]  # fmt: skip
        ids = [_id(answer) for answer in tickets]
        await asyncio.sleep(3)
        listeners = await self._open(tokens, WATCHED)
        sent: dict[str, float] = {}
        listed: dict[str, float] = {}
        polling: set[asyncio.Task[None]] = set()
        began = time.perf_counter()
        for n, ticket in enumerate(ids):
            await asyncio.sleep(max(0.0, began + n / CHANGES_A_SECOND - time.perf_counter()))
            task = asyncio.create_task(self._change(ticket, n, sent, listed))
            polling.add(task)
            task.add_done_callback(polling.discard)
        await asyncio.gather(*polling)
        await asyncio.sleep(2)
        missing = sum(ticket not in each.seen for each in listeners for ticket in ids)
        if missing:
            raise SystemExit(f"bench: {missing} changes were not seen")
        on_streams = sorted(each.seen[ticket] - sent[ticket] for each in listeners for ticket in ids)
        in_lists = sorted(at - sent[ticket] for ticket, at in listed.items())
        for share, name in ((0.5, "p50"), (0.99, "p99")):
            ours, floor = (values[int(len(values) * share)] * 1000 for values in (on_streams, in_lists))
            self.row(
                f"a change seen on {WATCHED} streams, {CHANGES_A_SECOND} changes/s, {name} (a list: {floor:.1f} ms)",
                ours, "ms", "<= 1.5 lists", ours <= 1.5 * floor, list_ms=floor,
            )  # fmt: skip
        for each in listeners:
            each.transport.close()

    async def _change(self, ticket: str, n: int, sent: dict[str, float], listed: dict[str, float]) -> None:
        connection = self.free.pop() if self.free else self.connection()
        tag = f"t{n}-{int(time.time())}"
        sent[ticket] = time.perf_counter()
        status, _, answer = await connection.request("POST", f"/api/v1/tickets/{ticket}/tag", {"tags": [tag]})
        if status != 200:
            raise SystemExit(f"bench: tag answered {status}: {answer[:300]!r}")
        if n % 10 == 0:  # looking for each would be a load of its own
            while True:
                _, _, answer = await connection.request("GET", f"/api/v1/tickets?tag={tag}&limit=1")
                if ticket.encode() in answer:
                    listed[ticket] = time.perf_counter()
                    break
                await asyncio.sleep(POLL_SECONDS)
        self.free.append(connection)

    async def _open(self, tokens: Sequence[str], count: int) -> list[Listener]:
        loop, port = asyncio.get_running_loop(), self.instance.ports["gateway"]
        made: list[Listener] = []
        for first in range(0, count, 50):
            batch = [Listener(tokens[n % len(tokens)]) for n in range(first, min(first + 50, count))]
            for each in batch:
                await loop.create_connection(lambda each=each: each, "127.0.0.1", port)  # type: ignore[misc]
            await asyncio.gather(*(each.begun for each in batch))
            made += batch
        return made


def _id(answer: tuple[int, dict[str, str], bytes]) -> str:
    status, _, body = answer
    if status != 201:
        raise SystemExit(f"bench: a ticket was not opened: {status} {body[:300]!r}")
    return body.split(b'"id":"')[1][:36].decode()


def _memory(group: Sequence[psutil.Process]) -> int:
    """Bytes that are the processes' own."""
    return sum(process.memory_full_info().uss for process in group)


async def _cpu(group: list[psutil.Process]) -> float:
    """Cores that the processes use, over 30 s."""
    before, began = cpu_of(group), time.perf_counter()
    await asyncio.sleep(SECONDS)
    return (cpu_of(group) - before) / (time.perf_counter() - began)


def measure(bench: StreamBench) -> None:
    tokens = bench.prepare()
    asyncio.run(bench.changes(tokens))
    asyncio.run(bench.at_rest(tokens))


def main() -> int:
    argparse.ArgumentParser(prog="python -m tests.bench.reads.stream", description=__doc__).parse_args()
    with home_of_its_own() as home:
        bench = StreamBench(lifecycle.up(home, lambda _: None), SECONDS)
        measure(bench)
        write_results("stream.json", bench.rows)
    return 0 if all(row["met"] is not False for row in bench.rows) else 1


if __name__ == "__main__":
    sys.exit(main())
