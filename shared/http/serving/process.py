"""Runs a process: an HTTP server and supervised background tasks on one event loop, until SIGTERM has drained it."""

import asyncio
import logging
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field
from typing import Literal

import asyncpg
import uvloop
from starlette.types import ASGIApp

from shared.database import TRANSIENT
from shared.http.serving.health import Health
from shared.http.serving.server import CannotListen, listening_socket, serve
from shared.runtime.garbage_collection import collect_rarely
from shared.runtime.heartbeat import Background
from shared.runtime.waiting import set_within
from shared.settings import SettingMissing, env
from shared.telemetry import setup

log = logging.getLogger(__name__)

Role = Literal["api", "worker", "all"]

START_SECONDS = 60
RETRY_SECONDS = 1.0
LISTEN = "LEDGERDESK_LISTEN"
METRICS_LISTEN = "LEDGERDESK_METRICS_LISTEN"


@dataclass(frozen=True, slots=True)
class Process:
    """What `app.py` of a service makes for a role: the application (a worker's has probes only) and background tasks.

    A background task that raises or returns is started again with backoff. `/livez` watches all of them.
    """

    app: ASGIApp
    background: Mapping[str, Background] = field(default_factory=dict)


Make = Callable[[Role, Health], AbstractAsyncContextManager[Process]]


class CannotStart(Exception):
    """Something that the process needs did not come in time, or never will."""


def run_process(service: str, role: Role, make: Make) -> None:
    """Runs a process to its end: the roles `api`, `worker` and `all` of a service.

    `make` opens what the process needs (pools), yields the Process and closes everything at the end:

        @asynccontextmanager
        async def process(role: Role, health: Health) -> AsyncIterator[Process]:
            pool = await connect_pool(...)
            health.check("database", lambda: pool.fetchval("SELECT 1"))
            try:
                yield Process(application(health, keys=..., routers=[api.router]), {"relay": relay})
            finally:
                await pool.close()

    Listens on LEDGERDESK_LISTEN, and for `/metrics` on LEDGERDESK_METRICS_LISTEN if that is set. While PostgreSQL is
    down, `make` is retried for a minute. SIGTERM and SIGINT stop accepting, let requests end, then cancel the
    background tasks, all within 25 s. Exits with 1 when the process cannot start.
    """
    setup.setup(service, role)
    collect_rarely()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run(service, role, make))
    except (SettingMissing, CannotListen, CannotStart) as error:
        log.critical("%s cannot start: %s", service, error)
        sys.exit(1)
    finally:
        setup.shutdown()


async def _run(service: str, role: Role, make: Make) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stop.set)
    health = Health(service, role)
    listener = listening_socket(env(LISTEN), LISTEN)
    address = env(METRICS_LISTEN, "")
    monitors = listening_socket(address, METRICS_LISTEN) if address else None
    async with AsyncExitStack() as stack:
        process = await _made(service, role, make, health, stack, stop)
        if process is None:
            listener.close()
            if monitors is not None:
                monitors.close()
            return
        log.info("%s %s listens on %s", service, role, env(LISTEN))
        await serve(process.app, listener, health, process.background, stop, monitors)
    log.info("%s %s has ended", service, role)


async def _made(
    service: str, role: Role, make: Make, health: Health, stack: AsyncExitStack, stop: asyncio.Event
) -> Process | None:
    """The process; None if it was told to end before it could start."""
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
        await set_within(stop, RETRY_SECONDS)
    return None
