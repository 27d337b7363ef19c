"""Kafka records as deliveries: decoded, and checked for the service that wrote them (docs/decisions/0076)."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from aiokafka import ConsumerRecord, TopicPartition
from asyncpg.pgproto.pgproto import UUID as QuickUUID

from shared.contracts.envelope import Recorded
from shared.contracts.event import registered
from shared.database import Connection
from shared.messaging.access.authenticity import HEADER, EventKeys, NotAuthentic
from shared.messaging.consuming.checkpoints import Offsets
from shared.messaging.consuming.delivery import Delivered, read
from shared.messaging.consuming.handlers import Handlers
from shared.messaging.consuming.projection import Position

# An end that is not known yet is set now: no relay of an older version can write unsigned records any more, for its
# broker requires a sign-in.
SET_UNSIGNED = """
UPDATE messaging.unsigned u
   SET until = n.until
  FROM unnest($1::text[], $2::integer[], $3::bigint[]) AS n(topic, partition, until)
 WHERE u.topic = n.topic AND u.partition = n.partition AND u.until IS NULL
"""
UNSIGNED = "SELECT topic, partition, until FROM messaging.unsigned WHERE until IS NOT NULL"


class RecordReader:
    """Reads the records of one consumer.

    `unsigned`: records before these offsets were written before signatures existed, and are accepted without one.
    """

    def __init__(self, keys: EventKeys, handlers: Handlers) -> None:
        self.keys, self.handlers = keys, handlers
        self.unsigned: Offsets = {}

    def read(self, record: ConsumerRecord) -> Delivered:
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
                author = self.keys.author(record.topic, name, value, header)
            elif record.offset >= self.unsigned.get((record.topic, record.partition), 0):
                raise NotAuthentic("it is not signed")
            delivered = read(position, key, value, self.handlers[record.topic].producers)
            if delivered.event is not None:
                _must_own(author or delivered.event.producer, delivered.event, record.topic)
            return delivered
        except NotAuthentic as error:
            return Delivered(position, key, value, None, unauthentic=str(error))

    def read_batch(self, batch: Mapping[TopicPartition, Sequence[ConsumerRecord]]) -> list[Delivered]:
        return [self.read(record) for partition in sorted(batch) for record in batch[partition]]

    async def load_unsigned(self, connection: Connection, ends: Mapping[TopicPartition, int]) -> None:
        """Loads `unsigned`. Where it is not known yet, it is the present end of the partition."""
        topics, numbers = [p.topic for p in ends], [p.partition for p in ends]
        await connection.execute(SET_UNSIGNED, topics, numbers, list(ends.values()))
        for row in await connection.fetch(UNSIGNED):
            self.unsigned[row["topic"], row["partition"]] = row["until"]


def _must_own(author: str, event: Recorded, topic: str) -> None:
    """Raises NotAuthentic for an event in another service's name, or of a type that its author does not write there."""
    if event.source != f"/services/{author}":
        raise NotAuthentic(f"{author} has written it in the name of {event.source[:80]}")
    known = registered(event.type)
    if known is not None and (author, topic) != (known.OWNER, known.TOPIC):
        raise NotAuthentic(f"{author} does not write {event.type} to {topic}")
