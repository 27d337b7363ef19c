"""The `stats` read model: counts per queue, agent and day. Each batch of events adds its differences."""

from collections import Counter
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

from shared.clocks.deadlines import apply, escalated
from shared.contracts.envelope import Recorded
from shared.contracts.intake import TicketOpened
from shared.contracts.parts import AnyStateType
from shared.contracts.routing import (
    AgentReplied,
    DeadlineBroken,
    DeadlinesChanged,
    DeadlineWarned,
    MergeUndone,
    OwnerChanged,
    ReminderReached,
    ResponsibleChanged,
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
IN_QUEUES = ("new", "open", "pending", "closed", "locked", "due", "escalated")
"""What is counted in each queue."""
OF_PEOPLE = (
    "locked", "owned", "responsible", "owned_due", "owned_escalated", "locked_new", "locked_open", "locked_due",
    "locked_escalated",
)  # fmt: skip
"""What is counted of each agent in each queue."""
ON_DAYS = ("created", "closed", "answered")
"""What is counted on each day in each queue."""
NO_QUEUE = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Counted:
    """Where a ticket is counted. `due`: its reminder has come. `escalating`: the clocks by which it is escalated."""

    queue: UUID
    state_type: AnyStateType
    locked_by: UUID | None = None
    owner: UUID | None = None
    responsible: UUID | None = None
    due: bool = False
    escalating: tuple[str, ...] = ()


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
            INSERT INTO {schema}.tickets (id, queue_id, locked_by, owner, responsible, due, state_type, escalating, seen)
            SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::boolean[], $7::text[],
                                 $8::json[], $9::json[])
                ON CONFLICT (id) DO UPDATE SET queue_id = excluded.queue_id, locked_by = excluded.locked_by,
                    owner = excluded.owner, responsible = excluded.responsible, due = excluded.due,
                    state_type = excluded.state_type, escalating = excluded.escalating, seen = excluded.seen"""
        self._queues = _adding(f"{schema}.queues", {"queue_id": "uuid"}, IN_QUEUES)
        self._people = _adding(f"{schema}.people", {"person_id": "uuid", "queue_id": "uuid"}, OF_PEOPLE)
        self._days = _adding(f"{schema}.days", {"day": "date", "queue_id": "uuid"}, ON_DAYS)
        self._time = f"""
            INSERT INTO {schema}.time AS t (day, person_id, ticket_id, units)
            SELECT * FROM unnest($1::date[], $2::uuid[], $3::uuid[], $4::numeric[])
                ON CONFLICT (day, person_id, ticket_id) DO UPDATE SET units = t.units + excluded.units"""
        # Rows that count nothing any more are deleted, so that the tables do not depend on how the events were batched.
        self._delete_empty_queues = f"""
            DELETE FROM {schema}.queues
             WHERE queue_id = ANY($1) AND {_all_zero(IN_QUEUES)}"""
        self._delete_empty_people = f"""
            DELETE FROM {schema}.people
             WHERE person_id = ANY($1) AND {_all_zero(OF_PEOPLE)}"""

    async def load(self, connection: Connection, keys: Sequence[UUID]) -> dict[UUID, StatsRow]:
        found = {}
        for row in await connection.fetch(self._load, list(keys)):
            counted = Counted(
                row["queue_id"],
                row["state_type"],
                row["locked_by"],
                row["owner"],
                row["responsible"],
                row["due"],
                tuple(row["escalating"] or ()),
            )
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
                after.now = replace(now, state_type=p.to.type, due=False)
                if p.to.type == "closed" and p.was.type != "closed":
                    after.happened[day, now.queue, "closed"] += 1
            case TicketMerged():
                after.now = replace(now, state_type="merged", due=False)
            case MergeUndone() as p:
                after.now = replace(now, state_type=p.state.type)
            case TicketRemoved():
                after.now = replace(now, state_type="removed", due=False)
            case ReminderReached():
                after.now = replace(now, due=True)
            case DeadlinesChanged() as p:
                after.now = _escalated(now, p.clock, escalated(apply({}, p).values()))
            case DeadlineWarned() | DeadlineBroken() as p:
                after.now = _escalated(now, p.clock, True)
            case TicketLocked() as p:
                after.now = replace(now, locked_by=p.by.id)
            case TicketUnlocked():
                after.now = replace(now, locked_by=None)
            case OwnerChanged() as p:
                after.now = replace(now, owner=p.to.id if p.to else None)
            case ResponsibleChanged() as p:
                after.now = replace(now, responsible=p.to.id if p.to else None)
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
            [row.now.responsible for row in rows.values()],
            [row.now.due for row in rows.values()],
            [row.now.state_type for row in rows.values()],
            [row.now.escalating or None for row in rows.values()],
            [{p: (v, str(e)) for p, (v, e) in sorted(row.seen.items())} for row in rows.values()],
        )
        # In the order of the keys, so that two writers of the same rows cannot deadlock.
        touched = sorted({queue for (queue, _), change in queues.items() if change})
        if touched:
            await connection.execute(
                self._queues, touched, *([queues[q, column] for q in touched] for column in IN_QUEUES)
            )
            await connection.execute(self._delete_empty_queues, touched)
        held = sorted({(person, queue) for (person, queue, _), change in people.items() if change})
        if held:
            counts = ([people[person, queue, what] for person, queue in held] for what in OF_PEOPLE)
            await connection.execute(self._people, [p for p, _ in held], [q for _, q in held], *counts)
            await connection.execute(self._delete_empty_people, sorted({p for p, _ in held}))
        worked = sorted((day, p, ticket, n) for ticket, row in rows.items() for (day, p), n in row.worked.items())
        if worked:
            await connection.execute(self._time, *map(list, zip(*worked, strict=True)))
        dates = sorted({(day, queue) for day, queue, _ in days})
        if dates:
            numbers = ([days[day, queue, what] for day, queue in dates] for what in ON_DAYS)
            await connection.execute(self._days, [day for day, _ in dates], [queue for _, queue in dates], *numbers)


def _escalated(counted: Counted, clock: str, escalates: bool) -> Counted:
    others = {each for each in counted.escalating if each != clock}
    return replace(counted, escalating=tuple(sorted(others | {clock} if escalates else others)))


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
    if counted.due:
        queues[counted.queue, "due"] += change
    if counted.escalating:
        queues[counted.queue, "escalated"] += change
    if counted.locked_by is not None:
        queues[counted.queue, "locked"] += change
        people[counted.locked_by, counted.queue, "locked"] += change
        if column in ("new", "open"):
            people[counted.locked_by, counted.queue, f"locked_{column}"] += change
        if counted.due:
            people[counted.locked_by, counted.queue, "locked_due"] += change
        if counted.escalating:
            people[counted.locked_by, counted.queue, "locked_escalated"] += change
    if counted.owner is not None:
        people[counted.owner, counted.queue, "owned"] += change
        if counted.due:
            people[counted.owner, counted.queue, "owned_due"] += change
        if counted.escalating:
            people[counted.owner, counted.queue, "owned_escalated"] += change
    if counted.responsible is not None:
        people[counted.responsible, counted.queue, "responsible"] += change


def _adding(table: str, keys: Mapping[str, str], counts: Sequence[str]) -> str:
    """The statement that adds to the counts of rows, which are made if they are missing. Its arguments are arrays: one
    for each key, with its SQL type, and one for each count."""
    columns = ", ".join((*keys, *counts))
    types = [*keys.values(), *("integer" for _ in counts)]
    arrays = ", ".join(f"${n}::{each}[]" for n, each in enumerate(types, start=1))
    added = ", ".join(f"{each} = t.{each} + excluded.{each}" for each in counts)
    return (
        f"INSERT INTO {table} AS t ({columns}) SELECT * FROM unnest({arrays})"
        f" ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {added}"
    )


def _all_zero(counts: Sequence[str]) -> str:
    return f"({', '.join(counts)}) = ({', '.join('0' for _ in counts)})"
