"""The consumer runner (architecture, section 5): effect, offset and versions seen in one PostgreSQL transaction.

Kafka's own committed offsets are written for lag monitors only; what counts is `messaging.checkpoints`. A record whose offset is
not the checkpoint's rolls the batch back and seeks: that fences zombies and rebalances.
"""

import asyncio
import contextlib
import gc
import logging
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Never
from uuid import UUID

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from asyncpg.pgproto.pgproto import UUID as QuickUUID
from prometheus_client import Counter, Gauge

from shared.contracts.envelope import Recorded
from shared.contracts.event import registered
from shared.contracts.topics import PARTITIONS
from shared.database import Connection, Pool, connect
from shared.eventstore.runner import until_recorded
from shared.messaging.access.account import KafkaAccount
from shared.messaging.access.authenticity import HEADER, NotAuthentic
from shared.messaging.batching import Batching
from shared.messaging.clients import consumer as started
from shared.messaging.clients import limit_prefetch
from shared.messaging.delivery import Delivered, Parked, read
from shared.messaging.handlers import Handler, transient
from shared.messaging.projection import Position
from shared.runtime.garbage_collection import manual_collection
from shared.runtime.heartbeat import Heartbeat
from shared.runtime.supervision import supervise
from shared.testing.failpoints import hit

log = logging.getLogger(__name__)

CONSUMED = Counter("ledgerdesk_consumer_events_total", "Records worked through", ["consumer"])
REFUSED = Counter(
    "ledgerdesk_consumer_refused_total",
    "Records passed over, for they are not from a service that may write them",
    ["consumer"],
)
PARKED = Counter("ledgerdesk_consumer_parked_total", "Tickets newly parked", ["consumer"])
LAG = Gauge("ledgerdesk_consumer_lag", "Records of the assigned partitions that wait", ["consumer"])
HALTED = Gauge("ledgerdesk_consumer_halted", "1 while the consumer waits for an operator", ["consumer"])

CONFLICTS = 5
"""Times that an event is decided again after a race with a command on the same ticket."""
LIVE_RECORDS = 500
REBUILD_RECORDS = 10_000
PIECE_RECORDS = 100
COLLECT_RECORDS = 500_000
"""Records of a rebuild between two looks for cycles: such a look takes as long as some thousand events."""
FETCH_WAIT_MS = 5_000
JOINING_MS = 250
PREFETCH_SECONDS = 3_600.0
"""aiokafka fetches for the other partitions when what it has brought was not taken for 0.1 s, and asks for nothing else until that
request ends: what comes in meanwhile for the partition that was left out would wait for up to FETCH_WAIT_MS."""
AT_ONCE_SECONDS = 0.005
GATHER_MS = 10
"""What `getmany` answers at once was fetched while the round before was worked on, and stops the client from asking again until it is
taken. What has come in since is one more request away: waited for so long, it shares the round instead of missing one."""
COMMIT_SECONDS = 10.0
HALT_POLL_SECONDS = 5.0
PARKED_A_MINUTE = 20
"""More newly parked tickets than this in a minute is a bad deploy, not bad data: the consumer halts."""

CHECKPOINTS = """
SELECT topic, partition, next_offset
  FROM messaging.checkpoints
 WHERE consumer = $1 AND (topic, partition) IN (SELECT * FROM unnest($2::text[], $3::integer[]))
 ORDER BY topic, partition
   FOR UPDATE
"""
FIRST_CHECKPOINTS = """
INSERT INTO messaging.checkpoints (consumer, topic, partition, next_offset)
SELECT $1, t, p, 0 FROM unnest($2::text[], $3::integer[]) AS c(t, p)
    ON CONFLICT DO NOTHING
"""
MOVE_CHECKPOINTS = """
UPDATE messaging.checkpoints c
   SET next_offset = n.next_offset
  FROM unnest($2::text[], $3::integer[], $4::bigint[]) AS n(topic, partition, next_offset)
 WHERE c.consumer = $1 AND c.topic = n.topic AND c.partition = n.partition
"""
# FOR UPDATE: an operator's replay of the same ticket and this batch take turns.
PARKED_STREAMS = """
SELECT stream FROM messaging.parked WHERE consumer = $1 AND stream = ANY($2) ORDER BY stream, topic, partition, "offset" FOR UPDATE
"""
PARK = """
INSERT INTO messaging.parked (consumer, stream, topic, partition, "offset", value, reason)
VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT DO NOTHING
"""
# While it is not known no relay of an older version can write any more: its broker asks for a sign-in.
FIND_UNSIGNED = """
UPDATE messaging.unsigned u
   SET until = n.until
  FROM unnest($1::text[], $2::integer[], $3::bigint[]) AS n(topic, partition, until)
 WHERE u.topic = n.topic AND u.partition = n.partition AND u.until IS NULL
"""
UNSIGNED = "SELECT topic, partition, until FROM messaging.unsigned WHERE until IS NOT NULL"
HALT = "INSERT INTO messaging.halted (consumer, reason) VALUES ($1, $2) ON CONFLICT (consumer) DO NOTHING"


Offsets = dict[tuple[str, int], int]
"""Topic and partition -> offset."""


class OffsetsMoved(Exception):
    """Somebody else has worked on these partitions since: take up from the checkpoints."""


class Halt(Exception):
    """The consumer must not go on until an operator says so."""


class Consumer:
    """One consumer group member that works through topics with one handler each."""

    def __init__(
        self,
        *,
        name: str,
        database_url: str,
        pool: Pool,
        kafka: KafkaAccount,
        handlers: Mapping[str, Handler],
        batching: Batching,
        replica: str | None = None,
    ) -> None:
        self.name, self.database_url, self.pool, self.kafka = name, database_url, pool, kafka
        self.handlers, self.batching, self.replica = handlers, batching, replica
        self.heartbeat = Heartbeat()
        self._parks: deque[float] = deque()
        self._positioning = asyncio.Lock()
        self._unsigned: Offsets = {}
        self.refused = 0
        """Records that were passed over since the start, for they were not from a service that may write them."""
        self.lost: Exception | None = None
        self.joined = False
        """Whether its group has told it which partitions are its own (none, where there are more replicas than partitions)."""

    async def run(self) -> Never:
        """Never ends by itself: an error ends the run and starts a new one; a halt waits for an operator."""
        await supervise(f"consumer {self.name}", self._until_error, self.heartbeat)

    async def has_its_partitions(self) -> bool:
        """A readiness check of a worker: not while it waits for Kafka, for its group or for an operator."""
        return self.joined

    async def catch_up(self) -> int:
        """Works through everything that stands in the topics now, then ends; answers how many records that were.

        Outside of the group: it takes every partition, and the checkpoints fence whoever else would. While PostgreSQL takes one batch in,
        the next one is read, in pieces, so that PostgreSQL gets its next statement in between.
        """
        client = AIOKafkaConsumer(
            **self.kafka.options,
            client_id=self.name,
            enable_auto_commit=False,
            max_partition_fetch_bytes=4 * 1024 * 1024,
        )
        count = 0
        with manual_collection():
            async with started(client):
                partitions = {TopicPartition(topic, number) for topic in self.handlers for number in range(PARTITIONS)}
                ends = await client.end_offsets(list(partitions))
                client.assign(list(partitions))
                await self.to_checkpoints(client, partitions)
                working: asyncio.Task[None] | None = None
                collected = 0
                try:
                    while any([await client.position(p) < ends[p] for p in partitions]):
                        batch = await client.getmany(timeout_ms=200, max_records=REBUILD_RECORDS)
                        deliveries: list[Delivered] = []
                        for piece in _pieces(batch):
                            deliveries += self._deliveries(piece)
                            await asyncio.sleep(0)
                        if working is not None:
                            await working
                        working = asyncio.create_task(self._work(client, deliveries)) if deliveries else None
                        count += len(deliveries)
                        if working is not None and not any([await client.position(p) < ends[p] for p in partitions]):
                            await working  # it may have gone back to a checkpoint
                        if count - collected > COLLECT_RECORDS:
                            collected = count
                            gc.collect()
                finally:
                    if working is not None:
                        await asyncio.wait({working})
        return count

    async def _until_error(self) -> None:
        self.lost = None
        await self._wait_while_halted()
        try:
            await self._consume()
        except Halt as error:
            log.critical("consumer %s halts until an operator resumes it: %s", self.name, error)
            await self.pool.execute(HALT, self.name, str(error))

    async def _wait_while_halted(self) -> None:
        while (
            reason := await self.pool.fetchval("SELECT reason FROM messaging.halted WHERE consumer = $1", self.name)
        ) is not None:
            HALTED.labels(self.name).set(1)
            log.error("consumer %s is halted: %s", self.name, reason)
            self.heartbeat.beat()
            await asyncio.sleep(HALT_POLL_SECONDS)
        HALTED.labels(self.name).set(0)

    async def _consume(self) -> Never:
        client = AIOKafkaConsumer(
            **self.kafka.options,
            client_id=self.name,
            group_id=f"ledgerdesk.{self.name}",
            group_instance_id=f"{self.name}.{self.replica}" if self.replica else None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=10_000,
            heartbeat_interval_ms=3_000,
            fetch_max_wait_ms=FETCH_WAIT_MS,
            max_partition_fetch_bytes=4 * 1024 * 1024,
            max_poll_interval_ms=300_000,
        )
        client.subscribe(list(self.handlers), listener=_SeekToCheckpoints(self, client))
        try:
            async with started(client):
                limit_prefetch(client, PREFETCH_SECONDS)
                await self._loop(client)
        finally:
            self.joined = False

    async def _loop(self, client: AIOKafkaConsumer) -> Never:
        told = time.monotonic()
        while True:
            deliveries = await self._waiting(client)
            if self.lost is not None:
                raise self.lost
            began = time.monotonic()
            if deliveries:
                await self._work(client, deliveries)
                CONSUMED.labels(self.name).inc(len(deliveries))
            self.heartbeat.beat()
            if time.monotonic() - told > COMMIT_SECONDS:
                told = time.monotonic()
                await self._tell_lag(client)
            if 0 < len(deliveries) < LIVE_RECORDS:
                await asyncio.sleep(self.batching.delay(time.monotonic() - began))

    async def _waiting(self, client: AIOKafkaConsumer) -> list[Delivered]:
        """The next records; none when nothing came for some seconds, or while the consumer has no partitions yet."""
        asked = time.monotonic()
        wait = FETCH_WAIT_MS if self.joined else JOINING_MS  # what a rebalance has met is then soon looked at
        batch = await client.getmany(timeout_ms=wait, max_records=LIVE_RECORDS)
        found = self._deliveries(batch)
        at_once = time.monotonic() - asked < AT_ONCE_SECONDS
        # Not in a rebalance, for whose end the client would wait; an error there comes again at the next call.
        if 0 < len(found) < LIVE_RECORDS and at_once and self.joined:
            with contextlib.suppress(KafkaError):
                later = await client.getmany(timeout_ms=GATHER_MS, max_records=LIVE_RECORDS - len(found))
                found += self._deliveries(later)
        return found

    def _deliveries(self, batch: Mapping[TopicPartition, Sequence[ConsumerRecord]]) -> list[Delivered]:
        return [self._delivery(record) for partition in sorted(batch) for record in batch[partition]]

    def _delivery(self, record: ConsumerRecord) -> Delivered:
        position = Position(record.topic, record.partition, record.offset)
        name, value = record.key or b"", record.value or b""
        try:
            key: UUID = QuickUUID(name.decode())
        except ValueError:
            key = UUID(int=0)
        author = None
        try:
            header = next((content for header, content in record.headers if header == HEADER), None)
            if header is not None:
                author = self.kafka.keys.author(record.topic, name, value, header)
            elif record.offset >= self._unsigned.get((record.topic, record.partition), 0):
                raise NotAuthentic("it is not signed")
            delivered = read(position, key, value, self.handlers[record.topic].producers)
            if delivered.event is not None:
                _must_own(author or delivered.event.producer, delivered.event, record.topic)
            return delivered
        except NotAuthentic as error:
            return Delivered(position, key, value, None, refused=str(error))

    async def _tell_lag(self, client: AIOKafkaConsumer) -> None:
        """For monitors: the lag as a metric, and the positions as Kafka's committed offsets."""
        positions: dict[TopicPartition, int] = {}
        lag = 0
        for partition in client.assignment():
            high = client.highwater(partition)
            if high is not None:
                positions[partition] = await client.position(partition)
                lag += max(0, high - positions[partition])
        LAG.labels(self.name).set(lag)
        if positions:
            with contextlib.suppress(KafkaError, TimeoutError):
                async with asyncio.timeout(5):
                    await client.commit(positions)

    async def _work(self, client: AIOKafkaConsumer, deliveries: Sequence[Delivered]) -> None:
        partitions = {TopicPartition(d.position.topic, d.position.partition) for d in deliveries}
        try:
            await self._transaction(deliveries)
        except OffsetsMoved:
            await self.to_checkpoints(client, partitions)
        except Halt:
            raise
        except Exception as error:
            if transient(error):
                raise
            log.warning(
                "consumer %s takes a batch of %d event by event: %s: %s",
                self.name,
                len(deliveries),
                type(error).__name__,
                error,
            )
            try:
                await self._one_by_one(deliveries)
            except OffsetsMoved:
                await self.to_checkpoints(client, partitions)

    async def _one_by_one(self, deliveries: Sequence[Delivered]) -> None:
        for delivery in deliveries:
            try:
                await self._patiently(delivery)
            except (Halt, OffsetsMoved):
                raise
            except Exception as error:
                if transient(error):
                    raise
                log.exception(
                    "consumer %s parks ticket %s", self.name, delivery.key, extra={"ticket": str(delivery.key)}
                )
                await self._park_alone(delivery, f"{type(error).__name__}: {error}"[:2000])

    async def _patiently(self, delivery: Delivered) -> None:
        """A conflict with a person's command on the same ticket is no poison: it is decided again on the newer state."""
        await until_recorded(lambda: self._transaction([delivery]), CONFLICTS)

    async def _park_alone(self, delivery: Delivered, reason: str) -> None:
        first, following = _spans([delivery])
        async with self.pool.acquire() as connection, connection.transaction():
            await self._lock_checkpoints(connection, first)
            await self._put_aside(connection, [Parked(delivery, reason, new=True)])
            await self._move_checkpoints(connection, following)
        self._count_parked(1)

    async def _transaction(self, deliveries: Sequence[Delivered]) -> None:
        aside: list[Parked] = []
        worked: list[Handler] = []
        first, following = _spans(deliveries)
        async with self.pool.acquire() as connection:
            async with connection.transaction():
                await self._lock_checkpoints(connection, first)
                genuine = [d for d in deliveries if not d.refused]
                keys = list({d.key for d in genuine})
                parked: set[UUID] = {row["stream"] for row in await connection.fetch(PARKED_STREAMS, self.name, keys)}
                for topic, handler in self.handlers.items():
                    part = [d for d in genuine if d.position.topic == topic] if len(self.handlers) > 1 else genuine
                    if part:
                        aside += await handler.work(connection, part, parked)
                        worked.append(handler)
                fresh = sum(each.new for each in aside)
                if fresh and self._too_many(fresh):
                    raise Halt(
                        f"more than {PARKED_A_MINUTE} tickets would have been parked within a minute, last because of: "
                        f"{next(each.reason for each in reversed(aside) if each.new)}"
                    )
                await self._put_aside(connection, aside)
                await self._move_checkpoints(connection, following)
                hit("consumer.before_commit")
            hit("consumer.after_commit")
        if len(genuine) < len(deliveries):
            self._tell_refused([d for d in deliveries if d.refused])
        for handler in worked:
            handler.committed()
        self._count_parked(fresh)

    async def _lock_checkpoints(self, connection: Connection, first: Offsets) -> None:
        rows = await connection.fetch(CHECKPOINTS, self.name, [t for t, _ in first], [p for _, p in first])
        at = {(row["topic"], row["partition"]): row["next_offset"] for row in rows}
        if at != first:
            raise OffsetsMoved(f"checkpoints {at}, batch {first}")

    async def _move_checkpoints(self, connection: Connection, following: Offsets) -> None:
        await connection.execute(
            MOVE_CHECKPOINTS,
            self.name,
            [t for t, _ in following],
            [p for _, p in following],
            list(following.values()),
        )

    async def _put_aside(self, connection: Connection, aside: Sequence[Parked]) -> None:
        for each in aside:
            d = each.delivery
            if each.new:
                log.error(
                    "consumer %s parks ticket %s: %s", self.name, d.key, each.reason, extra={"ticket": str(d.key)}
                )
            await connection.execute(
                PARK, self.name, d.key, d.position.topic, d.position.partition, d.position.offset, d.value, each.reason
            )

    def _tell_refused(self, refused: Sequence[Delivered]) -> None:
        """One line for a batch: whoever writes such records may write many. They stay in the topic for whoever looks into it."""
        self.refused += len(refused)
        REFUSED.labels(self.name).inc(len(refused))
        topic, partition, offset = refused[0].position
        log.error(
            "consumer %s passes over %d records that are not from a service that may write them, the first at %s/%d offset %d: %s",
            self.name,
            len(refused),
            topic,
            partition,
            offset,
            refused[0].refused,
        )

    def _too_many(self, fresh: int) -> bool:
        now = time.monotonic()
        while self._parks and now - self._parks[0] > 60:
            self._parks.popleft()
        return len(self._parks) + fresh > PARKED_A_MINUTE

    def _count_parked(self, fresh: int) -> None:
        if fresh:
            self._parks.extend([time.monotonic()] * fresh)
            PARKED.labels(self.name).inc(fresh)
            if len(self._parks) > PARKED_A_MINUTE and self._too_many(0):
                raise Halt(f"more than {PARKED_A_MINUTE} tickets were parked within a minute")

    async def to_checkpoints(self, client: AIOKafkaConsumer, partitions: set[TopicPartition]) -> None:
        """`seek_to_checkpoints`, on a connection of its own, for a rebalance runs beside the loop.

        Of them nothing more is fetched meanwhile: a broker answers one request of a connection after the other, so that the question for the ends would
        wait behind a fetch that finds nothing, for FETCH_WAIT_MS.
        """
        async with self._positioning:
            client.pause(*(partitions & client.assignment()))
            connection = await connect(self.database_url)
            try:
                wanted = partitions & client.assignment()
                self._unsigned |= await seek_to_checkpoints(connection, self.name, client, wanted)
            finally:
                await connection.close()
            client.resume(*(partitions & client.assignment()))


async def seek_to_checkpoints(
    connection: Connection, name: str, client: AIOKafkaConsumer, partitions: set[TopicPartition]
) -> Offsets:
    """Sets the positions of partitions to their checkpoints, made at 0 where there is none. Raises Halt when a topic is shorter.

    Answers up to where records without a signature are believed.
    """
    if not partitions:
        return {}
    wanted = sorted(partitions)
    topics, numbers = [p.topic for p in wanted], [p.partition for p in wanted]
    async with connection.transaction():
        await connection.execute(FIRST_CHECKPOINTS, name, topics, numbers)
        rows = await connection.fetch(CHECKPOINTS, name, topics, numbers)
    ends = await client.end_offsets(wanted)
    for row in rows:
        partition = TopicPartition(row["topic"], row["partition"])
        if row["next_offset"] > ends[partition]:
            raise Halt(
                f"{partition.topic}/{partition.partition} ends at {ends[partition]}, but {row['next_offset']} was reached before: the topic "
                "was lost; republish it (docs/runbooks/republish.md)"
            )
        if partition in client.assignment():  # a rebalance may have taken it meanwhile
            client.seek(partition, row["next_offset"])
    await connection.execute(FIND_UNSIGNED, topics, numbers, [ends[partition] for partition in wanted])
    return {(row["topic"], row["partition"]): row["until"] for row in await connection.fetch(UNSIGNED)}


class _SeekToCheckpoints(ConsumerRebalanceListener):  # type: ignore[misc]
    """Positions newly assigned partitions."""

    def __init__(self, consumer: Consumer, client: AIOKafkaConsumer) -> None:
        self.consumer, self.client = consumer, client

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Nothing to hand over: the checkpoints are in the database."""
        self.consumer.joined = False

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        log.info("consumer %s has %d partitions", self.consumer.name, len(assigned))
        try:
            await self.consumer.to_checkpoints(self.client, assigned)
        except Exception as error:
            # Raised in the loop, which halts or begins anew: the client would only log it, and an empty topic has no batch whose offsets
            # would differ.
            self.consumer.lost = error
        else:
            self.consumer.joined = True


def _pieces(
    batch: Mapping[TopicPartition, Sequence[ConsumerRecord]],
) -> Iterator[dict[TopicPartition, Sequence[ConsumerRecord]]]:
    """The records of a batch, a few at a time, in their order."""
    for partition in sorted(batch):
        for first in range(0, len(batch[partition]), PIECE_RECORDS):
            yield {partition: batch[partition][first : first + PIECE_RECORDS]}


def _spans(deliveries: Sequence[Delivered]) -> tuple[Offsets, Offsets]:
    """The first offset of each partition, and the one after the last."""
    first: Offsets = {}
    following: Offsets = {}
    for delivery in deliveries:
        topic, partition, offset = delivery.position
        place = topic, partition
        if place not in first:
            first[place] = offset
        following[place] = offset + 1
    return first, following


def _must_own(author: str, event: Recorded, topic: str) -> None:
    """Raises NotAuthentic for an event in another service's name, or of a type that its author does not write there."""
    if event.source != f"/services/{author}":
        raise NotAuthentic(f"{author} has written it in the name of {event.source[:80]}")
    known = registered(event.type)
    if known is not None and (author, topic) != (known.OWNER, known.TOPIC):
        raise NotAuthentic(f"{author} does not write {event.type} to {topic}")
