"""The command line that every service has: run in a role, migrate, look after parked tickets."""

import argparse
import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from uuid import UUID

import asyncpg

from shared.database import connect_pool
from shared.eventstore.migrations import MigrationError, migrate
from shared.eventstore.store import Store
from shared.http.health import Health
from shared.http.server import Process, Role, run_process
from shared.messaging import parking
from shared.messaging.handlers import Handler
from shared.settings import SettingMissing, env

Make = Callable[[Role, Health], AbstractAsyncContextManager[Process]]
MakeHandlers = Callable[[Store], Mapping[str, Handler]]


def main(service: str, make: Make, migrations: Sequence[Path], consumers: Mapping[str, MakeHandlers]) -> int:
    """Carries out one command; answers the exit status. `consumers` are those whose parked tickets can be replayed."""
    parser = argparse.ArgumentParser(prog=f"python -m services.{service}")
    commands = parser.add_subparsers(dest="command", required=True)
    for role, meaning in (
        ("api", "serve HTTP"),
        ("worker", "run the relay, consumers and timers"),
        ("all", "both in one process"),
        ("migrate", "bring the database up to date"),
        ("parked", "list what consumers have put aside"),
    ):
        commands.add_parser(role, help=meaning)
    replay = commands.add_parser("replay", help="work through a parked ticket after the fix")
    replay.add_argument("consumer", choices=sorted(consumers))
    replay.add_argument("ticket", help="the ticket's id, or `all`")
    resume = commands.add_parser("resume", help="let a halted consumer go on")
    resume.add_argument("consumer", choices=sorted(consumers))
    arguments = parser.parse_args()
    try:
        return _carry_out(service, arguments, make, migrations, consumers)
    except SettingMissing as error:
        print(f"{service} {arguments.command}: {error}", file=sys.stderr)
        return 1


def _carry_out(
    service: str,
    arguments: argparse.Namespace,
    make: Make,
    migrations: Sequence[Path],
    consumers: Mapping[str, MakeHandlers],
) -> int:
    match arguments.command:
        case "api" | "worker" | "all" as role:
            run_process(service, role, make)
            return 0
        case "migrate":
            return asyncio.run(_migrate(migrations))
        case "parked":
            return asyncio.run(_parked())
        case "replay":
            return asyncio.run(_replay(service, arguments.consumer, consumers[arguments.consumer], arguments.ticket))
        case _:
            return asyncio.run(_resume(arguments.consumer))


async def _migrate(migrations: Sequence[Path]) -> int:
    try:
        done = await migrate(env("LEDGERDESK_DATABASE_OWNER_URL"), env("LEDGERDESK_DATABASE_URL"), *migrations)
    except (MigrationError, asyncpg.PostgresError, OSError) as error:
        print(f"cannot migrate: {error or type(error).__name__}", file=sys.stderr)
        return 1
    for name in done:
        print(f"applied {name}")
    return 0


async def _parked() -> int:
    pool = await connect_pool(env("LEDGERDESK_DATABASE_URL"), smallest=1, largest=1)
    for each in await parking.parked(pool):
        print(
            f"{each.consumer}  {each.stream}  {each.events} events since {each.since:%Y-%m-%d %H:%M:%S}  {each.reason}"
        )
    for row in await pool.fetch("SELECT consumer, reason, halted_at FROM messaging.halted ORDER BY consumer"):
        print(f"{row['consumer']}  HALTED since {row['halted_at']:%Y-%m-%d %H:%M:%S}  {row['reason']}")
    await pool.close()
    return 0


async def _replay(service: str, consumer: str, make: MakeHandlers, ticket: str) -> int:
    pool = await connect_pool(env("LEDGERDESK_DATABASE_URL"), smallest=1, largest=2)
    topics = make(Store(pool, service))
    failed = 0
    for each in await parking.parked(pool):
        if each.consumer != consumer or ticket not in ("all", str(each.stream)):
            continue
        topic = await pool.fetchval(
            "SELECT topic FROM messaging.parked WHERE consumer = $1 AND stream = $2 LIMIT 1",
            consumer,
            UUID(str(each.stream)),
        )
        try:
            print(f"{each.stream}: {await parking.replay(pool, consumer, topics[topic], each.stream)} events replayed")
        except parking.StillBroken as error:
            failed += 1
            print(f"{each.stream}: stays parked: {error}", file=sys.stderr)
    await pool.close()
    return 1 if failed else 0


async def _resume(consumer: str) -> int:
    pool = await connect_pool(env("LEDGERDESK_DATABASE_URL"), smallest=1, largest=1)
    print(f"{consumer} resumed" if await parking.resume(pool, consumer) else f"{consumer} was not halted")
    await pool.close()
    return 0
