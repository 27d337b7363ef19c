"""`GET /tickets`: filters, order and pages as one statement that the indexes carry.

An agent's list takes the first rows of each readable queue by the queue's own index and merges them, so that a page costs the same
whatever else the queues hold. Permission is part of the statement: there is no list without a scope.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from services.reporting.people import Scope

Sort = Literal["default", "created_at", "-created_at", "updated_at", "-updated_at", "priority", "-priority"]
ORDERS: dict[str, list[tuple[str, str, str]]] = {
    "default": [("priority", "DESC", "smallint"), ("created_at", "ASC", "timestamptz"), ("id", "ASC", "uuid")],
    "created_at": [("created_at", "ASC", "timestamptz"), ("id", "ASC", "uuid")],
    "-created_at": [("created_at", "DESC", "timestamptz"), ("id", "DESC", "uuid")],
    "updated_at": [("updated_at", "ASC", "timestamptz"), ("id", "ASC", "uuid")],
    "-updated_at": [("updated_at", "DESC", "timestamptz"), ("id", "DESC", "uuid")],
    "priority": [("priority", "ASC", "smallint"), ("created_at", "ASC", "timestamptz"), ("id", "ASC", "uuid")],
    "-priority": [("priority", "DESC", "smallint"), ("created_at", "ASC", "timestamptz"), ("id", "ASC", "uuid")],
}


@dataclass(frozen=True, slots=True)
class Filters:
    """What a list was asked for; an empty tuple or None does not filter. `queues` None: every queue of the scope."""

    queues: tuple[UUID, ...] | None = None
    states: tuple[str, ...] = ()
    state_types: tuple[str, ...] = ()
    owner: UUID | None = None
    locked: bool | None = None
    locked_by: UUID | None = None
    not_locked_by_others: UUID | None = None
    customers: tuple[str, ...] = ()
    companies: tuple[str, ...] = ()
    priorities: tuple[int, ...] = ()
    tags: tuple[str, ...] = ()
    created_from: datetime | None = None
    created_to: datetime | None = None
    updated_from: datetime | None = None
    reminder_due: bool | None = None


@dataclass(slots=True)
class Statement:
    """A statement with its arguments, numbered as they are added."""

    arguments: list[Any] = field(default_factory=list)

    def place(self, value: Any, kind: str) -> str:
        self.arguments.append(value)
        return f"${len(self.arguments)}::{kind}"


def query(scope: Scope, wanted: Filters, sort: str, after: Sequence[Any] | None, limit: int) -> tuple[str, list[Any]]:
    """The statement for one page and its arguments. `after` is the position of the row before, in the order's columns."""
    made = Statement()
    order = ORDERS[sort]
    conditions = _conditions(made, wanted)
    if after is not None:
        conditions.append(_after(made, order, after))
    ordered = ", ".join(f"t.{column} {direction}" for column, direction, _ in order)
    page = made.place(limit, "integer")
    where = "".join(f" AND {condition}" for condition in conditions)
    if scope.as_customer:
        own = [f"t.customer_email = {made.place(scope.email, 'text')}"] if scope.email else []
        if scope.company is not None:
            own.append(f"t.company = {made.place(scope.company, 'text')}")
        if not own:
            return "SELECT * FROM desk.tickets t WHERE false", []
        parts = [f"(SELECT * FROM desk.tickets t WHERE {mine}{where} ORDER BY {ordered} LIMIT {page})" for mine in own]
        text = f"SELECT * FROM ({' UNION '.join(_ids(part) for part in parts)}) AS found JOIN desk.tickets t USING (id)"
        return f"{text} ORDER BY {ordered} LIMIT {page}", made.arguments
    if wanted.customers:  # few rows: found by the customer, then checked against the scope
        if not scope.everything:
            where += f" AND t.queue_id = ANY({made.place(list(scope.queues), 'uuid[]')})"
        return f"SELECT * FROM desk.tickets t WHERE true{where} ORDER BY {ordered} LIMIT {page}", made.arguments
    queues = set(scope.queues) if wanted.queues is None else set(scope.queues) & set(wanted.queues)
    each = made.place(sorted(queues), "uuid[]")
    text = (
        f"SELECT t.* FROM unnest({each}) AS q(id) CROSS JOIN LATERAL"
        f" (SELECT * FROM desk.tickets t WHERE t.queue_id = q.id{where} ORDER BY {ordered} LIMIT {page}) AS t"
    )
    return f"{text} ORDER BY {ordered} LIMIT {page}", made.arguments


def _ids(part: str) -> str:
    return part.replace("(SELECT * FROM", "(SELECT t.id FROM", 1)


def _conditions(made: Statement, wanted: Filters) -> list[str]:
    found: list[str] = []
    many = (
        ("state_slug", wanted.states, "text[]"),
        ("state_type", wanted.state_types, "text[]"),
        ("customer_email", wanted.customers, "text[]"),
        ("company", wanted.companies, "text[]"),
        ("priority", wanted.priorities, "smallint[]"),
    )
    found += [f"t.{column} = ANY({made.place(list(values), kind)})" for column, values, kind in many if values]
    if wanted.tags:
        found.append(f"t.tags @> {made.place(list(wanted.tags), 'text[]')}")
    one = (
        ("t.owner_id = ", wanted.owner, "uuid"),
        ("t.locked_by_id = ", wanted.locked_by, "uuid"),
        ("t.created_at >= ", wanted.created_from, "timestamptz"),
        ("t.created_at < ", wanted.created_to, "timestamptz"),
        ("t.updated_at >= ", wanted.updated_from, "timestamptz"),
    )
    found += [f"{test}{made.place(value, kind)}" for test, value, kind in one if value is not None]
    if wanted.locked is not None:
        found.append(f"t.locked_by_id IS {'NOT ' if wanted.locked else ''}NULL")
    if wanted.not_locked_by_others is not None:
        found.append(f"(t.locked_by_id IS NULL OR t.locked_by_id = {made.place(wanted.not_locked_by_others, 'uuid')})")
    if wanted.reminder_due is not None:
        found.append(f"{'' if wanted.reminder_due else 'NOT '}t.reminder_due")
    return found


def _after(made: Statement, order: list[tuple[str, str, str]], after: Sequence[Any]) -> str:
    """Rows behind a position: column by column, since the directions differ; the first column also bounds the index scan."""
    places = [made.place(value, kind) for value, (_, _, kind) in zip(after, order, strict=True)]
    tests: list[str] = []
    for n, (column, direction, _) in enumerate(order):
        equal = [f"t.{c} = {p}" for (c, _, _), p in zip(order[:n], places[:n], strict=True)]
        tests.append(
            "(" + " AND ".join([*equal, f"t.{column} {'<' if direction == 'DESC' else '>'} {places[n]}"]) + ")"
        )
    first, direction, _ = order[0]
    return f"t.{first} {'<=' if direction == 'DESC' else '>='} {places[0]} AND ({' OR '.join(tests)})"
