"""The envelope of a recorded event: CloudEvents 1.0, structured JSON mode (architecture, section 2)."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal, NotRequired
from uuid import UUID

from pydantic import TypeAdapter
from pydantic_core import to_json
from typing_extensions import TypedDict  # pydantic needs this one before Python 3.12

from shared.contracts.event import Event, Unknown, data_of, parse

MAX_RECORD_BYTES = 700_000
"""What one event may take in the log (`record_size`); larger content is a blob. A broker takes batches of 1 MiB."""
FRAME_BYTES = 400
"""What Kafka adds to an event's JSON, rounded up: its own frame, the key (a UUID), the headers (a traceparent, a code for each reader)."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who caused an event. `kind` is `agent`, `customer`, `rule`, `system` or `service`; `id` a person id or a policy's name."""

    kind: str
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """One event of one stream as it was recorded; never changed afterwards.

    `data` is the payload's JSON where the event was read from the log, as it was recorded; None where the event was made here.
    """

    id: UUID
    type: str
    source: str
    stream: UUID
    version: int
    time: datetime
    recorded_at: datetime
    correlation_id: UUID
    causation_id: UUID | None
    actor: Actor
    traceparent: str | None
    payload: Event
    data: dict[str, Any] | None = field(default=None, compare=False, repr=False)

    @property
    def producer(self) -> str:
        """The service that recorded it, such as `intake`."""
        return self.source.rpartition("/")[2]


def instant(value: datetime) -> str:
    """RFC 3339 in UTC with microseconds, the precision that PostgreSQL keeps."""
    return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def attributes(event: Recorded) -> dict[str, Any]:
    """The CloudEvents attributes of an event, everything but `data`."""
    found: dict[str, Any] = {
        "specversion": "1.0",
        "id": str(event.id),
        "source": event.source,
        "type": event.type,
        "subject": str(event.stream),
        "time": instant(event.time),
        "datacontenttype": "application/json",
        "streamversion": event.version,
        "recordedat": instant(event.recorded_at),
        "correlationid": str(event.correlation_id),
        "actorkind": event.actor.kind,
    }
    if event.causation_id is not None:
        found["causationid"] = str(event.causation_id)
    if event.actor.id is not None:
        found["actorid"] = event.actor.id
    if event.traceparent is not None:
        found["traceparent"] = event.traceparent
    return found


def encode_stored(event: Recorded, data: bytes) -> bytes:
    """A stored event as one Kafka message value; `data` is its JSON as stored, passed on untouched, whatever its version."""
    return to_json(attributes(event))[:-1] + b',"data":' + data + b"}"


def record_size(event: Recorded, data: bytes) -> int:
    """Bytes that a stored event takes in the log, with everything around it."""
    return len(encode_stored(event, data)) + FRAME_BYTES


def encode(event: Recorded) -> bytes:
    """The event as one Kafka message value."""
    return encode_stored(event, data_of(event.payload))


class _Wire(TypedDict):
    """The CloudEvents object as pydantic reads it: four times as fast as making ids and times one by one."""

    specversion: Literal["1.0"]
    id: UUID
    source: str
    type: str
    subject: UUID
    time: datetime
    recordedat: datetime
    streamversion: int
    correlationid: UUID
    causationid: NotRequired[UUID]
    actorkind: str
    actorid: NotRequired[str]
    traceparent: NotRequired[str]
    data: dict[str, Any]


_WIRE = TypeAdapter(_Wire).validator
_actor = lru_cache(maxsize=1_024)(Actor)
"""The same few people and services cause one event after the other."""


def decode(value: bytes, producers: frozenset[str] | None = None) -> Recorded:
    """The event in a Kafka message value; the payload of a producer that is not named stays unread (`Unknown`).

    Raises ValueError when it is not one of ours.
    """
    raw: _Wire = _WIRE.validate_json(value)
    data, type_name = raw["data"], raw["type"]
    read = producers is None or raw["source"].rpartition("/")[2] in producers
    return Recorded(
        raw["id"],
        type_name,
        raw["source"],
        raw["subject"],
        raw["streamversion"],
        raw["time"],
        raw["recordedat"],
        raw["correlationid"],
        raw.get("causationid"),
        _actor(raw["actorkind"], raw.get("actorid")),
        raw.get("traceparent"),
        parse(type_name, data) if read else Unknown(data=data),
        data,
    )
