"""Sign-ins are loaded in batches. Each request gets its own answer, never one from before it arrived."""

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import pytest

from services.gateway.signing_in.session_loader import SessionLoader


class Database:
    """Answers a statement when its gate opens.

    `live` are the tokens that exist; a statement reads them when it starts.
    """

    def __init__(self, *live: bytes) -> None:
        self.live = set(live)
        self.asked: list[list[bytes]] = []
        self.gates: list[asyncio.Future[None]] = []

    async def fetch(self, statement: str, digests: Sequence[bytes], timeout: float) -> list[dict[str, bytes]]:
        self.asked.append(list(digests))
        rows = [{"token_hash": digest} for digest in digests if digest in self.live]
        gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.gates.append(gate)
        await gate
        return rows


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def asking(loader: SessionLoader, *digests: bytes) -> list[asyncio.Task[Any]]:
    return [asyncio.create_task(loader.load(digest)) for digest in digests]


async def test_requests_that_arrive_during_a_statement_share_the_next_one() -> None:
    database = Database(b"a", b"b")
    loader = SessionLoader(cast("Any", database))
    tasks = asking(loader, b"a", b"b", b"c", b"b", b"a")
    await settle()
    assert database.asked == [[b"a"]]
    database.gates[0].set_result(None)
    await settle()
    assert database.asked == [[b"a"], [b"b", b"c", b"a"]]
    database.gates[1].set_result(None)
    assert await asyncio.gather(*tasks) == [
        {"token_hash": b"a"}, {"token_hash": b"b"}, None, {"token_hash": b"b"}, {"token_hash": b"a"}
    ]  # fmt: skip


async def test_no_answer_is_older_than_its_request() -> None:
    database = Database(b"a")
    loader = SessionLoader(cast("Any", database))
    first = asking(loader, b"a")
    await settle()
    database.live.clear()  # signed out while the first statement runs
    second = asking(loader, b"a")
    await settle()
    database.gates[0].set_result(None)
    await settle()
    database.gates[1].set_result(None)
    assert await first[0] is not None and await second[0] is None


async def test_a_failure_reaches_all_who_waited_and_nobody_later() -> None:
    database = Database(b"a")
    loader = SessionLoader(cast("Any", database))
    tasks = asking(loader, b"a", b"b", b"b")
    await settle()
    database.gates[0].set_exception(ConnectionError())
    await settle()
    database.gates[1].set_exception(ConnectionError())
    assert [type(r) for r in await asyncio.gather(*tasks, return_exceptions=True)] == [ConnectionError] * 3
    (later,) = asking(loader, b"a")
    await settle()
    database.gates[2].set_result(None)
    assert await later == {"token_hash": b"a"}


@pytest.mark.parametrize("gone", [0, 1, 2])
async def test_a_cancelled_caller_does_not_affect_others(gone: int) -> None:
    database = Database(b"a", b"b")
    loader = SessionLoader(cast("Any", database))
    tasks = asking(loader, b"a", b"b", b"b", b"a")
    await settle()
    tasks[gone].cancel()
    await settle()
    while not all(task.done() for task in tasks):
        for gate in database.gates:
            if not gate.done():
                gate.set_result(None)
        await settle()
    assert [task.cancelled() for task in tasks] == [n == gone for n in range(4)]
    assert all(task.result() for n, task in enumerate(tasks) if n != gone)
