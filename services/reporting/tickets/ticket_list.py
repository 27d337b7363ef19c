"""`GET /tickets`: filters, order and pages as one statement that the indexes carry.

An agent's list takes the first rows of each readable queue by the queue's own index and merges them, so that a page costs the same
whatever else the queues hold. Permission is part of the statement: there is no list without a scope. What somebody sees as a customer
comes from a view that lacks what is internal.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

from services.reporting.tickets.read_model.ticket_row import TICKETS_TABLE, ColumnFilters, Where
from services.reporting.visibility import Scope

Sort = Literal["default", "created_at", "-created_at", "updated_at", "-updated_at", "priority", "-priority"]
ORDERS: dict[str, list[tuple[str, str]]] = {
    "default": [("priority", "DESC"), ("created_at", "ASC"), ("id", "ASC")],
    "created_at": [("created_at", "ASC"), ("id", "ASC")],
    "-created_at": [("created_at", "DESC"), ("id", "DESC")],
    "updated_at": [("updated_at", "ASC"), ("id", "ASC")],
    "-updated_at": [("updated_at", "DESC"), ("id", "DESC")],
    "priority": [("priority", "ASC"), ("created_at", "ASC"), ("id", "ASC")],
    "-priority": [("priority", "DESC"), ("created_at", "ASC"), ("id", "ASC")],
}
COLUMNS = tuple(column for column in TICKETS_TABLE.columns if column not in ("event_count", "public_article_count"))
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
    """What the list shows: `columns` are compared as they were given, the others were looked up first.

    An empty tuple or None does not filter; `queues` None means every queue of the scope. Of `customers` and `addresses`,
    a ticket needs to match one: its customer, or the address that it was asked from.
    """

    columns: ColumnFilters = ColumnFilters()
    queues: tuple[UUID, ...] | None = None
    states: tuple[str, ...] = ()
    state_types: tuple[str, ...] = ()
    owner: UUID | None = None
    responsible: UUID | None = None
    locked_by: UUID | None = None
    not_locked_by_others: UUID | None = None
    customers: tuple[UUID, ...] = ()
    addresses: tuple[str, ...] = ()


@dataclass(slots=True)
class Statement:
    """A statement with its arguments, numbered as they are added."""

    arguments: list[Any] = field(default_factory=list)

    def argument(self, value: Any, kind: str) -> str:
        self.arguments.append(value)
        return f"${len(self.arguments)}::{kind}"


def statement(
    scope: Scope, wanted: Filters, sort: str, after: Sequence[Any] | None, limit: int
) -> tuple[str, list[Any]]:
    """The statement for one page and its arguments. `after` is the position of the row before, in the order's columns.

    The rows of `desk` parts come from the table, all others from what customers may know of a ticket: a filter finds nothing there
    that a customer could not see.
    """
    made = Statement()
    order = ORDERS[sort]
    conditions = _conditions(made, wanted)
    if after is not None:
        conditions.append(_after(made, order, after))
    keys = ", ".join(dict.fromkeys(["t.id", *(f"t.{column}" for column, _ in order)]))
    ordered = ", ".join(f"t.{column} {direction}" for column, direction in order)
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
    readable = None if everywhere else made.argument(queues, "uuid[]")
    within = "" if readable is None else f" AND t.queue_id = ANY({readable})"
    ways: list[tuple[str, str, str]] = []
    others = ""
    if wanted.customers:
        ids = made.argument(sorted(set(wanted.customers)), "uuid[]")
        ways.append(("customer_id", ids, ""))
        others = f" AND t.customer_id <> ALL({ids})"
    if wanted.addresses:
        ways.append(("customer_email", made.argument(sorted(set(wanted.addresses)), "text[]"), others))
    if not ways and wanted.columns.company:
        ways.append(("company", made.argument(sorted(set(wanted.columns.company)), "text[]"), ""))
    if ways:
        return " UNION ALL ".join(
            f"SELECT t.* FROM unnest({values}) AS v(value) CROSS JOIN LATERAL"
            f" (SELECT {keys} FROM desk.tickets t WHERE t.{column} = v.value{less}{within}{first}) AS t"
            for column, values, less in ways
        )
    people = (wanted.owner, wanted.responsible, wanted.locked_by)
    if wanted.columns.tag or any(person is not None for person in people):
        return f"SELECT {keys} FROM desk.tickets t WHERE true{within}{first}"
    each = QUEUES if readable is None else f"SELECT unnest({readable}) AS id"
    types, of_type = "", ""
    if wanted.state_types:
        types = f" CROSS JOIN unnest({made.argument(sorted(set(wanted.state_types)), 'text[]')}) AS s(type)"
        of_type = " AND t.state_type = s.type"
    return (
        f"SELECT t.* FROM ({each}) AS q{types} CROSS JOIN LATERAL"
        f" (SELECT {keys} FROM desk.tickets t WHERE t.queue_id = q.id{of_type}{first}) AS t"
    )


def _own_parts(made: Statement, scope: Scope, wanted: Filters) -> list[str]:
    """Somebody's own tickets and those of their company, each ticket in one part only, without those that the desk part has."""
    if scope.everything or not (scope.customers or scope.company is not None):
        return []
    less = f" AND t.queue_id <> ALL({made.argument(list(scope.queues), 'uuid[]')})" if scope.queues else ""
    if wanted.queues is not None:
        less += f" AND t.queue_id = ANY({made.argument(list(wanted.queues), 'uuid[]')})"
    # A part for each id: the index has a customer's tickets in order, not several customers'.
    parts = [f"t.customer_id = {made.argument(customer, 'uuid')}{less}" for customer in scope.customers]
    if scope.company is not None:
        others = (
            f" AND t.customer_id <> ALL({made.argument(list(scope.customers), 'uuid[]')})" if scope.customers else ""
        )
        parts.append(f"t.company = {made.argument(scope.company, 'text')}{others}{less}")
    return parts


def _conditions(made: Statement, wanted: Filters) -> list[str]:
    found: list[str] = []
    many = (("state_slug", wanted.states), ("state_type", wanted.state_types))
    found += [f"t.{column} = ANY({made.argument(list(values), 'text[]')})" for column, values in many if values]
    for where, value in wanted.columns.conditions():
        if isinstance(where, Where):
            found.append(where.condition.format(made.argument(value, where.type)))
        else:
            found.append(where.true if value else where.false)
    either = (("customer_id", wanted.customers, "uuid[]"), ("customer_email", wanted.addresses, "text[]"))
    asked = [f"t.{column} = ANY({made.argument(list(values), kind)})" for column, values, kind in either if values]
    if asked:
        found.append(f"({' OR '.join(asked)})")
    people = (("owner_id", wanted.owner), ("responsible_id", wanted.responsible), ("locked_by_id", wanted.locked_by))
    found += [f"t.{column} = {made.argument(person, 'uuid')}" for column, person in people if person is not None]
    if wanted.not_locked_by_others is not None:
        person = made.argument(wanted.not_locked_by_others, "uuid")
        found.append(f"(t.locked_by_id IS NULL OR t.locked_by_id = {person})")
    return found


def _after(made: Statement, order: list[tuple[str, str]], after: Sequence[Any]) -> str:
    """Rows behind a position: column by column, because the directions differ. The first column bounds the index scan."""
    position = [made.argument(value, kind) for value, kind in zip(after, column_types(order), strict=True)]
    tests: list[str] = []
    for n, (column, direction) in enumerate(order):
        equal = [f"t.{c} = {p}" for (c, _), p in zip(order[:n], position[:n], strict=True)]
        tests.append(
            "(" + " AND ".join([*equal, f"t.{column} {'<' if direction == 'DESC' else '>'} {position[n]}"]) + ")"
        )
    first, direction = order[0]
    return f"t.{first} {'<=' if direction == 'DESC' else '>='} {position[0]} AND ({' OR '.join(tests)})"


def column_types(order: list[tuple[str, str]]) -> list[str]:
    """The SQL types of an order's columns."""
    return [TICKETS_TABLE.columns[column].type for column, _ in order]
