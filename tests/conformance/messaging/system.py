"""A small pipeline for the messaging tests: intake's store and relay, and a consumer with a policy or a read model."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from aiokafka import AIOKafkaConsumer, TopicPartition
from uuid_utils.compat import uuid7

from services.routing import policies, ticket
from services.routing.references import numbers
from services.routing.schema import MIGRATIONS
from shared.contracts.envelope import Actor, Recorded
from shared.contracts.intake import CustomerMessageReceived, TicketOpened
from shared.contracts.topics import ALL, PARTITIONS, TICKETS
from shared.database import Connection, Pool, connect_pool
from shared.directory.copy import Queues
from shared.eventstore.migrations import migrate
from shared.eventstore.runner import CommandRunner
from shared.eventstore.store import Append, Context, NewEvent, Store
from shared.messaging import topics
from shared.messaging.batching import LOW_LATENCY
from shared.messaging.clients import consumer
from shared.messaging.consuming.consumer import Consumer
from shared.messaging.consuming.handlers import Handler
from shared.messaging.consuming.policy_handler import PolicyHandler
from shared.messaging.consuming.projection import Position, Seen
from shared.messaging.relay import Relay
from shared.testing.samples import sample
from tests.servers import Kafka


@dataclass
class Service:
    """One service's database with its pool and store."""

    pool: Pool
    store: Store
    url: str


@contextlib.asynccontextmanager
async def service(postgres: Any, name: str) -> AsyncIterator[Service]:
    owner_url, app_url = postgres.database()
    await migrate(owner_url, app_url, *MIGRATIONS, Path(__file__).parent / "migrations")
    pool = await connect_pool(app_url)
    try:
        yield Service(pool, Store(pool, name), app_url)
    finally:
        await pool.close()


@contextlib.asynccontextmanager
async def running(*tasks: Any) -> AsyncIterator[None]:
    """Runs the `run` of relays and consumers until the block ends."""
    started = [asyncio.create_task(task.run()) for task in tasks]
    try:
        yield
    finally:
        for task in started:
            task.cancel()
        await asyncio.gather(*started, return_exceptions=True)


async def from_now(pool: Pool, name: str, kafka: Kafka) -> None:
    """Lets a consumer start at the present ends of the topics, because all tests share the broker."""
    await topics.ensure(kafka.admin, kafka.passwords)
    partitions = [TopicPartition(topic, p) for topic in ALL for p in range(PARTITIONS)]
    async with consumer(AIOKafkaConsumer(**kafka.admin.options)) as client:
        ends = await client.end_offsets(partitions)
    await pool.executemany(
        "INSERT INTO messaging.checkpoints VALUES ($1, $2, $3, $4)",
        [(name, p.topic, p.partition, end) for p, end in ends.items()],
    )


@dataclass
class Pair:
    """Intake and a service that reads its events, with the name of its consumer, which starts at the topics' ends."""

    intake: Service
    reader: Service
    kafka: Kafka
    name: str

    def consumer(self, handler: Handler) -> Consumer:
        return reading(self.reader, self.name, self.kafka, {TICKETS: handler})

    def relay(self) -> Relay:
        return relay(self.intake, self.kafka)


@contextlib.asynccontextmanager
async def pair(postgres: Any, kafka: Kafka) -> AsyncIterator[Pair]:
    async with service(postgres, "intake") as intake, service(postgres, "routing") as reader:
        made = Pair(intake, reader, kafka, f"routing.test-{uuid4().hex[:8]}")
        await from_now(reader.pool, made.name, kafka)
        yield made


def opened(number: str = "2026112310000018") -> TicketOpened:
    made = TicketOpened.model_validate(sample(TicketOpened))
    return made.model_copy(
        update={"number": number, "split_from": None, "also_opened": (), "state": None, "note": None}
    )


def said(text: str = "more") -> CustomerMessageReceived:
    made = CustomerMessageReceived.model_validate(sample(CustomerMessageReceived))
    return made.model_copy(
        update={
            "message": made.message.model_copy(update={"text": text, "id": uuid4()}),
            "closes": False,
            "standing": "participant",
        }
    )


async def open_tickets(intake: Store, count: int) -> list[UUID]:
    """Opens tickets, and lets each customer write once more."""
    tickets = [uuid7() for _ in range(count)]
    for n, each in enumerate(tickets):
        await intake.append([append(each, 0, opened(f"{uuid4().int % 10**16:016d}"), said(f"message {n}"))])
    return tickets


def append(stream: UUID, expected: int, *payloads: Any) -> Append:
    return Append(stream, "ticket", expected, tuple(NewEvent(p) for p in payloads), Context(Actor("customer")))


def routing_policy(store: Store, name: str, react: Any = None) -> PolicyHandler[Any, Any]:
    return PolicyHandler(
        name=name,
        runner=CommandRunner(store, "ticket", ticket),
        producers=policies.LISTENS_TO,
        react=react or policies.Policies(Queues).react,
        inline=numbers.remember,
    )


@dataclass(slots=True)
class TextRow:
    texts: tuple[str, ...] = ()
    seen: Seen = field(default_factory=dict)


class Texts:
    """A plain read model: the texts of customers for each ticket. `broken`: texts that it cannot process yet."""

    def __init__(self) -> None:
        self.broken: set[str] = set()

    async def load(self, connection: Connection, keys: Sequence[UUID]) -> dict[UUID, TextRow]:
        rows = await connection.fetch("SELECT * FROM texts WHERE stream = ANY($1)", list(keys))
        return {
            row["stream"]: TextRow(tuple(row["texts"]), {p: (v, UUID(i)) for p, (v, i) in row["seen"].items()})
            for row in rows
        }

    def apply(self, row: TextRow | None, event: Recorded, position: Position) -> TextRow:
        before = row or TextRow()
        if isinstance(event.payload, CustomerMessageReceived | TicketOpened):
            text = event.payload.message.text
            if text in self.broken or "*" in self.broken:
                raise ValueError(f"cannot take {text!r}")
            return replace(before, texts=(*before.texts, text))
        return replace(before)

    async def save(self, connection: Connection, rows: Mapping[UUID, TextRow]) -> None:
        await connection.executemany(
            "INSERT INTO texts VALUES ($1, $2, $3)"
            " ON CONFLICT (stream) DO UPDATE SET texts = excluded.texts, seen = excluded.seen",
            [(key, list(row.texts), {p: (v, str(i)) for p, (v, i) in row.seen.items()}) for key, row in rows.items()],
        )


def reading(
    one: Service, name: str, kafka: Kafka, handlers: Mapping[str, Handler], replica: str | None = None
) -> Consumer:
    return Consumer(
        name=name,
        database_url=one.url,
        pool=one.pool,
        kafka=kafka.account(one.store.service),
        handlers=handlers,
        batching=LOW_LATENCY,
        replica=replica,
    )


def relay(one: Service, kafka: Kafka) -> Relay:
    return Relay(one.store, one.url, kafka.account(one.store.service), LOW_LATENCY)
