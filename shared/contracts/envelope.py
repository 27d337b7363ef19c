"""The envelope of a recorded event: CloudEvents 1.0, structured JSON mode."""

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
"""The limit of one event in the log (`record_size`). Larger content is a blob. A broker accepts batches of 1 MiB."""
FRAME_BYTES = 400
"""What Kafka adds to an event's JSON, rounded up: its framing, the key (a UUID), and the headers (a traceparent, and a
code for each reader)."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who caused an event.

    `kind` is `agent`, `customer`, `rule`, `system` or `service`; `id` a person id or a policy's name.
    """

    kind: str
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """One event of one stream as it was recorded. It never changes.

    `data`: the payload's JSON as it was recorded, if the event was read from the log; else None.
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
        """The service that recorded the event, such as `intake`."""
        return self.source.rpartition("/")[2]


def instant(value: datetime) -> str:
    """RFC 3339 in UTC with microseconds, the precision of PostgreSQL."""
    return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def attributes(event: Recorded) -> dict[str, Any]:
    """The CloudEvents attributes of an event: everything except `data`."""
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
    """A stored event as the value of a Kafka message. `data` is its stored JSON, passed on unchanged in any version."""
    return to_json(attributes(event))[:-1] + b',"data":' + data + b"}"


def record_size(event: Recorded, data: bytes) -> int:
    """Bytes of a stored event in the log, including its envelope and framing."""
    return len(encode_stored(event, data)) + FRAME_BYTES


def encode(event: Recorded) -> bytes:
    """The event as the value of a Kafka message."""
    return encode_stored(event, data_of(event.payload))


class _Wire(TypedDict):
    """The CloudEvents object, parsed by pydantic: four times as fast as parsing ids and times one by one."""

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
"""Cached, because the same few people and services cause many events."""


def decode(value: bytes, producers: frozenset[str] | None = None) -> Recorded:
    """The event in the value of a Kafka message. Payloads of producers that are not named are not parsed (`Unknown`).

    Raises ValueError if it is not an event of this product.
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
