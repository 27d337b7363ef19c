"""The command line that every service has: run in a role, migrate, look after parked tickets.

`migrate` runs at every start of every service: nothing else is imported for the migrations.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg

from shared.eventstore.migrations import MigrationError, migrate
from shared.settings import SettingMissing, env

if TYPE_CHECKING:
    from shared.http.health import Health
    from shared.http.server import Process, Role
    from shared.messaging.parking_commands import MakeHandlers


@dataclass(frozen=True, slots=True)
class Service:
    """What a service's process runs, and the consumers whose parked tickets can be replayed."""

    make: Callable[[Role, Health], AbstractAsyncContextManager[Process]]
    consumers: Mapping[str, MakeHandlers]


def main(name: str, migrations: Sequence[Path], load: Callable[[], Service]) -> int:
    """Carries out one command; answers the exit status. `load` imports the service itself."""
    parser = argparse.ArgumentParser(prog=f"python -m services.{name}")
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
    replay.add_argument("consumer")
    replay.add_argument("ticket", help="the ticket's id, or `all`")
    resume = commands.add_parser("resume", help="let a halted consumer go on")
    resume.add_argument("consumer")
    arguments = parser.parse_args()
    try:
        if arguments.command == "migrate":
            return asyncio.run(_migrate(migrations))
        service = load()
        if arguments.command in ("replay", "resume") and arguments.consumer not in service.consumers:
            known = ", ".join(sorted(service.consumers))
            parser.error(f"{name} has no consumer {arguments.consumer!r} (choose from {known or 'none'})")
        return _carry_out(name, service, arguments)
    except SettingMissing as error:
        print(f"{name} {arguments.command}: {error}", file=sys.stderr)
        return 1


def _carry_out(name: str, service: Service, arguments: argparse.Namespace) -> int:
    from shared.http.server import run_process
    from shared.messaging import parking_commands

    match arguments.command:
        case "api" | "worker" | "all" as role:
            run_process(name, role, service.make)
            return 0
        case "parked":
            return asyncio.run(parking_commands.parked())
        case "replay":
            consumer = arguments.consumer
            handlers = service.consumers[consumer]
            return asyncio.run(parking_commands.replay(name, consumer, handlers, arguments.ticket))
        case _:
            return asyncio.run(parking_commands.resume(arguments.consumer))


async def _migrate(migrations: Sequence[Path]) -> int:
    try:
        done = await migrate(env("LEDGERDESK_DATABASE_OWNER_URL"), env("LEDGERDESK_DATABASE_URL"), *migrations)
    except (MigrationError, asyncpg.PostgresError, OSError) as error:
        print(f"cannot migrate: {str(error) or type(error).__name__}", file=sys.stderr)
        return 1
    for name in done:
        print(f"applied {name}")
    return 0
