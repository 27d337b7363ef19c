"""`GET /tickets`: filters, order and pages in one statement that the indexes support.

For agents, the statement takes the first rows of each readable queue from the queue's own index and merges them, so
that a page costs the same however many tickets the queues hold. Permission is part of the statement: there is no list
without a scope. What somebody sees as a customer comes from a view that lacks what is internal.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from services.reporting.tickets.read_model.ticket_row import TICKETS_TABLE, ColumnFilters, Where
from services.reporting.visibility import Scope

Sort = Literal[
    "default", "created_at", "-created_at", "updated_at", "-updated_at", "priority", "-priority", "due_at", "-due_at"
]  # fmt: skip
ORDERS: dict[str, list[tuple[str, str]]] = {
    "default": [("priority", "DESC"), ("created_at", "ASC"), ("id", "ASC")],
    "created_at": [("created_at", "ASC"), ("id", "ASC")],
    "-created_at": [("created_at", "DESC"), ("id", "DESC")],
    "updated_at": [("updated_at", "ASC"), ("id", "ASC")],
    "-updated_at": [("updated_at", "DESC"), ("id", "DESC")],
    "priority": [("priority", "ASC"), ("created_at", "ASC"), ("id", "ASC")],
    "-priority": [("priority", "DESC"), ("created_at", "ASC"), ("id", "ASC")],
    "due_at": [("due_at", "ASC"), ("created_at", "ASC"), ("id", "ASC")],
    "-due_at": [("due_at", "DESC"), ("created_at", "DESC"), ("id", "DESC")],
}
NULLABLE = frozenset(("due_at",))
"""Columns of orders that tickets may lack. Those without one come last, whatever the direction."""
MOST_COUNTED = 10_000
"""A list is counted up to here; of a longer one, only that it is longer is known."""
COLUMNS = tuple(column for column in TICKETS_TABLE.columns if column not in ("event_count", "public_article_count"))
QUEUES = """
WITH RECURSIVE q(id) AS (
    (SELECT queue_id FROM desk.tickets ORDER BY queue_id LIMIT 1)
     UNION ALL
    SELECT (SELECT t.queue_id FROM desk.tickets t WHERE t.queue_id > q.id ORDER BY t.queue_id LIMIT 1)
      FROM q
     WHERE q.id IS NOT NULL
)
SELECT id FROM q WHERE id IS NOT NULL
"""
"""Every queue that has tickets, by one probe of the index for each (a loose index scan)."""


@dataclass(frozen=True, slots=True)
class Filters:
    """What a list is filtered by: `columns` as they were given, the others as they were looked up.

    An empty tuple or None does not filter; `queues` None means every queue of the scope. A ticket
    matches `customers` and `addresses` if either names its customer or the address that they asked from.
    """

    columns: ColumnFilters = ColumnFilters()
    queues: tuple[UUID, ...] | None = None
    states: tuple[str, ...] = ()
    state_types: tuple[str, ...] = ()
    owner: tuple[UUID, ...] = ()
    responsible: tuple[UUID, ...] = ()
    locked_by: tuple[UUID, ...] = ()
    not_locked_by_others: UUID | None = None
    customers: tuple[UUID, ...] = ()
    addresses: tuple[str, ...] = ()
    unchanged_since: datetime | None = None
    """Only tickets that existed then and have not changed since: they are now as they were."""
    without: UUID | None = None
    """Not this ticket."""


@dataclass(slots=True)
class Arguments:
    """The arguments of a statement, numbered as they are added."""

    values: list[Any] = field(default_factory=list)

    def add(self, value: Any, kind: str) -> str:
        """The placeholder of a new argument of an SQL type."""
        self.values.append(value)
        return f"${len(self.values)}::{kind}"


def statement(
    scope: Scope, filters: Filters, sort: str, after: Sequence[Any] | None, limit: int
) -> tuple[str, list[Any]]:
    """The statement for one page, and its arguments. `after` is the position of the row before, in the order's columns.

    Rows that somebody reads as an agent come from the table, all others from the view for customers: a filter cannot
    find there what a customer could not see.
    """
    arguments = Arguments()
    order = ORDERS[sort]
    conditions = ["t.state_type <> 'removed'", *conditions_of(arguments, filters)]
    keys = ", ".join(dict.fromkeys(["t.id", *(f"t.{column}" for column, _ in order)]))
    ordered = ordering(order)
    found: list[str] = []
    tables: dict[str, None] = {}
    for part in parts_of(arguments, order, after):
        rest = "".join(f" AND {condition}" for condition in (*conditions, *part.conditions))
        # A literal and not an argument: the planner must know that few rows are wanted.
        sources = _sources(arguments, scope, filters, keys, f"{rest} ORDER BY {part.order} LIMIT {int(limit)}")
        if not sources:
            return "SELECT * FROM desk.customer_tickets WHERE false", []
        tables |= dict.fromkeys(sources)
        found.append(
            " UNION ALL ".join(
                f"SELECT t.*, '{source}' AS source FROM ({each}) AS t"
                for source, some in sources.items()
                for each in some
            )
        )
    there, last = "", found[-1]
    if len(found) == 2:  # what lacks the first column is read only if the page is not full yet
        there = f"with_value AS MATERIALIZED ({found[0]}), "
        full = f"(SELECT count(*) FROM with_value) >= {int(limit)}"
        last = f"SELECT * FROM with_value UNION ALL SELECT * FROM ({last}) AS t WHERE NOT {full}"
    rows = " UNION ALL ".join(
        f"SELECT {', '.join(f't.{column}' for column in COLUMNS)} FROM page JOIN {source} t ON t.id = page.id"
        f" WHERE page.source = '{source}'"
        for source in tables
    )
    return (
        f"WITH {there}page AS MATERIALIZED (SELECT * FROM ({last}) AS t ORDER BY {ordered} LIMIT {int(limit)})"
        f" SELECT * FROM ({rows}) AS t ORDER BY {ordered}",
        arguments.values,
    )


def count_statement(scope: Scope, filters: Filters) -> tuple[str, list[Any]]:
    """The statement that counts a list up to MOST_COUNTED + 1, and its arguments. It finds what `statement` finds."""
    arguments = Arguments()
    rest = "".join(f" AND {each}" for each in ("t.state_type <> 'removed'", *conditions_of(arguments, filters)))
    most = MOST_COUNTED + 1
    sources = _sources(arguments, scope, filters, "t.id", f"{rest} LIMIT {most}")
    if not sources:
        return "SELECT 0", []
    found = " UNION ALL ".join(f"({part})" for parts in sources.values() for part in parts)
    return f"SELECT count(*) FROM (SELECT FROM ({found}) AS t LIMIT {most}) AS t", arguments.values


def _sources(arguments: Arguments, scope: Scope, filters: Filters, keys: str, first: str) -> dict[str, list[str]]:
    """Table or view -> queries for the `keys` of what somebody may see there, each ending in `first`."""
    sources: dict[str, list[str]] = {}
    for_agents = _agents_part(arguments, scope, filters, keys, first)
    if for_agents is not None:
        sources["desk.tickets"] = [for_agents]
    for_customers = _customers_parts(arguments, scope, filters)
    if for_customers:
        sources["desk.customer_tickets"] = [
            f"SELECT {keys} FROM desk.customer_tickets t WHERE {part}{first}" for part in for_customers
        ]
    return sources


def every_row(arguments: Arguments, scope: Scope, filters: Filters) -> str:
    """The rows of a whole list as a subquery, in any order: for work that reads all of it and not a page.

    Permission is part of it, as it is of `statement`.
    """
    rest = " AND ".join(("t.state_type <> 'removed'", *conditions_of(arguments, filters)))
    sources: list[tuple[str, str]] = []
    queues = read_as_agent(scope, filters)
    if queues is None:
        sources.append(("desk.tickets", "true"))
    elif queues:
        sources.append(("desk.tickets", f"t.queue_id = ANY({arguments.add(queues, 'uuid[]')})"))
    sources += [("desk.customer_tickets", part) for part in _customers_parts(arguments, scope, filters)]
    columns = ", ".join(f"t.{column}" for column in COLUMNS)
    parts = [f"SELECT {columns} FROM {source} t WHERE {part} AND {rest}" for source, part in sources]
    return " UNION ALL ".join(parts or [f"SELECT {columns} FROM desk.customer_tickets t WHERE false AND {rest}"])


def _agents_part(arguments: Arguments, scope: Scope, filters: Filters, keys: str, first: str) -> str | None:
    """The first rows of the queues that are read as an agent, from the index that suits the filters best."""
    queues = read_as_agent(scope, filters)
    if queues == []:
        return None
    readable = None if queues is None else arguments.add(queues, "uuid[]")
    within = "" if readable is None else f" AND t.queue_id = ANY({readable})"
    lookups: list[tuple[str, str, str]] = []
    others = ""
    if filters.columns.id:
        lookups.append(("id", arguments.add(sorted(set(filters.columns.id)), "uuid[]"), ""))
    elif filters.customers:
        ids = arguments.add(sorted(set(filters.customers)), "uuid[]")
        lookups.append(("customer_id", ids, ""))
        others = f" AND t.customer_id <> ALL({ids})"
    if filters.addresses and not filters.columns.id:
        lookups.append(("customer_email", arguments.add(sorted(set(filters.addresses)), "text[]"), others))
    if not lookups and filters.columns.company:
        lookups.append(("company", arguments.add(sorted(set(filters.columns.company)), "text[]"), ""))
    if lookups:
        return " UNION ALL ".join(
            f"SELECT t.* FROM unnest({values}) AS v(value) CROSS JOIN LATERAL"
            f" (SELECT {keys} FROM desk.tickets t WHERE t.{column} = v.value{excluded}{within}{first}) AS t"
            for column, values, excluded in lookups
        )
    people = (filters.owner, filters.responsible, filters.locked_by)
    if filters.columns.tag or any(people):
        return f"SELECT {keys} FROM desk.tickets t WHERE true{within}{first}"
    each = QUEUES if readable is None else f"SELECT unnest({readable}) AS id"
    types, of_type = "", ""
    if filters.state_types:
        types = f" CROSS JOIN unnest({arguments.add(sorted(set(filters.state_types)), 'text[]')}) AS s(type)"
        of_type = " AND t.state_type = s.type"
    return (
        f"SELECT t.* FROM ({each}) AS q{types} CROSS JOIN LATERAL"
        f" (SELECT {keys} FROM desk.tickets t WHERE t.queue_id = q.id{of_type}{first}) AS t"
    )


def read_as_agent(scope: Scope, filters: Filters) -> list[UUID] | None:
    """The queues that are read as an agent; None for every queue."""
    if scope.everything:
        return None if filters.queues is None else sorted(filters.queues)
    return sorted(scope.queues if filters.queues is None else set(filters.queues) & set(scope.queues))


def _customers_parts(arguments: Arguments, scope: Scope, filters: Filters) -> list[str]:
    """Somebody's own tickets and those of their company. No ticket is in two parts, or in the agents' part too."""
    if scope.everything or not (scope.customers or scope.company is not None):
        return []
    within = f" AND t.queue_id <> ALL({arguments.add(list(scope.queues), 'uuid[]')})" if scope.queues else ""
    if filters.queues is not None:
        within += f" AND t.queue_id = ANY({arguments.add(list(filters.queues), 'uuid[]')})"
    # A part for each id: the index has the tickets of one customer in order, not those of several.
    parts = [f"t.customer_id = {arguments.add(customer, 'uuid')}{within}" for customer in scope.customers]
    if scope.company is not None:
        others = (
            f" AND t.customer_id <> ALL({arguments.add(list(scope.customers), 'uuid[]')})" if scope.customers else ""
        )
        parts.append(f"t.company = {arguments.add(scope.company, 'text')}{others}{within}")
    return parts


def conditions_of(arguments: Arguments, filters: Filters) -> list[str]:
    """What the filters demand of a row `t` of `tickets`, but for its queue."""
    found: list[str] = []
    many = (("state_slug", filters.states), ("state_type", filters.state_types))
    found += [f"t.{column} = ANY({arguments.add(list(values), 'text[]')})" for column, values in many if values]
    for where, value in filters.columns.conditions():
        if isinstance(where, Where):
            found.append(where.condition.format(arguments.add(value, where.type)))
        else:
            found.append(where.true if value else where.false)
    either = (("customer_id", filters.customers, "uuid[]"), ("customer_email", filters.addresses, "text[]"))
    asked = [f"t.{column} = ANY({arguments.add(list(values), kind)})" for column, values, kind in either if values]
    if asked:
        found.append(f"({' OR '.join(asked)})")
    people = (("owner_id", filters.owner), ("responsible_id", filters.responsible), ("locked_by_id", filters.locked_by))
    found += [_one_of(arguments, column, chosen) for column, chosen in people if chosen]
    if filters.not_locked_by_others is not None:
        person = arguments.add(filters.not_locked_by_others, "uuid")
        found.append(f"(t.locked_by_id IS NULL OR t.locked_by_id = {person})")
    if filters.unchanged_since is not None:
        moment = arguments.add(filters.unchanged_since, "timestamptz")
        found += [f"t.updated_at <= {moment}", f"t.created_at <= {moment}"]
    if filters.without is not None:
        found.append(f"t.id <> {arguments.add(filters.without, 'uuid')}")
    return found


def _one_of(arguments: Arguments, column: str, ids: Sequence[UUID]) -> str:
    """One person is compared as such: the index then gives that person's tickets in the order of the list."""
    if len(ids) == 1:
        return f"t.{column} = {arguments.add(ids[0], 'uuid')}"
    return f"t.{column} = ANY({arguments.add(list(ids), 'uuid[]')})"


@dataclass(frozen=True, slots=True)
class Part:
    """A part of an order: the conditions of its rows, and their order."""

    conditions: list[str]
    order: str


def parts_of(arguments: Arguments, order: list[tuple[str, str]], after: Sequence[Any] | None) -> list[Part]:
    """The parts of an order, one behind the other, as far as they are behind a position.

    There is one part, or two if tickets may lack the first column: those that have it, and those that do not.
    """
    (first, _), *rest = order
    if first not in NULLABLE:
        return [Part([rows_behind(arguments, order, after)] if after is not None else [], ordering(order))]
    lacking = [f"t.{first} IS NULL"]
    if after is not None and after[0] is None:
        return [Part([*lacking, rows_behind(arguments, rest, after[1:])], ordering(rest))]
    having = [f"t.{first} IS NOT NULL"]
    if after is not None:
        having.append(rows_behind(arguments, order, after))
    within = ", ".join(f"t.{column} {direction}" for column, direction in order)
    return [Part(having, within), Part(lacking, ordering(rest))]


def behind(arguments: Arguments, order: list[tuple[str, str]], after: Sequence[Any]) -> str:
    """The condition that a row is behind a position, in any part of an order."""
    parts = (f"({' AND '.join(part.conditions)})" for part in parts_of(arguments, order, after))
    return f"({' OR '.join(parts)})"


def ordering(order: list[tuple[str, str]]) -> str:
    """What follows ORDER BY, for rows `t`."""
    last = {column: " NULLS LAST" if column in NULLABLE else "" for column, _ in order}
    return ", ".join(f"t.{column} {direction}{last[column]}" for column, direction in order)


def rows_behind(arguments: Arguments, order: list[tuple[str, str]], after: Sequence[Any]) -> str:
    """Rows behind a position: column by column, because directions differ. The first column bounds the index scan."""
    position = [arguments.add(value, kind) for value, kind in zip(after, column_types(order), strict=True)]
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
