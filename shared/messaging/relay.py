"""The relay sends a service's outbox to Kafka, in order.

Rows may be sent again, in order; consumers recognise them by the stream version. No event is lost or reordered. If
Kafka refuses a record for good, its stream is parked and all others continue (docs/decisions/0078).
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Never
from uuid import UUID

import asyncpg
from aiokafka import AIOKafkaProducer
from prometheus_client import Counter, Gauge

from shared.contracts.envelope import encode_stored
from shared.contracts.event import Unknown
from shared.contracts.topics import BY_CATEGORY, DIRECTORY
from shared.database import OwnConnection, connect
from shared.eventstore.store import Store, envelope_of
from shared.messaging.access.account import KafkaAccount
from shared.messaging.access.authenticity import HEADER, EventKeys
from shared.messaging.announcing import CHANNEL, notify_relays
from shared.messaging.batching import Batching
from shared.messaging.clients import SEND_SECONDS, producer
from shared.messaging.operating.refused import REFUSALS, hold
from shared.runtime.failpoints import hit
from shared.runtime.heartbeat import Heartbeat
from shared.runtime.supervision import supervise
from shared.runtime.waiting import set_within

log = logging.getLogger(__name__)

PUBLISHED = Counter("ledgerdesk_relay_published_total", "Events that Kafka confirmed", ["service"])
WAITING = Gauge("ledgerdesk_relay_waiting", "Rows in the last batch read from the outbox", ["service"])

SHARDS = 4
BATCH = 500
FALLBACK_SECONDS = 2.0
TRY_SHARDS_SECONDS = 5.0

READ = """
SELECT o.position, s.category, e.stream_id, e.version, e.occurred_at, e.recorded_at, e.event_id, e.correlation_id,
       e.causation_id, e.type, e.actor_kind, e.actor_id, e.traceparent, e.data::text AS data
  FROM es.outbox o
  JOIN es.events e USING (stream_id, version)
  JOIN es.streams s USING (stream_id)
 WHERE o.shard = ANY($1::smallint[])
   AND NOT EXISTS (SELECT FROM es.refused r WHERE r.stream_id = o.stream_id)
 ORDER BY o.position
 LIMIT $2
"""
DELETE = "DELETE FROM es.outbox WHERE position = ANY($1::bigint[])"
ALONE_BYTES = 64 * 1024
"""A message of this size or more is confirmed before the next one is sent. If it were refused, a later one could
already be in the log."""
TRIES = 3
"""After so many refusals a record counts as refused for good."""
LOCK_SPACE = 0x0B0C  # the first key of the advisory locks; the second one is the shard


class ShardsDiffer(Exception):
    """The outbox has another number of shards than this relay serves: nobody would send the rows of some."""


class Relay:
    """Serves every shard that no other replica holds.

    The connection that reads and deletes the rows of a shard holds its advisory lock.
    """

    def __init__(self, store: Store, database_url: str, kafka: KafkaAccount, batching: Batching) -> None:
        self.store, self.database_url, self.kafka, self.batching = store, database_url, kafka, batching
        self.held: list[int] = []
        self.heartbeat = Heartbeat()

    async def run(self) -> Never:
        """Runs until it is cancelled. After an error it starts again with a new producer and a new connection."""
        await supervise(f"relay of {self.store.service}", self._serve, self.heartbeat)

    async def _serve(self) -> None:
        connection = await connect(self.database_url)
        try:
            shards = await connection.fetchval("SELECT es.shards()")
            if shards != SHARDS:
                raise ShardsDiffer(
                    f"the outbox has {shards} shards, this relay serves {SHARDS}: update the one that is older"
                )
            self.held = []
            await connection.add_listener(CHANNEL, lambda *_: self.store.appended.set_by_other())
            await self._take_shards(connection)
            while True:
                async with self._producer() as client:
                    rows = await self._empty(connection, client)
                await self._one_by_one(connection, rows)
        finally:
            self.held = []
            connection.terminate()

    def _producer(self) -> AbstractAsyncContextManager[AIOKafkaProducer]:
        return producer(self.kafka, f"{self.store.service}-relay")

    async def _take_shards(self, connection: OwnConnection) -> None:
        for shard in range(SHARDS):
            if shard not in self.held and await connection.fetchval(
                "SELECT pg_try_advisory_lock($1, $2)", LOCK_SPACE, shard
            ):
                self.held.append(shard)

    async def _empty(self, connection: OwnConnection, client: AIOKafkaProducer) -> Sequence[asyncpg.Record]:
        """Sends the rows of the outbox until Kafka refuses one of a batch; returns that batch."""
        loop = asyncio.get_running_loop()
        tried = loop.time()
        while True:
            ours = self.store.appended.take()
            began = loop.time()
            if len(self.held) < SHARDS and loop.time() - tried > TRY_SHARDS_SECONDS:
                await self._take_shards(connection)
                tried = loop.time()
            notified = ours and len(self.held) < SHARDS  # another relay may hold the shards of some rows
            if notified:
                await notify_relays(connection)
            rows = await connection.fetch(READ, self.held, BATCH) if self.held else []
            WAITING.labels(self.store.service).set(len(rows))
            if rows:
                try:
                    await self._publish(connection, client, rows)
                except REFUSALS as error:
                    log.warning("Kafka refuses one of %d records of %s: %s", len(rows), self.store.service, error)
                    return rows
            self.heartbeat.beat()
            if len(rows) == BATCH:
                continue
            if rows or notified:
                await asyncio.sleep(self.batching.delay(loop.time() - began))
            await set_within(self.store.appended, FALLBACK_SECONDS if self.held else TRY_SHARDS_SECONDS)

    async def _publish(
        self, connection: OwnConnection, client: AIOKafkaProducer, rows: Sequence[asyncpg.Record]
    ) -> None:
        hit("relay.before_send")
        await publish(client, [message(row, self.kafka.keys) for row in rows])
        hit("relay.after_ack")
        await connection.execute(DELETE, [row["position"] for row in rows])
        hit("relay.after_delete")
        PUBLISHED.labels(self.store.service).inc(len(rows))

    async def _one_by_one(self, connection: OwnConnection, rows: Sequence[asyncpg.Record]) -> None:
        """Sends each row by itself, to find the one that is refused; that row's stream is parked.

        After a refusal a new producer is needed: the broker does not accept the old one's next sequence number.
        """
        waiting, held, refused = deque(rows), set[UUID](), 0
        while waiting:
            async with self._producer() as client:
                while waiting:
                    self.heartbeat.beat()
                    row = waiting[0]
                    if row["stream_id"] not in held:
                        try:
                            await self._publish(connection, client, [row])
                        except REFUSALS as error:
                            refused += 1
                            if refused == TRIES:
                                await self._hold(connection, row, f"{type(error).__name__}: {error}")
                                held.add(row["stream_id"])
                            break
                    waiting.popleft()
                    refused = 0

    async def _hold(self, connection: OwnConnection, row: asyncpg.Record, reason: str) -> None:
        log.critical(
            "Kafka refuses version %d of a stream of %s, which waits until an operator replays it: %s",
            row["version"],
            self.store.service,
            reason,
            extra={"ticket": str(row["stream_id"])},
        )
        await hold(connection, self.store.service, row["stream_id"], row["version"], reason)


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """One Kafka message as it will be sent."""

    topic: str
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...]


def message(row: asyncpg.Record, keys: EventKeys) -> OutgoingMessage:
    """The message of a stored event of the keys' service.

    The data is passed on as it was stored: an older relay removes nothing from a newer event.
    """
    event = envelope_of(row, keys.service, Unknown(data={}))
    topic = BY_CATEGORY.get(row["category"], DIRECTORY)
    key = str(event.stream).encode()
    value = encode_stored(event, row["data"].encode())
    headers = [(HEADER, keys.sign(topic, key, value))]
    if event.traceparent:
        headers.append(("traceparent", event.traceparent.encode()))
    return OutgoingMessage(topic, key, value, tuple(headers))


async def publish(client: AIOKafkaProducer, messages: Sequence[OutgoingMessage]) -> None:
    """Sends messages in their order and waits until Kafka has confirmed each. Raises TimeoutError."""
    async with asyncio.timeout(SEND_SECONDS):
        confirmations: list[Awaitable[object]] = []
        for each in messages:
            alone = len(each.value) >= ALONE_BYTES
            if alone:
                await asyncio.gather(*confirmations)
                confirmations.clear()
            confirmations.append(await client.send(each.topic, each.value, key=each.key, headers=list(each.headers)))
            if alone:
                await confirmations.pop()
        await asyncio.gather(*confirmations)
