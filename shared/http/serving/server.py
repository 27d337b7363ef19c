"""Runs a process: HTTP server and supervised background tasks on one event loop, until SIGTERM has drained it."""

import asyncio
import contextlib
import logging
import resource
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

import asyncpg
import uvicorn
import uvloop
from starlette.types import ASGIApp

from shared.database import TRANSIENT
from shared.http.serving.health import Health
from shared.http.serving.metrics import metrics_application
from shared.http.serving.protocol import IDLE_SECONDS, BoundedProtocol, close_stalled
from shared.runtime.garbage import collect_rarely
from shared.runtime.places import Admission
from shared.runtime.pulse import Background
from shared.runtime.restart import restarting
from shared.runtime.wakeup import woken
from shared.settings import SettingMissing, env
from shared.telemetry import setup

log = logging.getLogger(__name__)

Role = Literal["api", "worker", "all"]

REQUESTS_SECONDS = 18
TASKS_SECONDS = 4
"""With REQUESTS_SECONDS and the closing of pools less than the 25 s that a process has to drain."""
START_SECONDS = 60
TICK_SECONDS = 1.0
MONITORS = "LEDGERDESK_METRICS_LISTEN"
MOST_CONNECTIONS = 2048
MOST_OF_A_PEER = 1536
"""Of one address; behind a proxy all have the proxy's."""
OPEN_FILES = 8192
"""What a process wants to hold open; its connections leave at least half of it to everything else."""


@dataclass(frozen=True, slots=True)
class Process:
    """What `app.py` of a service makes for a role: the application (a worker's has probes only), and what runs beside.

    Each background task runs until it is cancelled; one that raises or returns is started anew with backoff. `/livez` watches them all.
    """

    app: ASGIApp
    background: Mapping[str, Background] = field(default_factory=dict)


Make = Callable[[Role, Health], AbstractAsyncContextManager[Process]]


def run_process(service: str, role: Role, make: Make) -> None:
    """Runs a process to its end; the whole of a service's `__main__` for `api`, `worker` and `all`.

    `make` opens what the process needs (pools), yields the Process and closes everything at the end:

        @asynccontextmanager
        async def process(role: Role, health: Health) -> AsyncIterator[Process]:
            pool = await connect_pool(...)
            health.check("database", lambda: pool.fetchval("SELECT 1"))
            try:
                yield Process(application(health, keys=..., routers=[api.router]), {"relay": relay})
            finally:
                await pool.close()

    Listens on LEDGERDESK_LISTEN, for `/metrics` on LEDGERDESK_METRICS_LISTEN if that is set. A `make` that fails because PostgreSQL
    is not there yet is tried again for a minute.
    SIGTERM and SIGINT stop accepting, finish requests, then cancel the background tasks; within 25 s in all. Exits with
    1 when it cannot start.
    """
    setup.setup(service, role)
    collect_rarely()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run(service, role, make))
    except (SettingMissing, CannotStart) as error:
        log.critical("%s cannot start: %s", service, error)
        sys.exit(1)
    finally:
        setup.shutdown()


def admission() -> Admission[BoundedProtocol]:
    """Places for the connections of a server, fewer where the process may not hold so many files open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    most = MOST_CONNECTIONS if soft == resource.RLIM_INFINITY else min(MOST_CONNECTIONS, soft // 2)
    return Admission(most, most * MOST_OF_A_PEER // MOST_CONNECTIONS, lambda connection: connection.transport.close())


class CannotStart(Exception):
    """The process lacks something that waiting did not bring."""


class Server(uvicorn.Server):
    """uvicorn's server under our signals: `stop` begins to drain."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        self.should_exit = True
        self._stopping.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """uvicorn's own raises the signal again after draining: the process would end before its pools are closed."""
        yield

    async def main_loop(self) -> None:
        """As uvicorn's, but one wake-up a second instead of ten, and it closes connections whose peer stalls."""
        tick = 0
        while not await self.on_tick(tick * 10):
            tick += 1
            await woken(self._stopping, TICK_SECONDS)
            if tick % 5 == 0:
                close_stalled(self.server_state.connections)


def listening_socket(address: str, variable: str = "LEDGERDESK_LISTEN") -> socket.socket:
    """A socket that listens on `host:port`. Raises CannotStart, naming the variable, when the address is taken or is none."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdecimal():
        raise CannotStart(f"{variable} must be host:port, not {address!r}")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, int(port)), family=family, backlog=2048)
    except (OSError, OverflowError) as error:
        raise CannotStart(f"cannot listen on {address}: {error}") from error


async def serve(
    app: ASGIApp,
    listener: socket.socket,
    health: Health,
    background: Mapping[str, Background],
    stop: asyncio.Event,
    monitors: socket.socket | None = None,
) -> None:
    """Serves until `stop` is set, then drains: no new connections, requests end, background tasks are cancelled. `monitors` is where
    `/metrics` is served."""
    servers = [_server(app, listener)]
    if monitors is not None:
        servers.append(_server(metrics_application(), monitors))
    tasks: dict[str, asyncio.Task[object]] = {}
    for name, each in background.items():
        tasks[name] = asyncio.create_task(restarting(name, each.run, each.pulse), name=name)
        health.watch(name, tasks[name], each.pulse)
    serving = [
        asyncio.create_task(server.serve([where]), name=f"http {n}") for n, (server, where) in enumerate(servers)
    ]
    stopped = asyncio.create_task(stop.wait(), name="stop")
    try:
        await asyncio.wait((*serving, stopped), return_when=asyncio.FIRST_COMPLETED)
        health.draining = True
        for server, _ in servers:
            server.stop()
        await asyncio.gather(*serving)
    finally:
        stopped.cancel()
        await _cancel(tasks)


def _server(app: ASGIApp, listener: socket.socket) -> tuple[Server, socket.socket]:
    config = uvicorn.Config(
        app,
        http=partial(BoundedProtocol, admission()),  # type: ignore[arg-type]
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=int(IDLE_SECONDS),
        timeout_graceful_shutdown=REQUESTS_SECONDS,
    )
    return Server(config), listener


async def _cancel(tasks: Mapping[str, asyncio.Task[object]]) -> None:
    if not tasks:
        return
    for task in tasks.values():
        task.cancel()
    _, pending = await asyncio.wait(tasks.values(), timeout=TASKS_SECONDS)
    for name, task in tasks.items():
        if task in pending:
            log.error("%s did not end within %d s and is abandoned", name, TASKS_SECONDS)


async def _run(service: str, role: Role, make: Make) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stop.set)
    health = Health(service, role)
    listener = listening_socket(env("LEDGERDESK_LISTEN"))
    address = env(MONITORS, "")
    monitors = listening_socket(address, MONITORS) if address else None
    async with AsyncExitStack() as stack:
        process = await _made(service, role, make, health, stack, stop)
        if process is None:
            listener.close()
            if monitors is not None:
                monitors.close()
            return
        log.info("%s %s listens on %s", service, role, env("LEDGERDESK_LISTEN"))
        await serve(process.app, listener, health, process.background, stop, monitors)
    log.info("%s %s has ended", service, role)


async def _made(
    service: str, role: Role, make: Make, health: Health, stack: AsyncExitStack, stop: asyncio.Event
) -> Process | None:
    """The process, or None when it was told to end before it could start."""
    loop = asyncio.get_running_loop()
    end = loop.time() + START_SECONDS
    while not stop.is_set():
        try:
            return await stack.enter_async_context(make(role, health))
        except asyncpg.InvalidAuthorizationSpecificationError as error:
            raise CannotStart(
                "PostgreSQL refuses the role or the password of LEDGERDESK_DATABASE_URL: put the right one there"
            ) from error
        except asyncpg.InvalidCatalogNameError as error:
            raise CannotStart(f"PostgreSQL does not have the database of LEDGERDESK_DATABASE_URL: {error}") from error
        except asyncpg.UndefinedTableError as error:
            raise CannotStart(f"the database lacks a table; run `{service} migrate` first: {error}") from error
        except TRANSIENT as error:
            if loop.time() > end:
                raise CannotStart(f"{type(error).__name__}: {error}") from error
            log.warning("%s %s cannot start yet: %s: %s", service, role, type(error).__name__, error)
        await woken(stop, TICK_SECONDS)
    return None
