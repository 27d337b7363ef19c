"""The `stats` read model: counts per queue, agent and day. Each batch of events adds its differences."""

from collections import Counter
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

from shared.contracts.envelope import Recorded
from shared.contracts.intake import TicketOpened
from shared.contracts.parts import AnyStateType
from shared.contracts.routing import (
    AgentReplied,
    MergeUndone,
    OwnerChanged,
    StateChanged,
    TicketLocked,
    TicketMerged,
    TicketMoved,
    TicketQueued,
    TicketRemoved,
    TicketUnlocked,
    TimeAccounted,
)
from shared.database import Connection
from shared.messaging.consuming.projection import Position, Seen

COLUMNS = {
    "new": "new",
    "open": "open",
    "pending_reminder": "pending",
    "pending_auto_close": "pending",
    "closed": "closed",
}
"""Type of state -> the column that counts it. Merged and removed tickets are in none, nor those of unknown types."""
NO_QUEUE = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Counted:
    """Where a ticket is counted."""

    queue: UUID
    state_type: AnyStateType
    locked_by: UUID | None = None
    owner: UUID | None = None


@dataclass(slots=True)
class StatsRow:
    """One ticket: where it is to be counted, and where the tables count it so far (None: nowhere).

    And what this batch adds: what happened on each day, and the time units of each day and agent.
    """

    now: Counted
    counted: Counted | None = None
    seen: Seen = field(default_factory=dict)
    happened: Counter[tuple[date, UUID, str]] = field(default_factory=Counter)
    worked: dict[tuple[date, UUID], Decimal] = field(default_factory=dict)


class StatsProjection:
    """Implements `shared.messaging.consuming.projection.Projection` over the schema of one generation."""

    def __init__(self, schema: str, zone: ZoneInfo) -> None:
        self.zone = zone
        self._load = f"SELECT * FROM {schema}.tickets WHERE id = ANY($1)"
        self._save = f"""
            INSERT INTO {schema}.tickets (id, queue_id, locked_by, owner, state_type, seen)
            SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::json[])
                ON CONFLICT (id) DO UPDATE SET queue_id = excluded.queue_id, locked_by = excluded.locked_by,
                    owner = excluded.owner, state_type = excluded.state_type, seen = excluded.seen"""
        self._queues = f"""
            INSERT INTO {schema}.queues AS q (queue_id, new, open, pending, closed, locked)
            SELECT * FROM unnest($1::uuid[], $2::integer[], $3::integer[], $4::integer[], $5::integer[], $6::integer[])
                ON CONFLICT (queue_id) DO UPDATE SET new = q.new + excluded.new, open = q.open + excluded.open,
                    pending = q.pending + excluded.pending, closed = q.closed + excluded.closed,
                    locked = q.locked + excluded.locked"""
        self._people = f"""
            INSERT INTO {schema}.people AS p (person_id, queue_id, locked, owned)
            SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::integer[], $4::integer[])
                ON CONFLICT (person_id, queue_id) DO UPDATE SET locked = p.locked + excluded.locked,
                    owned = p.owned + excluded.owned"""
        self._time = f"""
            INSERT INTO {schema}.time AS t (day, person_id, ticket_id, units)
            SELECT * FROM unnest($1::date[], $2::uuid[], $3::uuid[], $4::numeric[])
                ON CONFLICT (day, person_id, ticket_id) DO UPDATE SET units = t.units + excluded.units"""
        # Rows that count nothing any more are deleted, so that the tables do not depend on how the events were batched.
        self._delete_empty_queues = f"""
            DELETE FROM {schema}.queues
             WHERE queue_id = ANY($1) AND (new, open, pending, closed, locked) = (0, 0, 0, 0, 0)"""
        self._delete_empty_people = (
            f"DELETE FROM {schema}.people WHERE person_id = ANY($1) AND (locked, owned) = (0, 0)"
        )
        self._days = f"""
            INSERT INTO {schema}.days AS d (day, queue_id, created, closed, answered)
            SELECT * FROM unnest($1::date[], $2::uuid[], $3::integer[], $4::integer[], $5::integer[])
                ON CONFLICT (day, queue_id) DO UPDATE SET created = d.created + excluded.created,
                    closed = d.closed + excluded.closed, answered = d.answered + excluded.answered"""

    async def load(self, connection: Connection, keys: Sequence[UUID]) -> dict[UUID, StatsRow]:
        found = {}
        for row in await connection.fetch(self._load, list(keys)):
            counted = Counted(row["queue_id"], row["state_type"], row["locked_by"], row["owner"])
            seen = {producer: (version, UUID(event)) for producer, (version, event) in row["seen"].items()}
            found[row["id"]] = StatsRow(now=counted, counted=counted, seen=seen)
        return found

    def apply(self, row: StatsRow | None, event: Recorded, position: Position) -> StatsRow:
        after = copy(row) if row is not None else StatsRow(now=Counted(NO_QUEUE, "new"))
        after.happened, after.worked = Counter(after.happened), dict(after.worked)
        now, day = after.now, event.time.astimezone(self.zone).date()
        match event.payload:
            case TicketOpened() as p:
                after.now = Counted(p.queue.id, "new")
                after.happened[day, p.queue.id, "created"] += 1
            case TicketQueued() as p:
                after.now = replace(now, queue=p.queue.id, state_type=p.state.type)
            case TicketMoved() as p:
                after.now = replace(now, queue=p.to.id)
            case StateChanged() as p:
                after.now = replace(now, state_type=p.to.type)
                if p.to.type == "closed" and p.was.type != "closed":
                    after.happened[day, now.queue, "closed"] += 1
            case TicketMerged():
                after.now = replace(now, state_type="merged")
            case MergeUndone() as p:
                after.now = replace(now, state_type=p.state.type)
            case TicketRemoved():
                after.now = replace(now, state_type="removed")
            case TicketLocked() as p:
                after.now = replace(now, locked_by=p.by.id)
            case TicketUnlocked():
                after.now = replace(now, locked_by=None)
            case OwnerChanged() as p:
                after.now = replace(now, owner=p.to.id if p.to else None)
            case AgentReplied():
                after.happened[day, now.queue, "answered"] += 1
            case TimeAccounted() as p:
                # Decimal, so that the sum does not depend on how the events are batched.
                so_far = after.worked.get((day, p.by.id), Decimal())
                after.worked[day, p.by.id] = so_far + Decimal(str(p.units))
            case _:
                pass
        return after

    async def save(self, connection: Connection, rows: Mapping[UUID, StatsRow]) -> None:
        queues: Counter[tuple[UUID, str]] = Counter()
        people: Counter[tuple[UUID, UUID, str]] = Counter()
        days: Counter[tuple[date, UUID, str]] = Counter()
        for row in rows.values():
            days.update(row.happened)
            if row.counted != row.now:
                _count(row.counted, -1, queues, people)
                _count(row.now, 1, queues, people)
        await connection.execute(
            self._save,
            list(rows),
            [row.now.queue for row in rows.values()],
            [row.now.locked_by for row in rows.values()],
            [row.now.owner for row in rows.values()],
            [row.now.state_type for row in rows.values()],
            [{p: (v, str(e)) for p, (v, e) in sorted(row.seen.items())} for row in rows.values()],
        )
        # In the order of the keys, so that two writers of the same rows cannot deadlock.
        touched = sorted({queue for (queue, _), change in queues.items() if change})
        if touched:
            columns = ("new", "open", "pending", "closed", "locked")
            await connection.execute(
                self._queues, touched, *([queues[q, column] for q in touched] for column in columns)
            )
            await connection.execute(self._delete_empty_queues, touched)
        held = sorted({(person, queue) for (person, queue, _), change in people.items() if change})
        if held:
            counts = ([people[person, queue, what] for person, queue in held] for what in ("locked", "owned"))
            await connection.execute(self._people, [p for p, _ in held], [q for _, q in held], *counts)
            await connection.execute(self._delete_empty_people, sorted({p for p, _ in held}))
        worked = sorted((day, p, ticket, n) for ticket, row in rows.items() for (day, p), n in row.worked.items())
        if worked:
            await connection.execute(self._time, *map(list, zip(*worked, strict=True)))
        dates = sorted({(day, queue) for day, queue, _ in days})
        if dates:
            numbers = ([days[day, queue, what] for day, queue in dates] for what in ("created", "closed", "answered"))
            await connection.execute(self._days, [day for day, _ in dates], [queue for _, queue in dates], *numbers)


def _count(
    counted: Counted | None, change: int, queues: Counter[tuple[UUID, str]], people: Counter[tuple[UUID, UUID, str]]
) -> None:
    if counted is None or counted.queue == NO_QUEUE:
        return
    column = COLUMNS.get(counted.state_type)
    if column is None:
        return
    queues[counted.queue, column] += change
    if column == "closed":
        return
    if counted.locked_by is not None:
        queues[counted.queue, "locked"] += change
        people[counted.locked_by, counted.queue, "locked"] += change
    if counted.owner is not None:
        people[counted.owner, counted.queue, "owned"] += change
