"""The event store of one service, over the SQL functions in `migrations/`."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

import asyncpg
from uuid_utils.compat import uuid7

from shared.contracts.envelope import MAX_RECORD_BYTES, Actor, Recorded, record_size
from shared.contracts.event import Event, data_of, parse
from shared.database import Connection, Pool
from shared.eventstore.errors import CommandReused, CommandRunning, EventTooLarge, NotOurs, VersionConflict
from shared.runtime.failpoints import hit

APPEND_ARGUMENTS = 17
APPEND = f"SELECT * FROM es.append({', '.join(f'${n}' for n in range(1, APPEND_ARGUMENTS + 1))})"
"""One round trip. `Store.arguments` makes its arguments."""

_COLUMNS = (
    "stream_id, version, occurred_at, recorded_at, event_id, correlation_id, causation_id, type, actor_kind, actor_id,"
    " traceparent, data"
)
LOAD = f"SELECT {_COLUMNS} FROM es.events WHERE stream_id = $1 ORDER BY version"
LOAD_SINCE = f"""
SELECT {_COLUMNS}
  FROM unnest($1::uuid[], $2::integer[]) AS k(stream, after)
  JOIN es.events e ON e.stream_id = k.stream AND e.version > k.after
 ORDER BY e.stream_id, e.version
"""
LOCK = "SELECT stream_id FROM es.streams WHERE stream_id = ANY($1) ORDER BY stream_id FOR NO KEY UPDATE"
LOCK_FREE = f"{LOCK} SKIP LOCKED"
RESPONSE_OF = "SELECT fingerprint, answer FROM es.commands WHERE command_id = $1"

_CONFLICT = "LD409"


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Context:
    """Who and what led to an event, for its envelope."""

    actor: Actor
    correlation_id: UUID = field(default_factory=uuid7)
    causation_id: UUID | None = None
    traceparent: str | None = None
    time: datetime = field(default_factory=utc_now)


@dataclass(frozen=True, slots=True)
class NewEvent:
    payload: Event
    id: UUID = field(default_factory=uuid7)


@dataclass(frozen=True, slots=True)
class Append:
    """Events for one stream, which must be at version `expected` (0: it must be new). `category`: its kind.

    `rows`: what the service's own statement writes in the same transaction; the store does not look at them.
    """

    stream: UUID
    category: str
    expected: int
    events: tuple[NewEvent, ...]
    context: Context
    rows: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class CommandId:
    """The identity of a command for retries. The fingerprint differs for another request with the same id."""

    id: UUID
    fingerprint: bytes = b""


@dataclass(frozen=True, slots=True)
class Appended:
    """`duplicate`: the command was known and nothing was written; `response` is its first response."""

    status: Literal["appended", "duplicate"]
    response: dict[str, Any] | None = None
    events: tuple[Recorded, ...] = ()


def recorded(row: asyncpg.Record, service: str) -> Recorded:
    """The event in a row of es.events."""
    return envelope_of(row, service, parse(row["type"], row["data"]))


def envelope_of(row: asyncpg.Record, service: str, payload: Event) -> Recorded:
    """An event with the envelope of a row of es.events and this payload."""
    return Recorded(
        id=row["event_id"],
        type=row["type"],
        source=f"/services/{service}",
        stream=row["stream_id"],
        version=row["version"],
        time=row["occurred_at"],
        recorded_at=row["recorded_at"],
        correlation_id=row["correlation_id"],
        causation_id=row["causation_id"],
        actor=Actor(row["actor_kind"], row["actor_id"]),
        traceparent=row["traceparent"],
        payload=payload,
    )


class AppendSignal(asyncio.Event):
    """There may be new rows in the outbox. `ours`: this process has appended some, which no other process knows yet."""

    def __init__(self) -> None:
        super().__init__()
        self.ours = False

    def set(self) -> None:
        """This process has appended."""
        self.ours = True
        super().set()

    def set_by_other(self) -> None:
        """Another process has appended."""
        super().set()

    def take(self) -> bool:
        """Clears the signal; returns whether this process has appended."""
        ours, self.ours = self.ours, False
        self.clear()
        return ours


class Store:
    """Loads and appends streams. Its only state is `appended`, which wakes up the relay."""

    def __init__(self, pool: Pool, service: str) -> None:
        self.pool, self.service = pool, service
        self.appended = AppendSignal()

    def arguments(
        self, appends: Sequence[Append], command: CommandId | None = None, response: dict[str, Any] | None = None
    ) -> tuple[Any, ...]:
        """The arguments of `es.append`, for a statement that does more in the same round trip.

        Several appends may name the same stream if each expects the version at which the one before ends.
        Raises NotOurs for an event of another service and EventTooLarge.
        """
        streams: dict[UUID, Append] = {}
        ends: dict[UUID, int] = {}
        rows: list[tuple[Any, ...]] = []
        for append in appends:
            if append.stream in ends and ends[append.stream] != append.expected:
                raise VersionConflict(append.stream, ends[append.stream])
            streams.setdefault(append.stream, append)
            context = append.context
            for offset, event in enumerate(append.events, start=1):
                if self.service != event.payload.OWNER:
                    raise NotOurs(f"{event.payload.TYPE} belongs to {event.payload.OWNER}, not to {self.service}")
                data = data_of(event.payload)
                # Everything else in a record (ids, times, names) takes less than half of the limit.
                if 2 * len(data) > MAX_RECORD_BYTES:
                    size = record_size(self._recorded(append, offset, event, context.time), data)
                    if size > MAX_RECORD_BYTES:
                        raise EventTooLarge(event.payload.TYPE, size, MAX_RECORD_BYTES)
                rows.append(
                    (
                        append.stream, append.expected + offset, event.id, event.payload.TYPE, context.time, context.correlation_id,
                        context.causation_id, context.actor.kind, context.actor.id, context.traceparent, data.decode(),
                    )
                )  # fmt: skip
            ends[append.stream] = append.expected + len(append.events)
        first = list(streams.values())
        columns = [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(11)]
        return (
            command.id if command else None,
            command.fingerprint if command else b"",
            response,
            [a.stream for a in first],
            [a.category for a in first],
            [a.expected for a in first],
            *columns,
        )

    def outcome(self, row: asyncpg.Record, appends: Sequence[Append]) -> Appended:
        """The result in the row that `es.append` returned. Raises CommandRunning or CommandReused."""
        match row["status"]:
            case "duplicate":
                return Appended("duplicate", response=row["first_answer"])
            case "running":
                raise CommandRunning
            case "reused":
                raise CommandReused
            case _:
                pass
        self.appended.set()
        return Appended(
            "appended",
            events=tuple(
                self._recorded(append, offset, event, row["recorded"])
                for append in appends
                for offset, event in enumerate(append.events, start=1)
            ),
        )

    def _recorded(self, append: Append, offset: int, event: NewEvent, at: datetime) -> Recorded:
        """An event as it will be in the log."""
        context = append.context
        return Recorded(
            id=event.id,
            type=event.payload.TYPE,
            source=f"/services/{self.service}",
            stream=append.stream,
            version=append.expected + offset,
            time=context.time,
            recorded_at=at,
            correlation_id=context.correlation_id,
            causation_id=context.causation_id,
            actor=context.actor,
            traceparent=context.traceparent,
            payload=event.payload,
        )

    async def append(
        self,
        appends: Sequence[Append],
        *,
        command: CommandId | None = None,
        response: dict[str, Any] | None = None,
        connection: Connection | None = None,
    ) -> Appended:
        """Records events, all or nothing, in one round trip.

        Raises VersionConflict when a stream is at another version (the caller's transaction is then aborted),
        CommandRunning and CommandReused. With `connection`, the caller sets `appended` after the commit.
        """
        arguments = self.arguments(appends, command, response)
        hit("append.before_commit")
        try:
            row = await (connection or self.pool).fetchrow(APPEND, *arguments)
        except asyncpg.PostgresError as error:
            raise conflict(error, appends) from error
        hit("append.after_commit")
        assert row is not None
        return self.outcome(row, appends)

    async def lock(self, connection: Connection, streams: Sequence[UUID], *, wait: bool = True) -> list[UUID]:
        """Locks these streams against appends until the transaction ends; returns those that are locked now.

        To avoid deadlocks, every transaction locks streams before anything else, and in id order, as `es.append` does.
        Without `wait`, streams that others have locked are left out.
        """
        rows = await connection.fetch(LOCK if wait else LOCK_FREE, list(streams))
        return [row["stream_id"] for row in rows]

    async def load(self, stream: UUID, *, connection: Connection | None = None) -> list[Recorded]:
        """All events of a stream in order; empty if it is unknown."""
        return [recorded(row, self.service) for row in await (connection or self.pool).fetch(LOAD, stream)]

    async def load_since(
        self, streams: Sequence[UUID], after: Sequence[int], *, connection: Connection | None = None
    ) -> dict[UUID, list[Recorded]]:
        """The events of each stream after the version at the same place in `after`."""
        found: dict[UUID, list[Recorded]] = {stream: [] for stream in streams}
        for row in await (connection or self.pool).fetch(LOAD_SINCE, list(streams), list(after)):
            found[row["stream_id"]].append(recorded(row, self.service))
        return found

    async def response_of(self, command: CommandId, *, connection: Connection | None = None) -> Appended | None:
        """The first response of a known command, else None. Raises CommandReused."""
        row = await (connection or self.pool).fetchrow(RESPONSE_OF, command.id)
        if row is None:
            return None
        if row["fingerprint"] != command.fingerprint:
            raise CommandReused
        return Appended("duplicate", response=row["answer"])


def conflict(error: asyncpg.PostgresError, appends: Sequence[Append]) -> Exception:
    """The VersionConflict that an error of `es.append` means, or the error itself."""
    return VersionConflict(appends[0].stream) if error.sqlstate == _CONFLICT else error
