"""One event on its way to a handler, and the rules that every handler shares: duplicates, forks, gaps."""

from enum import Enum
from typing import NamedTuple
from uuid import UUID

from shared.contracts.envelope import Recorded, decode
from shared.messaging.consuming.projection import Position, Seen


class Delivered(NamedTuple):
    """A record of the topic.

    `event` is None if the record could not be decoded (`unreadable` says why), or if it is ignored because no service
    may have written it (`unauthentic` says why).
    """

    position: Position
    key: UUID
    value: bytes
    event: Recorded | None
    unreadable: str = ""
    unauthentic: str = ""


def read(position: Position, key: UUID, value: bytes, producers: frozenset[str] | None) -> Delivered:
    """A record of the topic as a delivery. Payloads of producers that are not named are not parsed; None: all are."""
    try:
        event = decode(value, producers)
        if event.stream != key:
            raise ValueError(f"its key is {key}, its subject {event.stream}")
        return Delivered(position, key, value, event)
    except Exception as error:
        return Delivered(position, key, value, None, f"cannot be read: {type(error).__name__}: {error}"[:2000])


class Parked(NamedTuple):
    """A delivery that is parked. `reason` is for the operator; `new`: it is the first one of its stream."""

    delivery: Delivered
    reason: str
    new: bool


class Next(Enum):
    TAKE = "take"
    SKIP = "skip"
    HOLE = "hole"
    FORK = "fork"
    """Another event has had this version: the producer contradicts itself, and later events belong to one of two
    histories."""


def order(event: Recorded, seen: Seen) -> Next:
    """Whether an event comes next after what has been seen of its stream."""
    version, event_id = seen.get(event.producer, (0, None))
    if event.version == version + 1:
        return Next.TAKE
    if event.version > version:
        return Next.HOLE
    if event.version == version and event.id != event_id:
        return Next.FORK
    return Next.SKIP


def out_of_order(event: Recorded, seen: Seen) -> str:
    """Why an event that is neither the next one nor a duplicate is parked, for the operator."""
    version, event_id = seen.get(event.producer, (0, None))
    if event.version == version:
        return f"{event.producer} has two events of version {version}: {event_id} and {event.id}"
    return f"version {event.version} of {event.producer} came after {version}"
