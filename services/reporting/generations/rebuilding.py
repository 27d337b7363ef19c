"""`python -m services.reporting projections ...`: build beside the live generation, verify, promote, go back, drop."""

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

from services.reporting.generations.live_consumer import LiveConsumer
from services.reporting.generations.sets import projection_sets
from shared.database import OwnConnection, Pool, connect, connect_pool
from shared.messaging.access.account import KafkaAccount
from shared.messaging.halting import Halt
from shared.messaging.handlers import transient
from shared.projections import sets
from shared.projections.sets import CannotChange, ProjectionSet
from shared.runtime.garbage_collection import collect_rarely
from shared.settings import SettingMissing, env

FAILURES = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, KafkaError, TimeoutError, Halt)
OUTAGE_SECONDS = 300.0
PAUSE_SECONDS = 1.0
REACHED = "SELECT coalesce(sum(next_offset), 0)::bigint FROM messaging.checkpoints WHERE consumer = $1"
LIST = "SELECT generation, state, made_at FROM projections.generations WHERE name = $1 ORDER BY generation"


async def up_to_date(which: Sequence[ProjectionSet]) -> None:
    """Makes and promotes the first generation of each set that has none. Where the live one has tables of another version, a new one is
    worked through the whole log first, so that nobody ever sees half of it. One that an outage or a stop has left unfinished goes on from
    where it was."""
    app_url, owner_url = env("LEDGERDESK_DATABASE_URL"), env("LEDGERDESK_DATABASE_OWNER_URL")
    for each in which:
        async with _connected(owner_url) as owner:
            live = await sets.live_shape(owner, each.name)
            if live is not None and live[1] == each.shape:
                continue
            made = await sets.unfinished(owner, each) or await sets.begin(owner, each, app_url)
        try:
            if live is not None:
                seconds, events = await fill(each, made)
                print(f"{each.schema(made)} built from {events} events in {seconds:.1f} s: the tables have changed")
            async with _connected(owner_url) as owner:
                await sets.promote(owner, each, made, app_url)
        except Exception as error:
            if not _passes(error):
                async with _connected(owner_url) as owner:
                    await sets.drop(owner, each, made)  # mended code begins with nothing of this one's
            raise


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[OwnConnection]:
    connection = await connect(url)
    try:
        yield connection
    finally:
        await connection.close()


def migrate() -> int:
    """Brings the read models up to date; answers the exit status."""
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
        help="by default the newest one, and for `build` a new one: a number goes on with that",
    )
    asked = parser.parse_args(arguments)
    collect_rarely()
    try:
        return uvloop.run(_carry_out(asked.action, _sets()[asked.set], asked.generation))
    except (CannotChange, *FAILURES) as error:
        print(str(error) or type(error).__name__, file=sys.stderr)
        return 1


def _sets() -> dict[str, ProjectionSet]:
    return projection_sets(ZoneInfo(env("LEDGERDESK_TIMEZONE", "UTC")))


async def _carry_out(action: str, which: ProjectionSet, generation: int | None) -> int:
    app_url = env("LEDGERDESK_DATABASE_URL")
    owner = await connect(env("LEDGERDESK_DATABASE_OWNER_URL"))
    try:
        rows = await owner.fetch(LIST, which.name)
        newest = max((row["generation"] for row in rows), default=0)
        match action:
            case "list":
                for row in rows:
                    print(
                        f"{which.schema(row['generation'])}  {row['state']:<8}  made {row['made_at']:%Y-%m-%d %H:%M:%S}"
                    )
            case "build":
                if generation is not None and generation != await sets.unfinished(owner, which):
                    raise CannotChange(
                        f"{which.schema(generation)} is not the newest one that was begun by this version and not shown"
                    )
                made = generation or await sets.begin(owner, which, app_url)
                seconds, events = await fill(which, made)
                print(
                    f"{which.schema(made)} built: {events} events in {seconds:.1f} s, {events / max(seconds, 0.001):.0f} a second"
                )
            case "verify":
                return await _verify(owner, which, generation or newest)
            case "promote":
                await sets.promote(owner, which, generation or newest, app_url)
                print(f"{which.schema(generation or newest)} is live")
            case "back":
                former = await sets.previous(owner, which)
                await sets.promote(owner, which, former, app_url)
                print(f"{which.schema(former)} is live again")
            case _:
                await sets.drop(owner, which, generation or newest)
                print(f"{which.schema(generation or newest)} is gone")
    finally:
        await owner.close()
    return 0


async def fill(which: ProjectionSet, generation: int) -> tuple[float, int]:
    """Works a generation through everything that stands in the topic now; answers seconds and events.

    It goes on from its checkpoints after a failover of PostgreSQL or a broker. Raises what stops it for longer than OUTAGE_SECONDS.
    """
    url, kafka = env("LEDGERDESK_DATABASE_URL"), KafkaAccount.read("reporting")
    started = moved = time.monotonic()
    first = reached = None
    refused = 0
    while True:
        try:
            async with _pool(url) as pool:
                now = await pool.fetchval(REACHED, which.consumer(generation))
                first = now if first is None else first
                if now != reached:
                    reached, moved = now, time.monotonic()
                filling = LiveConsumer(which, database_url=url, pool=pool, kafka=kafka, replica=None)
                filler = filling.consumer(generation)
                try:
                    await filler.catch_up()
                finally:
                    refused += filler.unauthentic
                events = await pool.fetchval(REACHED, which.consumer(generation)) - first
                if refused:
                    print(f"{refused} records are missing from it: docs/runbooks/refused-records.md", file=sys.stderr)
                return time.monotonic() - started, events
        except Exception as error:
            if not _passes(error) or time.monotonic() - moved > OUTAGE_SECONDS:
                raise
            print(f"{which.schema(generation)} goes on after {type(error).__name__}: {error}", file=sys.stderr)
            await asyncio.sleep(PAUSE_SECONDS)


@asynccontextmanager
async def _pool(url: str) -> AsyncIterator[Pool]:
    pool = await connect_pool(url)
    try:
        yield pool
    finally:
        pool.terminate()  # a lost connection would keep an orderly end waiting


def _passes(error: BaseException) -> bool:
    """Whether it is an outage, after which the work can go on."""
    return transient(error) or isinstance(error, KafkaError)


async def _verify(owner: OwnConnection, which: ProjectionSet, generation: int) -> int:
    """Compares a generation with a fold of the whole log, built for the purpose and dropped again."""
    live = await sets.live(owner, which.name)
    other = live if live is not None and live != generation else None
    built = None
    if other is None:
        built = other = await sets.begin(owner, which, env("LEDGERDESK_DATABASE_URL"))
        await fill(which, other)
    if generation != live:
        await fill(which, generation)
    found = await sets.differences(owner, which, generation, other)
    if built is not None:
        await sets.drop(owner, which, built)
    for table, count in found.items():
        print(f"{which.name}.{table}: {'equal' if not count else f'{count} rows differ'}")
    return 1 if any(found.values()) else 0
