"""The command line that every service has: run in a role, migrate, look after parked tickets.

`migrate` runs at every start of every service: nothing else is imported for the migrations.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg

from shared.eventstore.migrations import MigrationError, migrate
from shared.settings import SettingMissing, env

if TYPE_CHECKING:
    from shared.http.serving.health import Health
    from shared.http.serving.process import Process, Role
    from shared.messaging.operating.commands import MakeHandlers, Parker


@dataclass(frozen=True, slots=True)
class Service:
    """What the command line needs of a service.

    `make`: its process. `consumer`: the handlers of a consumer whose parked tickets are replayed, by its name; None if
    there is no such consumer. `parkers`: the other parts of the service that park streams, by name.
    """

    make: Callable[[Role, Health], AbstractAsyncContextManager[Process]]
    consumer: Callable[[str], MakeHandlers | None]
    parkers: Mapping[str, Parker] = field(default_factory=dict)


def main(name: str, migrations: Sequence[Path], load: Callable[[], Service], more: str = "") -> int:
    """Carries out one command; answers the exit status. `load` imports the service itself.

    `more` ends the help: it names the commands that only this service has.
    """
    parser = argparse.ArgumentParser(prog=f"python -m services.{name}", epilog=more)
    commands = parser.add_subparsers(dest="command", required=True)
    for role, meaning in (
        ("api", "serve HTTP"),
        ("worker", "run the relay, consumers and timers"),
        ("all", "both in one process"),
        ("migrate", "bring the database up to date"),
        ("parked", "list what is parked and waits for an operator"),
    ):
        commands.add_parser(role, help=meaning)
    replay = commands.add_parser("replay", help="work through a parked ticket after the fix")
    replay.add_argument("consumer", help="who has parked it, as `parked` tells")
    replay.add_argument("ticket", help="the ticket's id, or `all`")
    resume = commands.add_parser("resume", help="let a halted consumer go on")
    resume.add_argument("consumer")
    arguments = parser.parse_args()
    try:
        if arguments.command == "migrate":
            return asyncio.run(_migrate(migrations))
        service = load()
        return _carry_out(name, service, arguments)
    except _NoSuch as error:
        parser.error(str(error))
    except SettingMissing as error:
        print(f"{name} {arguments.command}: {error}", file=sys.stderr)
        return 1


class _NoSuch(Exception):
    """An operator has named what this service does not have."""


def _carry_out(name: str, service: Service, arguments: argparse.Namespace) -> int:
    from shared.http.serving.process import run_process
    from shared.messaging.operating import commands as parking_commands

    match arguments.command:
        case "api" | "worker" | "all" as role:
            run_process(name, role, service.make)
            return 0
        case "parked":
            return asyncio.run(parking_commands.parked(service.parkers))
        case "replay" if (parker := parking_commands.with_relay(service.parkers).get(arguments.consumer)) is not None:
            return asyncio.run(parking_commands.replay_parked(parker, arguments.ticket))
        case _:
            consumer = arguments.consumer
            if (handlers := service.consumer(consumer)) is None:
                raise _NoSuch(f"{name} has no consumer {consumer!r}: `parked` tells who has parked what")
            if arguments.command == "resume":
                return asyncio.run(parking_commands.resume(consumer))
            return asyncio.run(parking_commands.replay(name, consumer, handlers, arguments.ticket))


async def _migrate(migrations: Sequence[Path]) -> int:
    try:
        done = await migrate(env("LEDGERDESK_DATABASE_OWNER_URL"), env("LEDGERDESK_DATABASE_URL"), *migrations)
    except (MigrationError, asyncpg.PostgresError, OSError) as error:
        print(f"cannot migrate: {str(error) or type(error).__name__}", file=sys.stderr)
        return 1
    for name in done:
        print(f"applied {name}")
    return 0
