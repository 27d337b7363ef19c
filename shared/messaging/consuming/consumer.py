"""The consumer runner: effects, offsets and versions seen in one PostgreSQL transaction.

What counts are the checkpoints in the database. Offsets are committed to Kafka for lag monitors only.
"""

import asyncio
import contextlib
import gc
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Never

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from prometheus_client import Counter, Gauge

from shared.contracts.topics import PARTITIONS
from shared.database import Pool, connect
from shared.eventstore.runner import until_recorded
from shared.messaging.access.account import KafkaAccount
from shared.messaging.batching import Batching
from shared.messaging.clients import consumer as started
from shared.messaging.clients import limit_prefetch
from shared.messaging.consuming import checkpoints
from shared.messaging.consuming.checkpoints import OffsetsMoved
from shared.messaging.consuming.delivery import Delivered, Parked
from shared.messaging.consuming.halting import Halt, halt, wait_while_halted
from shared.messaging.consuming.handlers import Handler, Handlers, reason_of, transient
from shared.messaging.consuming.parking import park, parked_streams
from shared.messaging.consuming.parking_limit import ParkingLimit
from shared.messaging.consuming.records import RecordReader
from shared.runtime.failpoints import hit
from shared.runtime.garbage_collection import manual_collection
from shared.runtime.heartbeat import Heartbeat
from shared.runtime.supervision import supervise

log = logging.getLogger(__name__)

CONSUMED = Counter("ledgerdesk_consumer_events_total", "Records worked through", ["consumer"])
UNAUTHENTIC = Counter(
    "ledgerdesk_consumer_refused_total",
    "Records ignored, because they are not from a service that may write them",
    ["consumer"],
)
LAG = Gauge("ledgerdesk_consumer_lag", "Records of the assigned partitions that wait", ["consumer"])

CONFLICTS = 5
"""How often an event is decided again after a race with a command on the same ticket."""
LIVE_RECORDS = 500
REBUILD_RECORDS = 10_000
PIECE_RECORDS = 100
COLLECT_RECORDS = 500_000
"""Records of a rebuild between two garbage collections, each of which takes as long as some thousand events."""
FETCH_WAIT_MS = 5_000
JOINING_MS = 250
PREFETCH_SECONDS = 3_600.0
"""If fetched records stay unread for 0.1 s, aiokafka polls only the other partitions. It sends no further request until
that one ends, so new records of the first partition would wait for up to FETCH_WAIT_MS."""
AT_ONCE_SECONDS = 0.005
GATHER_MS = 10
"""Records that `getmany` returns at once were fetched during the batch before, and until they are read the client
fetches nothing more. Records that have arrived since are one request away; with this wait they join the batch."""
COMMIT_SECONDS = 10.0


class Consumer:
    """One member of a consumer group. It works through topics with one handler each."""

    def __init__(
        self,
        *,
        name: str,
        database_url: str,
        pool: Pool,
        kafka: KafkaAccount,
        handlers: Handlers,
        batching: Batching,
        replica: str | None = None,
    ) -> None:
        self.name, self.database_url, self.pool, self.kafka = name, database_url, pool, kafka
        self.handlers, self.batching, self.replica = handlers, batching, replica
        self.heartbeat = Heartbeat()
        self._records = RecordReader(kafka.keys, handlers)
        self._parking = ParkingLimit(name)
        self._positioning = asyncio.Lock()
        self.unauthentic = 0
        """Records ignored since the start, because no service may have written them."""
        self.lost: Exception | None = None
        """The error of an assignment whose checkpoints could not be read."""
        self.joined = False
        """Whether the group has assigned partitions (none, if there are more replicas than partitions)."""

    async def run(self) -> Never:
        """Runs until it is cancelled. An error starts a new run; a halt waits for an operator."""
        await supervise(f"consumer {self.name}", self._until_error, self.heartbeat)

    async def has_its_partitions(self) -> bool:
        """A worker's readiness check: False while it waits for Kafka, its group or an operator."""
        return self.joined

    async def catch_up(self) -> int:
        """Works through everything that is in the topics now; returns how many records that were.

        It takes every partition, without a group; the checkpoints fence other consumers of the same name. While
        PostgreSQL stores one batch, the next one is decoded in pieces, so that PostgreSQL gets its next statement in
        between.
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
                            deliveries += self._records.read_batch(piece)
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
        await wait_while_halted(self.pool, self.name, self.heartbeat)
        try:
            await self._consume()
        except Halt as error:
            await halt(self.pool, self.name, str(error))

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
        reported = time.monotonic()
        while True:
            deliveries = await self._next_batch(client)
            if self.lost is not None:
                raise self.lost
            began = time.monotonic()
            if deliveries:
                await self._work(client, deliveries)
                CONSUMED.labels(self.name).inc(len(deliveries))
            self.heartbeat.beat()
            if time.monotonic() - reported > COMMIT_SECONDS:
                reported = time.monotonic()
                await self._report_lag(client)
            if 0 < len(deliveries) < LIVE_RECORDS:
                await asyncio.sleep(self.batching.delay(time.monotonic() - began))

    async def _next_batch(self, client: AIOKafkaConsumer) -> list[Delivered]:
        """The next records; none if nothing came for some seconds, or while the consumer has no partitions yet."""
        asked = time.monotonic()
        wait = FETCH_WAIT_MS if self.joined else JOINING_MS  # an error of a rebalance is then noticed soon
        batch = await client.getmany(timeout_ms=wait, max_records=LIVE_RECORDS)
        found = self._records.read_batch(batch)
        at_once = time.monotonic() - asked < AT_ONCE_SECONDS
        # Not during a rebalance: the client would wait for its end. An error here comes again at the next call.
        if 0 < len(found) < LIVE_RECORDS and at_once and self.joined:
            with contextlib.suppress(KafkaError):
                later = await client.getmany(timeout_ms=GATHER_MS, max_records=LIVE_RECORDS - len(found))
                found += self._records.read_batch(later)
        return found

    async def _report_lag(self, client: AIOKafkaConsumer) -> None:
        """For monitors: the lag as a metric, and the positions as offsets committed to Kafka."""
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
                await self._alone(delivery)
            except (Halt, OffsetsMoved):
                raise
            except Exception as error:
                if transient(error):
                    raise
                log.exception(
                    "consumer %s fails on ticket %s", self.name, delivery.key, extra={"ticket": str(delivery.key)}
                )
                await self._park_alone(delivery, reason_of(error))

    async def _alone(self, delivery: Delivered) -> None:
        """A conflict with an agent's command on the same ticket is not poison: decides again on the newer state."""
        await until_recorded(lambda: self._transaction([delivery]), CONFLICTS)

    async def _park_alone(self, delivery: Delivered, reason: str) -> None:
        first, following = checkpoints.spans([delivery.position])
        async with self.pool.acquire() as connection, connection.transaction():
            await checkpoints.lock(connection, self.name, first)
            await park(connection, self.name, [Parked(delivery, reason, new=True)])
            await checkpoints.move(connection, self.name, following)
        self._parking.count(1)

    async def _transaction(self, deliveries: Sequence[Delivered]) -> None:
        to_park: list[Parked] = []
        worked: list[Handler] = []
        first, following = checkpoints.spans(delivery.position for delivery in deliveries)
        async with self.pool.acquire() as connection:
            async with connection.transaction():
                await checkpoints.lock(connection, self.name, first)
                authentic = [d for d in deliveries if not d.unauthentic]
                parked = await parked_streams(connection, self.name, list({d.key for d in authentic}))
                for topic, handler in self.handlers.items():
                    part = [d for d in authentic if d.position.topic == topic] if len(self.handlers) > 1 else authentic
                    if part:
                        to_park += await handler.work(connection, part, parked)
                        worked.append(handler)
                new = [each.reason for each in to_park if each.new]
                self._parking.check(len(new), new[-1] if new else "")
                await park(connection, self.name, to_park)
                await checkpoints.move(connection, self.name, following)
                hit("consumer.before_commit")
            hit("consumer.after_commit")
        if len(authentic) < len(deliveries):
            self._report_unauthentic([d for d in deliveries if d.unauthentic])
        for handler in worked:
            handler.committed()
        self._parking.count(len(new))

    def _report_unauthentic(self, ignored: Sequence[Delivered]) -> None:
        """One line for a batch, because there may be many such records. They stay in the topic."""
        self.unauthentic += len(ignored)
        UNAUTHENTIC.labels(self.name).inc(len(ignored))
        topic, partition, offset = ignored[0].position
        log.error(
            "consumer %s ignores %d records that are not from a service that may write them, the first at %s/%d "
            "offset %d: %s",
            self.name,
            len(ignored),
            topic,
            partition,
            offset,
            ignored[0].unauthentic,
        )

    async def to_checkpoints(self, client: AIOKafkaConsumer, partitions: set[TopicPartition]) -> None:
        """Continues from the checkpoints, read on a connection of its own, because a rebalance runs beside the loop.

        The partitions are paused meanwhile. A broker answers the requests of a connection one after the other, so the
        request for the ends would wait for FETCH_WAIT_MS behind a fetch that finds nothing.
        """
        async with self._positioning:
            client.pause(*(partitions & client.assignment()))
            connection = await connect(self.database_url)
            try:
                assigned = partitions & client.assignment()
                if assigned:
                    ends = await checkpoints.seek(connection, self.name, client, assigned)
                    await self._records.load_unsigned(connection, ends)
            finally:
                await connection.close()
            client.resume(*(partitions & client.assignment()))


class _SeekToCheckpoints(ConsumerRebalanceListener):  # type: ignore[misc]
    """Positions newly assigned partitions."""

    def __init__(self, consumer: Consumer, client: AIOKafkaConsumer) -> None:
        self.consumer, self.client = consumer, client

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """There is nothing to hand over: the checkpoints are in the database."""
        self.consumer.joined = False

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        log.info("consumer %s has %d partitions", self.consumer.name, len(assigned))
        try:
            await self.consumer.to_checkpoints(self.client, assigned)
        except Exception as error:
            # The loop raises it, and halts or starts again. The client would only log it, and a partition without new
            # records has no batch that would differ from the checkpoint.
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
