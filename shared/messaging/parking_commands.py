"""What an operator does about parked tickets on a service's command line: list them, replay them after the fix, let a consumer go on."""

import sys
from collections.abc import Callable, Mapping
from typing import TypeAlias
from uuid import UUID

from shared.database import connect_pool
from shared.eventstore.store import Store
from shared.messaging import parking
from shared.messaging.handlers import Handler
from shared.settings import env

MakeHandlers: TypeAlias = Callable[[Store], Mapping[str, Handler]]
"""A consumer's handlers by topic, over its service's event store."""


async def parked() -> int:
    """Prints what is parked and which consumers are halted; answers the exit status, as all of these do."""
    pool = await connect_pool(env("LEDGERDESK_DATABASE_URL"), smallest=1, largest=1)
    for each in await parking.parked(pool):
        print(
            f"{each.consumer}  {each.stream}  {each.events} events since {each.since:%Y-%m-%d %H:%M:%S}  {each.reason}"
        )
    for row in await pool.fetch("SELECT consumer, reason, halted_at FROM messaging.halted ORDER BY consumer"):
        print(f"{row['consumer']}  HALTED since {row['halted_at']:%Y-%m-%d %H:%M:%S}  {row['reason']}")
    await pool.close()
    return 0


async def replay(service: str, consumer: str, make: MakeHandlers, ticket: str) -> int:
    """Works through one parked ticket (its id), or `all` that the consumer has."""
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


async def resume(consumer: str) -> int:
    pool = await connect_pool(env("LEDGERDESK_DATABASE_URL"), smallest=1, largest=1)
    print(f"{consumer} resumed" if await parking.resume(pool, consumer) else f"{consumer} was not halted")
    await pool.close()
    return 0
