"""A lost topic: consumers halt, it is filled again from the event stores, nothing is done twice, all rows stay the
same.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from shared.contracts.envelope import decode
from shared.contracts.topics import ALL, PARTITIONS, TICKETS
from shared.messaging import topics
from shared.messaging.consuming import parking
from shared.messaging.consuming.projection_handler import ProjectionHandler
from shared.messaging.operating.refused import Refused
from shared.messaging.republish import CannotRepublish, republish
from shared.testing.progress import until
from shared.testing.streams import load_many
from tests import servers
from tests.conformance.messaging.system import (
    Service,
    Texts,
    append,
    open_tickets,
    reading,
    relay,
    routing_policy,
    running,
    said,
    service,
)
from tests.servers import Kafka


@pytest.fixture
def own_kafka(tmp_path: Path) -> Iterator[Kafka]:
    """A broker of the test's own, because its topics are deleted."""
    with servers.kafka(tmp_path) as broker:
        yield broker


@pytest.fixture
async def services(postgres: Any) -> AsyncIterator[tuple[Service, Service]]:
    async with service(postgres, "intake") as intake, service(postgres, "routing") as routing:
        yield intake, routing


async def test_a_lost_topic_is_republished_from_the_stores(services: tuple[Service, Service], own_kafka: Kafka) -> None:
    intake, routing = services
    await topics.ensure(own_kafka.admin, own_kafka.passwords)
    tickets = await open_tickets(intake.store, 25)
    policy = {TICKETS: routing_policy(routing.store, "routing.policy")}
    texts = {TICKETS: ProjectionHandler(Texts())}
    stores = {"intake": intake.url, "routing": routing.url}

    async def caught_up() -> bool:
        rows = await routing.pool.fetch("SELECT cardinality(texts) AS n FROM texts")
        outboxes = [await each.pool.fetchval("SELECT count(*) FROM es.outbox") for each in services]
        all_written = [row["n"] for row in rows] == [2] * len(tickets) and outboxes == [0, 0]
        return all_written and await _at_the_end(routing, own_kafka)

    consumers = [
        reading(routing, "routing.policy", own_kafka, policy),
        reading(routing, "routing.texts", own_kafka, texts),
    ]
    async with running(relay(intake, own_kafka), relay(routing, own_kafka), *consumers):
        await until(caught_up)
        with pytest.raises(CannotRepublish, match="not empty"):
            await republish(stores, own_kafka.admin, own_kafka.secret)
    # Parked events come again too, at other offsets.
    park = "INSERT INTO messaging.parked VALUES ('routing.policy', $1, $2, 0, 0, '', 'a bug that was mended')"
    await routing.pool.execute(park, tickets[0], TICKETS)
    before = await load_many(routing.store, tickets)
    rows = await routing.pool.fetch("SELECT * FROM texts ORDER BY stream")

    await _delete_topics(own_kafka)
    await topics.ensure(own_kafka.admin, own_kafka.passwords)
    async with running(reading(routing, "routing.policy", own_kafka, policy)):
        halted = "SELECT reason FROM messaging.halted WHERE consumer = 'routing.policy'"
        assert "the topic was lost" in await until(lambda: routing.pool.fetchval(halted))

    async with running(relay(intake, own_kafka)):
        with pytest.raises(CannotRepublish, match="stop the workers first"):
            await until(lambda: _refused(stores, own_kafka))
    events = await republish(stores, own_kafka.admin, own_kafka.secret)
    streams = [stream for each in services for stream in (await load_many(each.store, tickets)).values()]
    assert events == sum(map(len, streams))
    await _effects_follow_their_causes(own_kafka)

    consumers = [
        reading(routing, "routing.policy", own_kafka, policy),
        reading(routing, "routing.texts", own_kafka, texts),
    ]
    async with running(*consumers):
        await until(lambda: _at_the_end(routing, own_kafka))
    assert await routing.pool.fetch("SELECT * FROM messaging.parked") == []
    assert await load_many(routing.store, tickets) == before
    assert await routing.pool.fetch("SELECT * FROM texts ORDER BY stream") == rows


async def test_parked_and_refused_events_keep_their_order_after_a_republish(
    services: tuple[Service, Service], own_kafka: Kafka
) -> None:
    intake, routing = services
    await topics.ensure(own_kafka.admin, own_kafka.passwords)
    model = Texts()
    model.broken = {"message 0"}
    handlers = {TICKETS: ProjectionHandler(model)}
    parked_one, refused_one, other = await open_tickets(intake.store, 3)

    async def parked(count: int) -> bool:
        return [each.events for each in await parking.parked(routing.pool)] == [count]

    async def texts(ticket: UUID) -> list[str]:
        found: list[str] = await routing.pool.fetchval("SELECT texts FROM texts WHERE stream = $1", ticket)
        return found[1:]

    async with running(relay(intake, own_kafka), reading(routing, "routing-texts", own_kafka, handlers)):
        await until(lambda: parked(1))
        for n in range(4):
            await intake.store.append([append(parked_one, 2 + n, said(f"more {n}"))])
        await until(lambda: parked(5))
        await until(lambda: _at_the_end(routing, own_kafka))
    await intake.pool.execute("INSERT INTO es.refused VALUES ($1, 3, 'too large')", refused_one)
    await intake.store.append([append(refused_one, 2, said("too large"), said("behind it"))])
    await _delete_topics(own_kafka)
    assert await republish({"intake": intake.url, "routing": routing.url}, own_kafka.admin, own_kafka.secret) == 10

    async with running(relay(intake, own_kafka), reading(routing, "routing-texts", own_kafka, handlers)):
        await until(lambda: parked(5))  # its events of the ticket, and no others
        model.broken = set()
        assert await parking.replay(routing.pool, "routing-texts", handlers[TICKETS], parked_one) == 5
        assert await texts(parked_one) == ["message 0", *(f"more {n}" for n in range(4))]
        assert (await texts(refused_one), await texts(other)) == (["message 1"], ["message 2"])
        await Refused().replay(intake.pool, refused_one)

        async def all_there() -> bool:
            return await texts(refused_one) == ["message 1", "too large", "behind it"]

        await until(all_there)


async def _refused(stores: dict[str, str], kafka: Kafka) -> bool:
    """Republishes as soon as the relay has its locks, which must be refused."""
    return bool(await republish(stores, kafka.admin, kafka.secret))


async def _delete_topics(kafka: Kafka) -> None:
    admin = AIOKafkaAdminClient(**kafka.admin.options)
    await admin.start()
    await admin.delete_topics(list(ALL))

    async def gone() -> bool:
        return not set(ALL) & set(await admin.list_topics())

    await until(gone)
    await admin.close()


async def _at_the_end(routing: Service, kafka: Kafka) -> bool:
    client = AIOKafkaConsumer(**kafka.admin.options)
    await client.start()
    ends = await client.end_offsets([TopicPartition(TICKETS, p) for p in range(PARTITIONS)])
    await client.stop()
    rows = await routing.pool.fetch(
        "SELECT topic, partition, next_offset FROM messaging.checkpoints WHERE topic = $1", TICKETS
    )
    return all(row["next_offset"] == ends[TopicPartition(row["topic"], row["partition"])] for row in rows)


async def _effects_follow_their_causes(kafka: Kafka) -> None:
    client = AIOKafkaConsumer(**kafka.admin.options, auto_offset_reset="earliest")
    await client.start()
    partitions = [TopicPartition(TICKETS, p) for p in range(PARTITIONS)]
    client.assign(partitions)
    ends = await client.end_offsets(partitions)
    seen: set[UUID] = set()
    versions: dict[tuple[str, UUID], int] = {}
    while True:
        positions = await asyncio.gather(*(client.position(p) for p in partitions))
        if list(positions) == [ends[p] for p in partitions]:
            break
        for records in (await client.getmany(timeout_ms=500)).values():
            for event in (decode(record.value) for record in records):
                assert event.causation_id is None or event.causation_id in seen
                assert event.version == versions.get((event.source, event.stream), 0) + 1
                versions[event.source, event.stream] = event.version
                seen.add(event.id)
    await client.stop()
    assert seen
