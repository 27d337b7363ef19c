"""Commands of operators for parked tickets and halted consumers, on a service's command line: list, replay, resume."""

import sys
from collections.abc import Callable, Mapping
from typing import Protocol, TypeAlias
from uuid import UUID

from shared.database import Pool, connect_pool
from shared.eventstore.store import Store
from shared.messaging.consuming import halting, parking
from shared.messaging.consuming.handlers import Handler
from shared.messaging.consuming.parking import ParkedStream, StillBroken
from shared.messaging.operating.refused import Refused
from shared.settings import env

MakeHandlers: TypeAlias = Callable[[Store], Mapping[str, Handler]]
"""A consumer's handlers by topic, over its service's event store."""


class Parker(Protocol):
    """A part of a service, other than a consumer, that parks streams."""

    async def parked(self, pool: Pool) -> list[ParkedStream]: ...

    async def replay(self, pool: Pool, stream: UUID) -> int:
        """Works through the waiting events of a stream; returns how many. Raises StillBroken."""
        ...


class _Parked:
    """What one consumer has parked."""

    def __init__(self, service: str, consumer: str, make: MakeHandlers) -> None:
        self.service, self.consumer, self.make = service, consumer, make

    async def parked(self, pool: Pool) -> list[ParkedStream]:
        return [each for each in await parking.parked(pool) if each.by == self.consumer]

    async def replay(self, pool: Pool, stream: UUID) -> int:
        topic = await pool.fetchval(TOPIC, self.consumer, stream)
        if topic is None:
            return 0  # another operator has replayed it meanwhile
        return await parking.replay(pool, self.consumer, self.make(Store(pool, self.service))[topic], stream)


RELAY = "relay"
TOPIC = "SELECT topic FROM messaging.parked WHERE consumer = $1 AND stream = $2 LIMIT 1"


def with_relay(parkers: Mapping[str, Parker]) -> dict[str, Parker]:
    """Everything except consumers that parks streams, by name: every service has a relay."""
    return {RELAY: Refused(), **parkers}


async def parked(parkers: Mapping[str, Parker]) -> int:
    """Prints parked streams and halted consumers. Returns the exit status, as all of these commands do."""
    pool = await connect_pool(env("LEDGERDESK_DATABASE_URL"), smallest=1, largest=1)
    found = await parking.parked(pool)
    for parker in with_relay(parkers).values():
        found += await parker.parked(pool)
    for each in found:
        print(f"{each.by}  {each.stream}  {each.events} events since {each.since:%Y-%m-%d %H:%M:%S}  {each.reason}")
    for row in await pool.fetch("SELECT consumer, reason, halted_at FROM messaging.halted ORDER BY consumer"):
        print(f"{row['consumer']}  HALTED since {row['halted_at']:%Y-%m-%d %H:%M:%S}  {row['reason']}")
    await pool.close()
    return 0


async def replay(service: str, consumer: str, make: MakeHandlers, ticket: str) -> int:
    """Replays one ticket (its id) that a consumer has parked, or `all`."""
    return await replay_parked(_Parked(service, consumer, make), ticket)


async def replay_parked(parker: Parker, ticket: str) -> int:
    """The same for any part that parks streams."""
    pool = await connect_pool(env("LEDGERDESK_DATABASE_URL"), smallest=1, largest=2)
    failed = 0
    for each in await parker.parked(pool):
        if ticket not in ("all", str(each.stream)):
            continue
        try:
            print(f"{each.stream}: {await parker.replay(pool, each.stream)} events replayed")
        except StillBroken as error:
            failed += 1
            print(f"{each.stream}: stays parked: {error}", file=sys.stderr)
    await pool.close()
    return 1 if failed else 0


async def resume(consumer: str) -> int:
    pool = await connect_pool(env("LEDGERDESK_DATABASE_URL"), smallest=1, largest=1)
    print(f"{consumer} resumed" if await halting.resume(pool, consumer) else f"{consumer} was not halted")
    await pool.close()
    return 0
