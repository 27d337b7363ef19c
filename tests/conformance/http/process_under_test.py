"""A process of `run_process` for the tests: `LEDGERDESK_TEST_PROCESS` chooses how it misbehaves."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from shared.http import routes
from shared.http.serving.application import application
from shared.http.serving.health import Health
from shared.http.serving.process import Process, Role, run_process
from shared.runtime.heartbeat import SILENCE_SECONDS, Heartbeat
from shared.testing.keys import KEYS

router = routes.router()
health: Health
started, release = asyncio.Event(), asyncio.Event()
runs = 0
tries = 0


@router.get("/wait")
async def wait() -> Any:
    started.set()
    await release.wait()
    return {"waited": True}


@router.get("/wait-until-metrics-are-gone")
async def wait_for_metrics() -> Any:
    """A request that ends some time after the other server of this process has drained."""
    host, _, port = os.environ["LEDGERDESK_METRICS_LISTEN"].rpartition(":")
    started.set()
    with contextlib.suppress(OSError):
        while True:
            _, writer = await asyncio.open_connection(host, int(port))
            writer.close()
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.5)  # the request outlives several looks of uvicorn (0.1 s) whether it must end now
    return {"waited": True}


@router.get("/started")
async def tell_started() -> Any:
    await started.wait()
    return {}


@router.get("/runs")
async def tell_runs() -> Any:
    return {"runs": runs}


class Worker:
    """Runs `body` until it is cancelled."""

    def __init__(self, body: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self.run, self.heartbeat = body, Heartbeat()
        if os.environ.get("LEDGERDESK_TEST_PROCESS") == "silent-worker":
            self.heartbeat.beat(rest=-2 * SILENCE_SECONDS)


async def worker() -> None:
    global runs
    runs += 1
    if os.environ.get("LEDGERDESK_TEST_PROCESS") == "gives-up":
        raise asyncio.CancelledError
    if os.environ.get("LEDGERDESK_TEST_PROCESS") == "failing-worker" and runs == 1:
        raise RuntimeError("the first run fails")
    try:
        await asyncio.Event().wait()
    finally:
        print("worker cancelled", flush=True)


async def let_go() -> None:
    """Ends the waiting request when the process drains."""
    while not health.draining:
        await asyncio.sleep(0.01)
    release.set()
    await asyncio.Event().wait()


@asynccontextmanager
async def make(role: Role, given: Health) -> AsyncIterator[Process]:
    global tries, health
    tries += 1
    health = given
    if os.environ.get("LEDGERDESK_TEST_PROCESS") == "late-database" and tries == 1:
        raise ConnectionRefusedError("not yet")
    background = {"worker": Worker(worker), "let-go": Worker(let_go)}
    yield Process(application(given, keys=KEYS, routers=[router]), background)
    print("closed", flush=True)


if __name__ == "__main__":
    run_process("example", "all", make)
