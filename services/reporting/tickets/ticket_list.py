"""`GET /tickets`: filters, order and pages as one statement that the indexes carry.

An agent's list takes the first rows of each readable queue by the queue's own index and merges them, so that a page costs the same
whatever else the queues hold. Permission is part of the statement: there is no list without a scope. What somebody sees as a customer
comes from a view that lacks what is internal.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from services.reporting.tickets.read_model.projection import TICKET_COLUMNS
from services.reporting.visibility import Scope

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


COLUMNS = tuple(column for column in TICKET_COLUMNS if column not in ("event_count", "public_article_count"))
QUEUES = """
WITH RECURSIVE q(id) AS (
    (SELECT queue_id FROM desk.tickets ORDER BY queue_id LIMIT 1)
     UNION ALL
    SELECT (SELECT t.queue_id FROM desk.tickets t WHERE t.queue_id > q.id ORDER BY t.queue_id LIMIT 1) FROM q WHERE q.id IS NOT NULL
)
SELECT id FROM q WHERE id IS NOT NULL
"""
"""Every queue that has tickets, one probe of the index each."""


@dataclass(frozen=True, slots=True)
class Filters:
    """What a list was asked for; an empty tuple or None does not filter. `queues` None: every queue of the scope. A ticket of one of the
    `customers`, or that was asked from one of the `addresses`, is meant by either."""

    queues: tuple[UUID, ...] | None = None
    states: tuple[str, ...] = ()
    state_types: tuple[str, ...] = ()
    owner: UUID | None = None
    responsible: UUID | None = None
    locked: bool | None = None
    locked_by: UUID | None = None
    not_locked_by_others: UUID | None = None
    customers: tuple[UUID, ...] = ()
    addresses: tuple[str, ...] = ()
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
    """The statement for one page and its arguments. `after` is the position of the row before, in the order's columns.

    The rows of `desk` parts come from the table, all others from what customers may know of a ticket: a filter finds nothing there
    that a customer could not see.
    """
    made = Statement()
    order = ORDERS[sort]
    conditions = _conditions(made, wanted)
    if after is not None:
        conditions.append(_after(made, order, after))
    keys = ", ".join(dict.fromkeys(["t.id", *(f"t.{column}" for column, _, _ in order)]))
    ordered = ", ".join(f"t.{column} {direction}" for column, direction, _ in order)
    rest = "".join(f" AND {condition}" for condition in ("t.state_type <> 'removed'", *conditions))
    # A number, not an argument: the planner has to know that few rows are wanted.
    first = f"{rest} ORDER BY {ordered} LIMIT {int(limit)}"
    sources: dict[str, list[str]] = {}
    desk = _desk_part(made, scope, wanted, keys, first)
    if desk is not None:
        sources["desk.tickets"] = [desk]
    own = _own_parts(made, scope, wanted)
    if own:
        sources["desk.customer_tickets"] = [
            f"SELECT {keys} FROM desk.customer_tickets t WHERE {part}{first}" for part in own
        ]
    if not sources:
        return "SELECT * FROM desk.customer_tickets WHERE false", []
    found = " UNION ALL ".join(
        f"SELECT t.*, '{source}' AS source FROM ({part}) AS t" for source, parts in sources.items() for part in parts
    )
    rows = " UNION ALL ".join(
        f"SELECT {', '.join(f't.{column}' for column in COLUMNS)} FROM page JOIN {source} t ON t.id = page.id"
        f" WHERE page.source = '{source}'"
        for source in sources
    )
    return (
        f"WITH page AS MATERIALIZED (SELECT * FROM ({found}) AS t ORDER BY {ordered} LIMIT {int(limit)})"
        f" SELECT * FROM ({rows}) AS t ORDER BY {ordered}",
        made.arguments,
    )


def _desk_part(made: Statement, scope: Scope, wanted: Filters, keys: str, first: str) -> str | None:
    """The first rows of the queues that are read as an agent, by the index that the filters make the shortest way."""
    everywhere = scope.everything and wanted.queues is None
    queues = sorted(scope.queues if wanted.queues is None else set(wanted.queues) & set(scope.queues))
    if scope.everything and wanted.queues is not None:
        queues = sorted(wanted.queues)
    if not queues and not everywhere:
        return None
    readable = None if everywhere else made.place(queues, "uuid[]")
    within = "" if readable is None else f" AND t.queue_id = ANY({readable})"
    ways: list[tuple[str, str, str]] = []
    others = ""
    if wanted.customers:
        ids = made.place(sorted(set(wanted.customers)), "uuid[]")
        ways.append(("customer_id", ids, ""))
        others = f" AND t.customer_id <> ALL({ids})"
    if wanted.addresses:
        ways.append(("customer_email", made.place(sorted(set(wanted.addresses)), "text[]"), others))
    if not ways and wanted.companies:
        ways.append(("company", made.place(sorted(set(wanted.companies)), "text[]"), ""))
    if ways:
        return " UNION ALL ".join(
            f"SELECT t.* FROM unnest({values}) AS v(value) CROSS JOIN LATERAL"
            f" (SELECT {keys} FROM desk.tickets t WHERE t.{column} = v.value{less}{within}{first}) AS t"
            for column, values, less in ways
        )
    people = (wanted.owner, wanted.responsible, wanted.locked_by)
    if wanted.tags or any(person is not None for person in people):
        return f"SELECT {keys} FROM desk.tickets t WHERE true{within}{first}"
    each = QUEUES if readable is None else f"SELECT unnest({readable}) AS id"
    types, of_type = "", ""
    if wanted.state_types:
        types = f" CROSS JOIN unnest({made.place(sorted(set(wanted.state_types)), 'text[]')}) AS s(type)"
        of_type = " AND t.state_type = s.type"
    return (
        f"SELECT t.* FROM ({each}) AS q{types} CROSS JOIN LATERAL"
        f" (SELECT {keys} FROM desk.tickets t WHERE t.queue_id = q.id{of_type}{first}) AS t"
    )


def _own_parts(made: Statement, scope: Scope, wanted: Filters) -> list[str]:
    """Somebody's own tickets and those of their company, each ticket in one part only, without those that the desk part has."""
    if scope.everything or not (scope.customers or scope.company is not None):
        return []
    less = f" AND t.queue_id <> ALL({made.place(list(scope.queues), 'uuid[]')})" if scope.queues else ""
    if wanted.queues is not None:
        less += f" AND t.queue_id = ANY({made.place(list(wanted.queues), 'uuid[]')})"
    # A part for each id: the index has a customer's tickets in order, not several customers'.
    parts = [f"t.customer_id = {made.place(customer, 'uuid')}{less}" for customer in scope.customers]
    if scope.company is not None:
        others = f" AND t.customer_id <> ALL({made.place(list(scope.customers), 'uuid[]')})" if scope.customers else ""
        parts.append(f"t.company = {made.place(scope.company, 'text')}{others}{less}")
    return parts


def _conditions(made: Statement, wanted: Filters) -> list[str]:
    found: list[str] = []
    many = (
        ("state_slug", wanted.states, "text[]"),
        ("state_type", wanted.state_types, "text[]"),
        ("company", wanted.companies, "text[]"),
        ("priority", wanted.priorities, "smallint[]"),
    )
    found += [f"t.{column} = ANY({made.place(list(values), kind)})" for column, values, kind in many if values]
    by = (
        ("customer_id", wanted.customers, "uuid[]"),
        ("customer_email", wanted.addresses, "text[]"),
    )
    asked = [f"t.{column} = ANY({made.place(list(values), kind)})" for column, values, kind in by if values]
    if asked:
        found.append(f"({' OR '.join(asked)})")
    if wanted.tags:
        found.append(f"t.tags <> '{{}}' AND t.tags @> {made.place(list(wanted.tags), 'text[]')}")
    one = (
        ("t.owner_id = ", wanted.owner, "uuid"),
        ("t.responsible_id = ", wanted.responsible, "uuid"),
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
