"""The order of the feed: partitions merged by time, with no effect before its cause."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID


class Change(NamedTuple):
    """One event as the feed tells it.

    `number`: its number in the ticket's history. `cause_at`: partition and offset of the event that it follows from;
    None if the read model does not have that one.
    """

    partition: int
    position: int
    id: UUID
    ticket: UUID
    number: int
    at: datetime
    type: str
    source: str
    version: int
    actor_kind: str
    actor_id: str | None
    cause: UUID | None
    cause_at: tuple[int, int] | None


@dataclass(slots=True)
class Part:
    """The next changes of one partition, in order of offsets. `end`: the offset up to which the partition is applied.

    `whole`: there are no further changes before `end`.
    """

    partition: int
    changes: Sequence[Change]
    end: int
    whole: bool


Offsets = tuple[int, ...]


@dataclass(slots=True)
class Merging:
    """One pass over the partitions. `held` says whether an effect whose cause is not known must still wait.

    After the pass, `offsets` are the next offsets, and `at_end` tells whether it has told all there is: an effect
    that must wait does not count.
    """

    offsets: Offsets
    parts: Sequence[Part]
    held: Callable[[Change], bool]
    at_end: bool = field(default=False, init=False)

    def run(self, limit: int) -> Iterator[tuple[Change, Offsets]]:
        """At most `limit` changes, each with the offsets after it."""
        next_offsets = list(self.offsets)
        queues = {part.partition: deque(part.changes) for part in self.parts}
        unread = {part.partition for part in self.parts if not part.whole}
        for part in self.parts:
            if not part.changes and part.whole:
                next_offsets[part.partition] = max(next_offsets[part.partition], part.end)
        ends = {part.partition: part.end for part in self.parts}
        told = 0
        while told < limit:
            heads = [queue[0] for queue in queues.values() if queue]
            if not heads or any(not queues[partition] for partition in unread):
                break
            chosen = self._next(heads, next_offsets)
            if chosen is None:
                break
            queue = queues[chosen.partition]
            queue.popleft()
            whole = not queue and chosen.partition not in unread
            next_offsets[chosen.partition] = ends[chosen.partition] if whole else chosen.position + 1
            told += 1
            self.offsets = tuple(next_offsets)
            yield chosen, self.offsets
        self.offsets = tuple(next_offsets)
        left = any(queues.values()) if told == limit else False
        self.at_end = not left and all(queues[partition] for partition in unread)

    def _next(self, heads: Iterable[Change], next_offsets: Sequence[int]) -> Change | None:
        """The earliest head that need not wait. If all wait for each other, the earliest of all; None if one of them
        waits for a cause that is not known yet."""
        waiting: list[Change] = []
        free: Change | None = None
        unknown = False
        for head in heads:
            if head.cause is None or head.cause_at is None:
                if head.cause is not None and self.held(head):
                    unknown = True
                    continue
            else:
                partition, position = head.cause_at
                if partition != head.partition and next_offsets[partition] <= position:
                    waiting.append(head)
                    continue
            if free is None or _key(head) < _key(free):
                free = head
        if free is not None:
            return free
        # Only in a topic that was filled again from the stores: there, tickets follow each other in order of their ids.
        return None if unknown else min(waiting, key=_key)


def _key(change: Change) -> tuple[datetime, int]:
    return change.at, change.partition
