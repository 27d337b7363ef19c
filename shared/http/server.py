"""Runs a process: HTTP server and supervised background tasks on one event loop, until SIGTERM has drained it."""

from collections.abc import Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Literal

from starlette.types import ASGIApp

from shared.http.health import Health

Role = Literal["api", "worker", "all"]
Task = Callable[[], Coroutine[Any, Any, object]]


@dataclass(frozen=True, slots=True)
class Process:
    """What a service's `app.py` makes for a role: the application (a worker's has health routes only) and what runs beside it.

    Each background function runs until it is cancelled; one that raises or returns is logged and started anew with backoff.
    """

    app: ASGIApp
    background: Mapping[str, Task] = field(default_factory=dict)


def run_process(service: str, role: Role, make: Callable[[Role, Health], AbstractAsyncContextManager[Process]]) -> None:
    """Runs a process to its end; the whole of a service's `__main__` for `api`, `worker` and `all`.

    `make` opens what the process needs (pools), yields the Process and closes everything at the end:

        @asynccontextmanager
        async def process(role: Role, health: Health) -> AsyncIterator[Process]:
            pool = await connect_pool(...)
            health.check("database", lambda: pool.fetchval("SELECT 1"))
            try:
                yield Process(application(health, identity_key=..., routers=[api.router]), {"relay": relay.run})
            finally:
                await pool.close()

    Listens on LEDGERDESK_LISTEN. A `make` that fails because PostgreSQL is not there yet is tried again for a minute. SIGTERM and
    SIGINT stop accepting, finish requests, then cancel the background tasks; within 25 s in all.
    """
    raise NotImplementedError
