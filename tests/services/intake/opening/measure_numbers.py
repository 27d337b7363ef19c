"""Measures the cost of ticket numbers in three ways (decision record 0021): `python -m
tests.services.intake.opening.measure_numbers URL`.

URL is a superuser's; a database is made there and dropped. Prints appends per second at 16 at once.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
from uuid_utils.compat import uuid7

from services.intake.records import numbers
from services.intake.records.numbers import TAKE, Numbers
from services.intake.schema import MIGRATIONS
from shared.contracts.envelope import Actor
from shared.contracts.intake import TicketOpened
from shared.contracts.parts import CustomerRef, Message, QueueRef
from shared.database import connect_pool
from shared.eventstore.migrations import migrate
from shared.eventstore.store import Append, Context, NewEvent, Store
from tests.conftest import Databases

AT_ONCE = 16
TICKETS = 3_000
CUSTOMER = CustomerRef(id=UUID(int=1), email="per@customer.example")
QUEUE = QueueRef(id=UUID(int=2), slug="it", name="IT support")
CONTEXT = Context(actor=Actor("system"))


def opening(number: str) -> Append:
    message = Message(id=uuid7(), channel="email", text="Since this morning it hums. " * 10)
    opened = TicketOpened(
        number=number, title="My computer hums", queue=QUEUE, customer=CUSTOMER, channel="email", message=message
    )
    return Append(uuid7(), "ticket", 0, (NewEvent(opened),), CONTEXT)


async def rate(one: Callable[[], Awaitable[object]]) -> float:
    left = iter(range(TICKETS))

    async def worker() -> None:
        for _ in left:
            await one()

    started = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
    return TICKETS / (time.perf_counter() - started)


async def measure(url: str) -> None:
    owner_url, app_url = await Databases(url)._make("measure_numbers")
    await migrate(owner_url, app_url, *MIGRATIONS)
    pool = await connect_pool(app_url, smallest=8, largest=8)
    store = Store(pool, "intake")
    source = Numbers(pool, ZoneInfo("UTC"))

    async def from_blocks() -> None:
        await store.append([opening(await source.next())])

    async def in_the_transaction() -> None:
        async with pool.acquire() as connection, connection.transaction():
            counter = await connection.fetchval(TAKE, source.today(), 1)
            await store.append([opening(f"x{counter}")], connection=connection)

    for _ in range(2):
        for name, one, largest in (
            ("blocks of up to 32", from_blocks, 32),
            ("a statement of its own", from_blocks, 1),
            ("in the append's transaction", in_the_transaction, 1),
        ):
            numbers.LARGEST = largest
            print(f"{name:<30} {await rate(one):7.0f} /s")
    await pool.close()
    connection = await asyncpg.connect(url)
    name = app_url.rpartition("/")[2]
    await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    await connection.close()


if __name__ == "__main__":
    asyncio.run(measure(sys.argv[1]))
