"""`python -m services.reporting projections ...`: build a generation, verify it, show it, go back, drop it."""

import argparse
import asyncio
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from zoneinfo import ZoneInfo

import asyncpg
import uvloop
from aiokafka.errors import KafkaError

from services.reporting.analytics import views
from services.reporting.generations.live_consumer import LiveConsumer
from services.reporting.generations.projection_sets import projection_sets
from services.reporting.search import operating
from services.reporting.search.index.projection_set import SEARCH
from shared.database import OwnConnection, connect, connect_pool
from shared.messaging.access.account import KafkaAccount
from shared.messaging.consuming.halting import Halt
from shared.messaging.consuming.handlers import transient
from shared.projections import sets
from shared.projections.sets import CannotChange, ProjectionSet
from shared.runtime.garbage_collection import collect_rarely
from shared.settings import SettingMissing, env

FAILURES = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, KafkaError, TimeoutError, Halt)
OUTAGE_SECONDS = 300.0
PAUSE_SECONDS = 1.0
REACHED = "SELECT coalesce(sum(next_offset), 0)::bigint FROM messaging.checkpoints WHERE consumer = $1"
LIST = "SELECT generation, state, made_at FROM projections.generations WHERE name = $1 ORDER BY generation"


async def up_to_date(projection_sets: Sequence[ProjectionSet]) -> None:
    """Creates and shows the first generation of each set that has none.

    If the live generation has the tables of another version, a new one is filled from the whole log before it is shown,
    so that nobody sees an incomplete list. A build that an outage or a stop interrupted goes on from its checkpoints.
    """
    app_url, owner_url = env("LEDGERDESK_DATABASE_URL"), env("LEDGERDESK_DATABASE_OWNER_URL")
    for each in projection_sets:
        async with _connected(owner_url) as owner:
            live = await sets.live_shape(owner, each.name)
            if live is not None and live[1] == each.shape:
                continue
            generation = await sets.unfinished(owner, each) or await sets.begin(owner, each, app_url)
        try:
            if live is not None and each.tables:
                seconds, events = await fill(each, generation)
                schema = each.schema(generation)
                print(f"{schema} built from {events} events in {seconds:.1f} s: the tables have changed")
            async with _connected(owner_url) as owner:
                await sets.promote(owner, each, generation, app_url)
        except Exception as error:
            if not _is_outage(error):
                async with _connected(owner_url) as owner:
                    await sets.drop(owner, each, generation)  # corrected code starts with empty tables
            raise
    async with _connected(owner_url) as owner:
        await views.up_to_date(owner)


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[OwnConnection]:
    connection = await connect(url)
    try:
        yield connection
    finally:
        await connection.close()


def migrate() -> int:
    """Brings the read models up to date. Returns the exit status."""
    try:
        asyncio.run(up_to_date(list(_sets().values())))
    except (SettingMissing, *FAILURES) as error:
        print(f"cannot build the read models: {str(error) or type(error).__name__}", file=sys.stderr)
        return 1
    return 0


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m services.reporting projections")
    parser.add_argument("action", choices=("list", "build", "verify", "promote", "back", "drop"))
    parser.add_argument("set", choices=sorted(_sets()), nargs="?", default="desk")
    parser.add_argument(
        "generation",
        type=int,
        nargs="?",
        help="by default the newest one; `build` makes a new one, or goes on with the number that is given",
    )
    asked = parser.parse_args(arguments)
    collect_rarely()
    try:
        return uvloop.run(_carry_out(asked.action, _sets()[asked.set], asked.generation))
    except (CannotChange, *FAILURES) as error:
        print(str(error) or type(error).__name__, file=sys.stderr)
        return 1


def _sets() -> dict[str, ProjectionSet]:
    return {**projection_sets(ZoneInfo(env("LEDGERDESK_TIMEZONE", "UTC"))), SEARCH.name: SEARCH}


async def _carry_out(action: str, projection_set: ProjectionSet, generation: int | None) -> int:
    app_url = env("LEDGERDESK_DATABASE_URL")
    async with _connected(env("LEDGERDESK_DATABASE_OWNER_URL")) as owner:
        rows = await owner.fetch(LIST, projection_set.name)
        newest = max((row["generation"] for row in rows), default=0)
        match action:
            case "list":
                for row in rows:
                    schema = projection_set.schema(row["generation"])
                    print(f"{schema}  {row['state']:<8}  made {row['made_at']:%Y-%m-%d %H:%M:%S}")
            case "build":
                if generation is not None and generation != await sets.unfinished(owner, projection_set):
                    raise CannotChange(
                        f"{projection_set.schema(generation)} is not this version's newest generation"
                        " that was begun and not shown"
                    )
                made = generation or await sets.begin(owner, projection_set, app_url)
                if projection_set is SEARCH:
                    return await operating.build(owner, made)
                seconds, events = await fill(projection_set, made)
                rate = events / max(seconds, 0.001)
                print(f"{projection_set.schema(made)} built: {events} events in {seconds:.1f} s, {rate:.0f} a second")
            case "verify":
                if projection_set is SEARCH:
                    return await operating.verify(app_url, generation or newest)
                return await _verify(owner, projection_set, generation or newest)
            case "promote":
                await sets.promote(owner, projection_set, generation or newest, app_url)
                print(f"{projection_set.schema(generation or newest)} is live")
            case "back":
                former = await sets.previous(owner, projection_set)
                await sets.promote(owner, projection_set, former, app_url)
                print(f"{projection_set.schema(former)} is live again")
            case _:
                await sets.drop(owner, projection_set, generation or newest)
                print(f"{projection_set.schema(generation or newest)} is gone")
    return 0


async def fill(projection_set: ProjectionSet, generation: int) -> tuple[float, int]:
    """Folds everything that is in the topic now into a generation. Returns seconds and events.

    After a failover of PostgreSQL or a broker it goes on from its checkpoints. Raises the error of an outage if nothing
    moved for OUTAGE_SECONDS, and any other error at once.
    """
    url, kafka = env("LEDGERDESK_DATABASE_URL"), KafkaAccount.read("reporting")
    started = moved = time.monotonic()
    first = reached = None
    refused = 0
    while True:
        try:
            pool = await connect_pool(url)
            try:
                now = await pool.fetchval(REACHED, projection_set.consumer(generation))
                first = now if first is None else first
                if now != reached:
                    reached, moved = now, time.monotonic()
                live = LiveConsumer(projection_set, database_url=url, pool=pool, kafka=kafka, replica=None)
                consumer = live.consumer(generation)
                try:
                    await consumer.catch_up()
                finally:
                    refused += consumer.unauthentic
                events = await pool.fetchval(REACHED, projection_set.consumer(generation)) - first
            finally:
                pool.terminate()  # close() would wait for connections that are lost
            if refused:
                print(f"{refused} records are missing from it: docs/runbooks/refused-records.md", file=sys.stderr)
            return time.monotonic() - started, events
        except Exception as error:
            if not _is_outage(error) or time.monotonic() - moved > OUTAGE_SECONDS:
                raise
            schema = projection_set.schema(generation)
            print(f"{schema} goes on after {type(error).__name__}: {error}", file=sys.stderr)
            await asyncio.sleep(PAUSE_SECONDS)


def _is_outage(error: BaseException) -> bool:
    """Whether the build can go on later from its checkpoints."""
    return transient(error) or isinstance(error, KafkaError)


async def _verify(owner: OwnConnection, projection_set: ProjectionSet, generation: int) -> int:
    """Compares a generation with the live one; the live one with a build of the whole log, which is dropped again.

    Returns the exit status.
    """
    live = await sets.live(owner, projection_set.name)
    other = live if live is not None and live != generation else None
    built = None
    if other is None:
        built = other = await sets.begin(owner, projection_set, env("LEDGERDESK_DATABASE_URL"))
        await fill(projection_set, other)
    if generation != live:
        await fill(projection_set, generation)
    found = await sets.differences(owner, projection_set, generation, other)
    if built is not None:
        await sets.drop(owner, projection_set, built)
    for table, count in found.items():
        print(f"{projection_set.name}.{table}: {'equal' if not count else f'{count} rows differ'}")
    return 1 if any(found.values()) else 0
