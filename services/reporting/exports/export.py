"""Runs exports: one statement on a connection of its own, in one snapshot, whose rows go to the client as they come.

Memory does not depend on the number of rows: PostgreSQL sends no faster than the client reads. A client that leaves
ends its statement and its process at once. Running exports are limited, because each holds a connection and a snapshot.
"""

import asyncio
import logging
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
import orjson

from services.reporting.download import Sink
from services.reporting.exports.columns import ExportColumn
from services.reporting.exports.formats import Format
from services.reporting.exports.statement import Chosen, Names, international_domains, statement
from services.reporting.exports.writer import process_environment
from shared.addresses import shown_domain
from shared.database import OwnConnection, connect
from shared.http import problems
from shared.runtime.concurrency import ConcurrencyLimit

MOST_RUNNING = 4
"""Exports that run in one process; each has a connection to PostgreSQL of its own."""
MOST_OF_A_PERSON = 2
MOST_OF_CUSTOMERS = 2
"""Of all customers together: the others are left for the desk's work."""
RETRY_AFTER = 10
LONGEST_SECONDS = 900
"""For a whole export, however slowly its client reads: its snapshot holds back the clean-up of old rows."""
PIECE = 256 * 1024
"""Bytes that are read from a process at a time."""
log = logging.getLogger(__name__)

SET_ZONE = "SELECT set_config('TimeZone', $1, false)"
SESSION = """
SET statement_timeout = '{seconds}s';
SET idle_in_transaction_session_timeout = '{seconds}s';
SET client_connection_check_interval = '5s';
SET work_mem = '64MB';
SET jit = off;
SET max_parallel_workers_per_gather = 0;
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
"""
"""Sorting one list in memory up to 64 MB, on disk beyond. PostgreSQL ends the statement if this process dies."""
BYTE_ORDER_MARK = "\ufeff".encode()
"""Excel reads a CSV file as UTF-8 only with it."""

Tickets = Callable[[], AsyncIterator[Sequence[UUID]]]
"""The tickets of an export in order, some at a time."""


class WritingFailed(Exception):
    """The process that writes a file ended without finishing it."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """An export: the tickets, the columns, the format, and the zone of its times.

    `tickets` names the tickets in their order, where it is not an order of lists.
    """

    chosen: Chosen
    columns: Sequence[ExportColumn]
    format: Format
    names: Names
    zone: ZoneInfo
    tickets: Tickets | None = None


class Exports:
    """The exports of a process. `database_url` is for the connections of their own."""

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        self._limit = ConcurrencyLimit(MOST_RUNNING, MOST_OF_A_PERSON)
        self._of_customers = ConcurrencyLimit(MOST_OF_CUSTOMERS, MOST_OF_A_PERSON)

    @contextmanager
    def _place(self, person: UUID, *, customer: bool) -> Iterator[None]:
        """One of the places, while the export runs. Raises Problem 429."""
        with ExitStack() as taken:
            for limit in (self._limit, self._of_customers) if customer else (self._limit,):
                if not limit.take(str(person)):
                    raise problems.too_many(RETRY_AFTER, "Too many exports are running. Try again when one has ended.")
                taken.callback(limit.give_back, str(person))
            yield

    async def run(self, person: UUID, wanted: Wanted, sink: Sink, *, customer: bool = False) -> None:
        """Gives the file to the sink. Raises Problem 429 before that if too many exports run, in all, of the person,
        or of customers."""
        with self._place(person, customer=customer):
            async with asyncio.timeout(LONGEST_SECONDS):
                if wanted.format.written_by_process:
                    # Removed here, because a process that is ended removes nothing.
                    with tempfile.TemporaryDirectory(prefix="ledgerdesk-export-", ignore_cleanup_errors=True) as folder:
                        await self._written_by_process(wanted, sink, folder)
                else:
                    await self._written_here(wanted, sink)

    async def _written_here(self, wanted: Wanted, sink: Sink) -> None:
        rows = JsonItems(sink) if wanted.format.name == "json" else CsvRows(sink, wanted.columns)
        await self._copy(wanted, rows.add)
        await rows.end()

    async def _written_by_process(self, wanted: Wanted, sink: Sink, folder: str) -> None:
        """Through `writer.py`, which gets the rows as CSV and returns the file. `folder` is for its temporary files."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.reporting.exports.writer",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=PIECE, **process_environment(folder),
        )  # fmt: skip
        into, out = process.stdin, process.stdout
        assert into is not None
        assert out is not None

        async def row_sink(piece: bytes) -> None:
            into.write(piece)
            await into.drain()

        async def give() -> None:
            about = {
                "format": wanted.format.name,
                "columns": [[column.name, column.kind] for column in wanted.columns],
                "zone": wanted.zone.key,
            }
            await row_sink(orjson.dumps(about) + b"\n")
            await self._copy(wanted, row_sink)
            into.close()

        async def take() -> None:
            while piece := await out.read(PIECE):
                await sink(piece)
            if await process.wait() != 0:
                raise WritingFailed(f"the process that writes an export ended with {process.returncode}")

        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(give())
                both.create_task(take())
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
                while await out.read(PIECE):  # asyncio sees a process end only when its output was read
                    pass
                await process.wait()

    async def _copy(self, wanted: Wanted, sink: Sink) -> None:
        """Gives the sink all rows, formatted by PostgreSQL, from one snapshot."""
        async with self._snapshot(wanted.zone) as connection:
            if any(column.name == "customer_email" for column in wanted.columns):
                wanted = replace(wanted, names=await _with_domains(connection, wanted))
            async for only in wanted.tickets() if wanted.tickets is not None else _all_at_once():
                text, arguments = statement(wanted.chosen, wanted.columns, wanted.names, wanted.format.name, only)
                await connection.copy_from_query(
                    text, *arguments, output=sink, timeout=LONGEST_SECONDS, **_COPY_OPTIONS[wanted.format.name]
                )

    @asynccontextmanager
    async def _snapshot(self, zone: ZoneInfo) -> AsyncIterator[OwnConnection]:
        connection = await connect(self._database_url)
        try:
            await _set_zone(connection, zone)
            await connection.execute(SESSION.format(seconds=LONGEST_SECONDS))
            yield connection
        finally:
            # `close` cancels a statement that runs. The server rolls the transaction back.
            try:
                await connection.close(timeout=5)
            except Exception:
                connection.terminate()


async def _set_zone(connection: OwnConnection, zone: ZoneInfo) -> None:
    """The zone of times in texts: UTC for a zone that is newer than PostgreSQL's list of them."""
    try:
        await connection.execute(SET_ZONE, zone.key)
    except asyncpg.InvalidParameterValueError:
        log.warning("PostgreSQL does not know the time zone %s: an export has times in UTC", zone.key)
        await connection.execute(SET_ZONE, "UTC")


_CSV: dict[str, Any] = {"format": "csv"}
_COPY_OPTIONS: dict[str, dict[str, Any]] = {
    "csv": _CSV, "xlsx": _CSV, "parquet": _CSV,
    # JSON has no control characters but in escapes, so that with these two no row is put into quotes.
    "json": {"format": "csv", "quote": "\x01", "delimiter": "\x02"},
}  # fmt: skip


class CsvRows:
    """Rows of CSV, after a header."""

    def __init__(self, sink: Sink, columns: Sequence[ExportColumn]) -> None:
        self._sink = sink
        self._before = BYTE_ORDER_MARK + ",".join(column.name for column in columns).encode() + b"\n"

    async def add(self, rows: bytes) -> None:
        """Takes further rows. The header goes with the first ones: an error before them is still a problem document."""
        before, self._before = self._before, b""
        await self._sink(before + rows)

    async def end(self) -> None:
        if self._before:
            await self._sink(self._before)


class JsonItems:
    """Rows of JSON, each on a line, as the items of an array."""

    def __init__(self, sink: Sink) -> None:
        self._sink, self._before = sink, b'{"items": [\n'

    async def add(self, rows: bytes) -> None:
        """Takes further whole rows."""
        before, self._before = self._before, b",\n"
        await self._sink(before + rows.removesuffix(b"\n").replace(b"\n", b",\n"))

    async def end(self) -> None:
        await self._sink((self._before if self._before != b",\n" else b"") + b"\n]}\n")


async def _all_at_once() -> AsyncIterator[None]:
    yield None


async def _with_domains(connection: OwnConnection, wanted: Wanted) -> Names:
    text, arguments = international_domains(wanted.chosen)
    rows = await connection.fetch(text, *arguments, timeout=LONGEST_SECONDS)
    return replace(wanted.names, domains={row["domain"]: shown_domain(row["domain"]) for row in rows})
