"""Checkpoints of consumers: the next offset of each partition, in the consumer's own database.

A batch moves them in the transaction of its effects. A batch that does not start at the checkpoint is rolled back: that
fences consumers that have lost their partitions.
"""

from collections.abc import Iterable

from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.database import Connection
from shared.messaging.consuming.halting import Halt
from shared.messaging.consuming.projection import Position

LOCK = """
SELECT topic, partition, next_offset
  FROM messaging.checkpoints
 WHERE consumer = $1 AND (topic, partition) IN (SELECT * FROM unnest($2::text[], $3::integer[]))
 ORDER BY topic, partition
   FOR UPDATE
"""
CREATE = """
INSERT INTO messaging.checkpoints (consumer, topic, partition, next_offset)
SELECT $1, t, p, 0 FROM unnest($2::text[], $3::integer[]) AS c(t, p)
    ON CONFLICT DO NOTHING
"""
MOVE = """
UPDATE messaging.checkpoints c
   SET next_offset = n.next_offset
  FROM unnest($2::text[], $3::integer[], $4::bigint[]) AS n(topic, partition, next_offset)
 WHERE c.consumer = $1 AND c.topic = n.topic AND c.partition = n.partition
"""

Offsets = dict[tuple[str, int], int]
"""Topic and partition -> offset."""


class OffsetsMoved(Exception):
    """Another consumer has worked on these partitions: continue from the checkpoints."""


def spans(positions: Iterable[Position]) -> tuple[Offsets, Offsets]:
    """The first offset of each partition, and the one after the last."""
    first: Offsets = {}
    following: Offsets = {}
    for topic, partition, offset in positions:
        first.setdefault((topic, partition), offset)
        following[topic, partition] = offset + 1
    return first, following


async def lock(connection: Connection, consumer: str, first: Offsets) -> None:
    """Locks the checkpoints of a batch. Raises OffsetsMoved if the batch does not start at them."""
    rows = await connection.fetch(LOCK, consumer, [topic for topic, _ in first], [number for _, number in first])
    at = {(row["topic"], row["partition"]): row["next_offset"] for row in rows}
    if at != first:
        raise OffsetsMoved(f"checkpoints {at}, batch {first}")


async def move(connection: Connection, consumer: str, following: Offsets) -> None:
    topics, numbers = [topic for topic, _ in following], [number for _, number in following]
    await connection.execute(MOVE, consumer, topics, numbers, list(following.values()))


async def seek(
    connection: Connection, consumer: str, client: AIOKafkaConsumer, partitions: set[TopicPartition]
) -> dict[TopicPartition, int]:
    """Sets the client's positions to the checkpoints; a new checkpoint is 0. Returns the end of each partition.

    Raises Halt if a partition ends before its checkpoint.
    """
    wanted = sorted(partitions)
    topics, numbers = [p.topic for p in wanted], [p.partition for p in wanted]
    async with connection.transaction():
        await connection.execute(CREATE, consumer, topics, numbers)
        rows = await connection.fetch(LOCK, consumer, topics, numbers)
    ends: dict[TopicPartition, int] = await client.end_offsets(wanted)
    for row in rows:
        partition = TopicPartition(row["topic"], row["partition"])
        if row["next_offset"] > ends[partition]:
            raise Halt(
                f"{partition.topic}/{partition.partition} ends at {ends[partition]}, but {row['next_offset']} was "
                "reached before: the topic was lost; republish it (docs/runbooks/republish.md)"
            )
        if partition in client.assignment():  # a rebalance may have taken it meanwhile
            client.seek(partition, row["next_offset"])
    return ends
