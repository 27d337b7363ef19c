"""uvicorn's server with our limits on connections, and background tasks beside it."""

import asyncio
import contextlib
import logging
import resource
import socket
from collections.abc import Iterator, Mapping
from functools import partial

import uvicorn
from starlette.types import ASGIApp

from shared.http.serving.health import Health
from shared.http.serving.metrics import metrics_application
from shared.http.serving.protocol import IDLE_SECONDS, BoundedProtocol, close_stalled
from shared.runtime.admission import Admission
from shared.runtime.heartbeat import Background
from shared.runtime.supervision import supervise
from shared.runtime.waiting import set_within

log = logging.getLogger(__name__)

REQUESTS_SECONDS = 18
TASKS_SECONDS = 4
"""Together with REQUESTS_SECONDS and the closing of pools less than the 25 s that a process has to drain."""
TICK_SECONDS = 1.0
STALLED_TICKS = 5
MOST_CONNECTIONS = 2048
MOST_OF_A_PEER = 1536
"""Connections of one address; behind a proxy, all have the proxy's."""
OPEN_FILES = 8192
"""File descriptors that a process asks for. Connections take at most half of them."""


class CannotListen(Exception):
    """The address is taken, or is not an address."""


class Server(uvicorn.Server):
    """uvicorn's server with our signal handling and another main loop (docs/decisions/0098)."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Starts to drain."""
        self.should_exit = True
        self._stopping.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves signals to `run_process`.

        uvicorn handles them in each server and raises them again after draining: with two servers in a process, the
        first one that has drained would make the other one drop its requests.
        """
        yield

    async def main_loop(self) -> None:
        """Wakes up once a second, where uvicorn wakes up ten times, and closes connections whose peer stalls."""
        tick = 0
        while not await self.on_tick(tick * 10):
            tick += 1
            await set_within(self._stopping, TICK_SECONDS)
            if tick % STALLED_TICKS == 0:
                close_stalled(self.server_state.connections)


def admission() -> Admission[BoundedProtocol]:
    """The limit on a server's connections, lower where the process may not open that many files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    most = MOST_CONNECTIONS if soft == resource.RLIM_INFINITY else min(MOST_CONNECTIONS, soft // 2)
    return Admission(most, most * MOST_OF_A_PEER // MOST_CONNECTIONS, lambda connection: connection.transport.close())


def listening_socket(address: str, variable: str = "LEDGERDESK_LISTEN") -> socket.socket:
    """A socket that listens on `host:port`. Raises CannotListen; `variable` is the setting that its message names."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdecimal():
        raise CannotListen(f"{variable} must be host:port, not {address!r}")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, int(port)), family=family, backlog=2048)
    except (OSError, OverflowError) as error:
        raise CannotListen(f"cannot listen on {address}: {error}") from error


async def serve(
    app: ASGIApp,
    listener: socket.socket,
    health: Health,
    background: Mapping[str, Background],
    stop: asyncio.Event,
    monitors: socket.socket | None = None,
) -> None:
    """Serves until `stop` is set, then drains: no new connections, requests end, background tasks are cancelled.

    `monitors` is the socket that `/metrics` is served on.
    """
    servers = [_server(app, listener)]
    if monitors is not None:
        servers.append(_server(metrics_application(), monitors))
    tasks: dict[str, asyncio.Task[object]] = {}
    for name, each in background.items():
        tasks[name] = asyncio.create_task(supervise(name, each.run, each.heartbeat), name=name)
        health.watch(name, tasks[name], each.heartbeat)
    serving = [
        asyncio.create_task(server.serve([where]), name=f"http {n}") for n, (server, where) in enumerate(servers)
    ]
    stopped = asyncio.create_task(stop.wait(), name="stop")
    try:
        await asyncio.wait((*serving, stopped), return_when=asyncio.FIRST_COMPLETED)
        health.drain()
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
