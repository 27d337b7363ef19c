"""Fills lost topics again from the event stores (docs/runbooks/republish.md).

    python -m shared.messaging.republish intake=postgresql://... routing=... notify=... gateway=... reporting=...

The services' events of each ticket are merged so that an effect never comes before its cause, as in the lost topic.
Every consumer then starts at offset 0 and recognises by the stream versions what it has seen.
"""

import argparse
import asyncio
import heapq
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from itertools import count
from uuid import UUID

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from shared.contracts.envelope import Recorded
from shared.contracts.event import Unknown
from shared.contracts.topics import ALL, PARTITIONS
from shared.database import OwnConnection, connect
from shared.eventstore.store import envelope_of
from shared.messaging import topics
from shared.messaging.access.account import KafkaAdmin
from shared.messaging.access.authenticity import EventKeys
from shared.messaging.clients import consumer, producer
from shared.messaging.relay import LOCK_SPACE, SHARDS, OutgoingMessage, message, publish
from shared.settings import env

READ = """
SELECT s.category, e.stream_id, e.version, e.occurred_at, e.recorded_at, e.event_id, e.correlation_id, e.causation_id,
       e.type, e.actor_kind, e.actor_id, e.traceparent, e.data::text AS data
  FROM es.events e
  JOIN es.streams s USING (stream_id)
  LEFT JOIN es.refused r USING (stream_id)
 WHERE r.version IS NULL OR e.version < r.version  -- the others wait in the outbox
 ORDER BY e.stream_id, e.version
"""
RESET = "UPDATE messaging.checkpoints SET next_offset = 0"
RESUME = "DELETE FROM messaging.halted"
RELEASE = "DELETE FROM messaging.parked"
"""Parked events come again, at other offsets. Rows from the lost topic would be out of order or taken for one of them."""
ALL_SIGNED = "DELETE FROM messaging.unsigned"
RENEW_PLACES = "SELECT projections.topic_republished()"
"""Offsets mean other events from now on: places in the event feed are unknown."""
RENEW_SECONDS = 6 * 3600.0
"""It writes each row of a history."""
BATCH = 1_000


class CannotRepublish(Exception):
    """The system is not in the state that republishing needs; the message says what to do."""


Stored = tuple[Recorded, OutgoingMessage]


def merged(streams: Sequence[Sequence[Stored]]) -> list[Stored]:
    """The events of one stream id of several services, in the order of the topic.

    Each service's events are in version order, and no effect comes before its cause; otherwise the time of recording
    decides.
    """
    known = {event.id for stream in streams for event, _ in stream}
    done: set[UUID] = set()
    positions = [0] * len(streams)
    merged_events: list[Stored] = []
    while len(merged_events) < len(known):
        heads = [(i, stream[positions[i]]) for i, stream in enumerate(streams) if positions[i] < len(stream)]
        free = [h for h in heads if h[1][0].causation_id not in known or h[1][0].causation_id in done]
        index, chosen = min(free or heads, key=lambda head: (head[1][0].recorded_at, head[1][0].source))
        positions[index] += 1
        done.add(chosen[0].id)
        merged_events.append(chosen)
    return merged_events


async def _stored(connection: OwnConnection, keys: EventKeys) -> AsyncIterator[Stored]:
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        async for row in connection.cursor(READ, prefetch=2_000):
            yield envelope_of(row, keys.service, Unknown(data={})), message(row, keys)


async def _by_stream(connections: Mapping[str, OwnConnection], secret: str) -> AsyncIterator[list[list[Stored]]]:
    """All services' events of one stream id at a time, in id order. Holds no more than that in memory."""
    sources = [_stored(connection, EventKeys.derived(secret, service)) for service, connection in connections.items()]
    tie = count()
    heap: list[tuple[UUID, int, Stored, AsyncIterator[Stored]]] = []

    async def push(source: AsyncIterator[Stored]) -> None:
        item = await anext(source, None)
        if item is not None:
            heapq.heappush(heap, (item[0].stream, next(tie), item, source))

    for source in sources:
        await push(source)
    while heap:
        stream = heap[0][0]
        parts: dict[str, list[Stored]] = {}
        while heap and heap[0][0] == stream:
            _, _, item, source = heapq.heappop(heap)
            parts.setdefault(item[0].source, []).append(item)
            await push(source)
        yield list(parts.values())


async def republish(stores: Mapping[str, str], kafka: KafkaAdmin, secret: str, *, replication: int = 1) -> int:
    """Creates missing topics, sends every stored event and resets every consumer; returns the number of events.

    `stores`: service -> database URL of a role that may change `messaging.checkpoints` (the service's own). `secret`:
    the instance's secret that the services' event keys were derived from. Raises CannotRepublish if a topic is not
    empty or a relay runs.
    """
    await topics.ensure(kafka, {}, replication=replication)
    await _must_be_empty(kafka)
    connections = {service: await connect(url) for service, url in stores.items()}
    try:
        with_events: dict[str, OwnConnection] = {}
        for service, connection in connections.items():
            if await connection.fetchval("SELECT to_regclass('es.outbox')") is not None:
                await _stop_relay(connection, service)
                with_events[service] = connection
        total = 0
        async with producer(kafka, "republish") as client:
            waiting: list[OutgoingMessage] = []
            async for streams in _by_stream(with_events, secret):
                waiting += [outgoing for _, outgoing in merged(streams)]
                if len(waiting) >= BATCH:
                    total += await _send(client, waiting)
            total += await _send(client, waiting)
        for connection in connections.values():
            await connection.execute(RESET)
            await connection.execute(RESUME)
            await connection.execute(RELEASE)
            # A backup may be older than this table.
            if await connection.fetchval("SELECT to_regclass('messaging.unsigned')") is not None:
                await connection.execute(ALL_SIGNED)
            if await connection.fetchval("SELECT to_regprocedure('projections.topic_republished()')") is not None:
                await connection.execute(RENEW_PLACES, timeout=RENEW_SECONDS)
        return total
    finally:
        for connection in connections.values():
            await connection.close()


async def _send(client: AIOKafkaProducer, waiting: list[OutgoingMessage]) -> int:
    sent = len(waiting)
    await publish(client, waiting)
    waiting.clear()
    return sent


async def _stop_relay(connection: OwnConnection, service: str) -> None:
    for shard in range(SHARDS):
        if not await connection.fetchval("SELECT pg_try_advisory_lock($1, $2)", LOCK_SPACE, shard):
            raise CannotRepublish(f"a relay of {service} is running: stop the workers first")


async def _must_be_empty(kafka: KafkaAdmin) -> None:
    partitions = [TopicPartition(topic, p) for topic in ALL for p in range(PARTITIONS)]
    async with consumer(AIOKafkaConsumer(**kafka.options)) as client:
        ends = await client.end_offsets(partitions)
    full = sorted({partition.topic for partition, end in ends.items() if end})
    if full:
        raise CannotRepublish(
            f"{', '.join(full)} is not empty: delete the topic first, or there is nothing to republish"
        )


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m shared.messaging.republish")
    parser.add_argument("stores", nargs="+", metavar="service=postgresql://...")
    stores = dict(item.split("=", 1) for item in parser.parse_args(arguments).stores)
    try:
        total = asyncio.run(
            republish(
                stores,
                KafkaAdmin.read(),
                env("LEDGERDESK_EVENT_SECRET"),
                replication=int(env("LEDGERDESK_KAFKA_REPLICATION", "1")),
            )
        )
    except (CannotRepublish, topics.WrongTopic, asyncpg.PostgresError, KafkaError, OSError) as error:
        print(str(error) or type(error).__name__, file=sys.stderr)
        return 1
    print(f"{total} events republished")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
