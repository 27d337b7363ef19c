"""One event on its way to a handler, and the rules that every handler shares: duplicates, forks, holes."""

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple
from uuid import UUID

from shared.contracts.envelope import Recorded, decode
from shared.messaging.projection import Position, Seen


class Delivered(NamedTuple):
    """A record of the topic. `event` is None and `unreadable` says why when it could not be decoded."""

    position: Position
    key: UUID
    value: bytes
    event: Recorded | None
    unreadable: str = ""


def read(position: Position, key: UUID, value: bytes, producers: frozenset[str] | None) -> Delivered:
    """A record of the topic as a delivery; the payload of a producer that is not named stays unread."""
    try:
        event = decode(value, producers)
        if event.stream != key:
            raise ValueError(f"its key is {key}, its subject {event.stream}")
        return Delivered(position, key, value, event)
    except Exception as error:
        return Delivered(position, key, value, None, f"cannot be read: {type(error).__name__}: {error}"[:2000])


@dataclass(frozen=True, slots=True)
class Parked:
    """A delivery that is put aside, with the reason for the operator."""

    delivery: Delivered
    reason: str
    new: bool


class Next(Enum):
    TAKE = "take"
    SKIP = "skip"
    HOLE = "hole"


class ForkedStream(Exception):
    """Two different events have the same version in one stream: the log contradicts itself, nobody may go on."""


def order(event: Recorded, seen: Seen) -> Next:
    """Whether an event comes next after what has been seen of its stream. Raises ForkedStream."""
    version, event_id = seen.get(event.producer, (0, None))
    if event.version == version + 1:
        return Next.TAKE
    if event.version > version:
        return Next.HOLE
    if event.version == version and event.id != event_id:
        raise ForkedStream(
            f"stream {event.stream} of {event.producer} has two events of version {version}: {event_id} and {event.id}"
        )
    return Next.SKIP


def hole(event: Recorded, seen: Seen) -> str:
    return f"version {event.version} of {event.producer} came after {seen.get(event.producer, (0, None))[0]}"
