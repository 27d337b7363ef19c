"""Runs dry runs: each on a connection of its own, few at a time, for as long as somebody waits for it.

A dry run works in small steps and leaves as much time to the others in this process. Its statements are as short as those
of any other read.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from uuid import UUID

from prometheus_client import Counter, Gauge

from services.reporting.dry_runs.dry_run import Found, Listed, run
from services.reporting.dry_runs.replay import Wanted
from shared.database import READ_SECONDS, OwnConnection, connect
from shared.http import problems
from shared.runtime.concurrency import ConcurrencyLimit

RUNNING = Gauge("ledgerdesk_dry_runs_running", "Dry runs of triggers that are running")
ENDED = Counter("ledgerdesk_dry_runs_total", "Dry runs of triggers, by how they ended", ["outcome"])
EVENTS = Counter("ledgerdesk_dry_run_events_total", "Events that dry runs of triggers have read")

MOST_RUNNING = 3
"""Dry runs in one process; each has a connection to PostgreSQL of its own."""
MOST_OF_A_PERSON = 2
RETRY_AFTER = 5
LONGEST_SECONDS = 900
PROGRESS_SECONDS = 1.0
SESSION = f"""
SET statement_timeout = '{round(READ_SECONDS * 1000)}ms';
SET idle_in_transaction_session_timeout = '{LONGEST_SECONDS}s';
SET default_transaction_read_only = on;
SET client_connection_check_interval = '5s';
SET jit = off;
SET max_parallel_workers_per_gather = 0;
"""

Progress = Callable[[Found], Awaitable[None]]


class DryRuns:
    """The dry runs of a process. `database_url` is for the connections of their own."""

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        self._limit = ConcurrencyLimit(MOST_RUNNING, MOST_OF_A_PERSON)

    async def run(self, person: UUID, wanted: Wanted, most: int, progress: Progress | None = None) -> Listed:
        """What the trigger would have done, the first `most` of it. `progress` is called about once a second.

        Raises Problem 429 before anything is read if too many run, in all or of this person, and 503 if it takes too
        long.
        """
        found, told = Found(), asyncio.get_running_loop().time()

        async def tell() -> None:
            nonlocal told
            now = asyncio.get_running_loop().time()
            if progress is not None and now - told >= PROGRESS_SECONDS:
                told = now
                await progress(found)

        with self._place(person), _counted(found):
            try:
                async with asyncio.timeout(LONGEST_SECONDS), self._connection() as connection:
                    return await run(connection, wanted, found, most, tell)
            except TimeoutError:
                raise problems.too_slow() from None

    @contextmanager
    def _place(self, person: UUID) -> Iterator[None]:
        if not self._limit.take(str(person)):
            raise problems.too_many(RETRY_AFTER, "Too many dry runs are running. Try again when one has ended.")
        try:
            yield
        finally:
            self._limit.give_back(str(person))

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[OwnConnection]:
        connection = await connect(self._database_url)
        try:
            await connection.execute(SESSION)
            yield connection
        finally:
            # `close` cancels a statement that runs.
            try:
                await connection.close(timeout=5)
            except Exception:
                connection.terminate()


@contextmanager
def _counted(found: Found) -> Iterator[None]:
    outcome = "failed"
    with RUNNING.track_inprogress():
        try:
            yield
            outcome = "done"
        except asyncio.CancelledError:
            outcome = "cancelled"
            raise
        finally:
            ENDED.labels(outcome).inc()
            EVENTS.inc(found.events)
