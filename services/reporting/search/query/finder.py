"""Finds tickets in the index: rights, filters and words in one statement, in an exact order.

Rows of the index are in the order in which tickets were first indexed, which is nearly that of their creation, but not
the same in every process. Therefore nothing depends on it: an order is by time and ticket id. If there are more hits
than are counted, blocks of rows are visited, the one with the best bound first, until no other can have better rows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from services.reporting.search.index.entries import company_key, customer_key, queue_key
from services.reporting.search.index.file import Reader
from services.reporting.search.index.schema import BLOCK
from services.reporting.search.query.filters import SqliteArguments, of_sqlite
from services.reporting.search.query.matching import Match, Names, keys_expression, match
from services.reporting.search.query.question import Question
from services.reporting.tickets.ticket_list import Filters, conditions_of
from services.reporting.visibility import Scope

SearchSort = Literal["relevance", "created_at", "-created_at", "updated_at", "-updated_at"]
COUNTED = 200
"""Hits that are counted exactly."""
FEW_QUEUES = 5
"""An agent of so few queues is helped by their keys in the index; for more, the rows are as quick."""
NAMED, TITLED, OTHERS = 0, 1, 2
"""Tiers of relevance: the number or address that was asked for, all words in the title, the rest."""

Position = tuple[int, int, bytes]
"""Of a hit in the order: its tier (0 if the order has none), its time in microseconds, its ticket's id."""


@dataclass(frozen=True, slots=True)
class Hit:
    position: Position
    ticket: UUID


@dataclass(frozen=True, slots=True)
class Found:
    """`count` is exact up to `COUNTED`; above, it is more than that."""

    hits: list[Hit]
    count: int

    @property
    def is_exact(self) -> bool:
        return self.count <= COUNTED


@dataclass(frozen=True, slots=True)
class Search:
    """What somebody searches for, with everything that it names looked up."""

    question: Question
    names: Names
    scope: Scope
    filters: Filters
    sort: SearchSort
    person: UUID | None = None


@dataclass(frozen=True, slots=True)
class _Part:
    """The tickets that somebody reads in one role. `where` has the conditions on the row `t` of `docs`."""

    docs: str
    words: str | None
    title: str | None
    title_is_enough: bool
    where: str
    first: str
    values: tuple[Any, ...]


def find(reader: Reader, search: Search, after: Position | None, limit: int) -> Found:
    """The hits after a position, and the number of all hits."""
    parts = list(_parts(reader, search))
    count, small = 0, []
    for part in parts:
        rows = _first_rows(reader, part)
        count += len(rows)
        small.append(rows)
    hits: list[Hit] = []
    for part, rows in zip(parts, small, strict=True):
        if len(rows) <= COUNTED:
            hits += _in_order(_of_few(reader, part, rows, search.sort), search.sort, after, limit)
        else:
            hits += _of_many(reader, part, search.sort, after, limit)
    return Found(_in_order(hits, search.sort, None, limit), count)


def _parts(reader: Reader, search: Search) -> Iterator[_Part]:
    """First what somebody reads as an agent, then what as a customer. No ticket is in both."""
    scope, filters = search.scope, search.filters
    if scope.everything or scope.queues:
        arguments = SqliteArguments()
        rights = [] if scope.everything else [f"t.queue_id IN {arguments.add(scope.queues, 'uuid[]')}"]
        keys = []
        wanted = filters.queues if filters.queues is not None else () if scope.everything else scope.queues
        if 0 < len(wanted) <= FEW_QUEUES:
            keys.append(keys_expression(map(queue_key, wanted)))
        yield from _part(reader, search, "docs", arguments, rights, keys, as_agent=True)
    if not scope.everything and _is_customer(reader, scope):
        arguments = SqliteArguments()
        own = f"t.customer_id IN {arguments.add(scope.customers, 'uuid[]')}"
        companys = f" OR t.company = {arguments.one(scope.company)}" if scope.company is not None else ""
        rights = [f"({own}{companys})", f"t.queue_id NOT IN {arguments.add(scope.queues, 'uuid[]')}"]
        keys = [*map(customer_key, scope.customers)]
        keys += [company_key(scope.company)] if scope.company is not None else []
        yield from _part(reader, search, "customer_docs", arguments, rights, [keys_expression(keys)], as_agent=False)


def _is_customer(reader: Reader, scope: Scope) -> bool:
    """Whether there is any ticket of the person or their company: agents mostly have none."""
    arguments = SqliteArguments()
    tests = [f"SELECT 1 FROM docs WHERE customer_id IN {arguments.add(scope.customers, 'uuid[]')}"]
    if scope.company is not None:
        tests.append(f"SELECT 1 FROM docs WHERE company = {arguments.one(scope.company)}")
    return bool(reader.rows(f"{' UNION ALL '.join(tests)} LIMIT 1", arguments.values))


def _part(
    reader: Reader,
    search: Search,
    docs: str,
    arguments: SqliteArguments,
    rights: list[str],
    keys: list[str],
    *,
    as_agent: bool,
) -> Iterator[_Part]:
    rights = [*rights, "t.state_type <> 'removed'"]
    filters = search.filters
    if filters.queues is not None:
        rights.append(f"t.queue_id IN {arguments.add(filters.queues, 'uuid[]')}")
    visible = " AND ".join(rights)
    merged = _merged_into(reader, search, docs, visible, arguments.values)
    found: Match = match(search.question, search.names, arguments, as_agent=as_agent)
    if found.nothing:
        return
    wanted = [*rights, *found.conditions, *map(of_sqlite, conditions_of(arguments, filters))]
    words = found.words
    if filters.customers and not filters.addresses:
        keys = [*keys, keys_expression(map(customer_key, filters.customers))]
    if words is not None and keys:
        words = " AND ".join([*keys, f"({words})"])
    yield _Part(
        docs=docs,
        words=words,
        title=found.title,
        title_is_enough=found.title_is_enough,
        where=" AND ".join(wanted),
        first=_first(search, merged, arguments),
        values=tuple(arguments.values),
    )


def _merged_into(reader: Reader, search: Search, docs: str, visible: str, values: Sequence[Any]) -> list[bytes]:
    """The living tickets of merged ones whose numbers were asked for, if the person may see the merged ones."""
    numbers = _numbers(search)
    if not numbers:
        return []
    arguments = SqliteArguments(list(values))
    statement = (
        f"SELECT DISTINCT t.living FROM {docs} AS t"
        f" WHERE t.number IN {arguments.add(numbers, 'text[]')} AND t.living IS NOT NULL AND {visible}"
    )
    return [row[0] for row in reader.rows(statement, arguments.values)]


def _numbers(search: Search) -> list[str]:
    return [t.number for clause in search.question.clauses for t in clause if t.number is not None and not t.without]


def _first(search: Search, merged: Sequence[bytes], arguments: SqliteArguments) -> str:
    """Whether the row is a ticket that was asked for by its number, or by its customer's address."""
    terms = [t for clause in search.question.clauses for t in clause if t.attribute is None and not t.without]
    numbers = [t.number for t in terms if t.number is not None]
    customers = [each for t in terms for each in search.names.customers.get(t, ())]
    addresses = [each for t in terms for each in search.names.addresses.get(t, ())]
    tests = [
        f"t.{column} IN {arguments.add(values, kind)}"
        for column, values, kind in (
            ("number", numbers, "text[]"),
            ("ticket", list(merged), "bytea[]"),
            ("customer_id", customers, "uuid[]"),
            ("customer_email", addresses, "text[]"),
        )
        if values
    ]
    return f"({' OR '.join(tests)})" if tests else "false"


_COLUMNS = "t.doc, t.ticket, t.created_at, t.updated_at"


def _source(part: _Part, table: str, expression: str | None, arguments: SqliteArguments) -> str:
    """The rows of a table of words that match, with their rows of `docs`; all of `docs` without an expression."""
    if expression is None:
        return f"FROM {part.docs} AS t WHERE {part.where}"
    # CROSS JOIN: SQLite keeps the order of the tables, so that the words come first.
    return (
        f"FROM {table} CROSS JOIN {part.docs} AS t ON t.doc = {table}.rowid"
        f" WHERE {table} MATCH {arguments.one(expression)} AND {part.where}"
    )


def _first_rows(reader: Reader, part: _Part) -> list[tuple[Any, ...]]:
    """All rows if there are few, else one more than are counted."""
    arguments = SqliteArguments(list(part.values))
    source = _source(part, "words", part.words, arguments)
    order = "words.rowid" if part.words is not None else "t.doc"
    statement = f"SELECT {_COLUMNS}, {part.first} {source} ORDER BY {order} DESC LIMIT {COUNTED + 1}"
    return reader.rows(statement, arguments.values)


def _of_few(reader: Reader, part: _Part, rows: Sequence[tuple[Any, ...]], sort: SearchSort) -> list[Hit]:
    titled: set[int] = set()
    if sort == "relevance" and part.title is not None and rows:
        arguments = SqliteArguments(list(part.values))
        table, expression = _titles(part)
        low, high = arguments.one(rows[-1][0]), arguments.one(rows[0][0])
        within = f"{table}.rowid BETWEEN {low} AND {high}"
        statement = f"SELECT rowid FROM {table} WHERE {table} MATCH {arguments.one(expression)} AND {within}"
        titled = {row[0] for row in reader.rows(statement, arguments.values)}
    return [_hit(row, sort, NAMED if row[4] else TITLED if row[0] in titled else OTHERS) for row in rows]


def _titles(part: _Part) -> tuple[str, str]:
    """Where the hits are found that have all words in the title. `titles` is read faster than one column of `words`."""
    assert part.title is not None
    if part.title_is_enough:
        return "titles", part.title
    return "words", f"({part.words}) AND {part.title}"


def _hit(row: tuple[Any, ...], sort: SearchSort, tier: int) -> Hit:
    _, ticket, created, updated, *_ = row
    time = updated if sort.endswith("updated_at") else created
    return Hit((tier if sort == "relevance" else 0, time, ticket), UUID(bytes=ticket))


def _in_order(hits: Sequence[Hit], sort: SearchSort, after: Position | None, limit: int) -> list[Hit]:
    key = _key(sort)
    wanted = [hit for hit in hits if after is None or key(hit.position) > key(after)]
    return sorted(wanted, key=lambda hit: key(hit.position))[:limit]


def _key(sort: SearchSort) -> Any:
    """The order of positions as ascending tuples."""
    if sort in ("created_at", "updated_at"):
        return lambda position: (position[0], position[1], int.from_bytes(position[2]))
    return lambda position: (position[0], -position[1], -int.from_bytes(position[2]))


def _of_many(reader: Reader, part: _Part, sort: SearchSort, after: Position | None, limit: int) -> list[Hit]:
    """The first hits after a position, tier by tier."""
    if sort != "relevance":
        return _of_tier(reader, part, sort, 0, after, limit)
    found: list[Hit] = []
    titled = _few_titled(reader, part)
    for tier in (NAMED, TITLED, OTHERS):
        if after is not None and tier < after[0]:
            continue
        if (tier == NAMED and part.first == "false") or (tier == TITLED and not part.title):
            continue
        behind = after if after is not None and after[0] == tier else None
        if tier == TITLED and titled is not None:
            hits = [_hit(row, sort, TITLED) for row in titled if not row[4]]
            found += _in_order(hits, sort, behind, limit - len(found))
        else:
            known = None if titled is None else [row[0] for row in titled]
            found += _of_tier(reader, part, sort, tier, behind, limit - len(found), known)
        if len(found) >= limit:
            break
    return found


def _few_titled(reader: Reader, part: _Part) -> list[tuple[Any, ...]] | None:
    """The rows that have all words in the title; None if they are many."""
    if part.title is None:
        return []
    arguments = SqliteArguments(list(part.values))
    table, expression = _titles(part)
    source = _source(part, table, expression, arguments)
    rows = reader.rows(f"SELECT {_COLUMNS}, {part.first} {source} LIMIT {COUNTED + 1}", arguments.values)
    return rows if len(rows) <= COUNTED else None


def _of_tier(
    reader: Reader,
    part: _Part,
    sort: SearchSort,
    tier: int,
    after: Position | None,
    limit: int,
    titled: Sequence[int] | None = None,
) -> list[Hit]:
    """Blocks are visited until the last wanted hit is better than the bound of the next block.

    `titled`: the rows of the tier before, if they are known.
    """
    column = "updated_at" if sort.endswith("updated_at") else "created_at"
    ascending = sort in ("created_at", "updated_at")
    bound, other, direction = ("min", "max", "ASC") if ascending else ("max", "min", "DESC")
    beyond = "" if after is None else f" WHERE {other}_{column} {'>=' if ascending else '<='} ?"
    blocks = reader.rows(
        f"SELECT block, {bound}_{column} FROM blocks{beyond} ORDER BY 2 {direction}, 1 {direction}",
        () if after is None else (after[1],),
    )
    table, expression = ("words", part.words)
    if sort == "relevance" and tier == TITLED:
        table, expression = _titles(part)
    key, found = _key(sort), list[Hit]()
    for block, best in blocks:
        if len(found) >= limit:
            worst = found[limit - 1].position[1]
            if (best > worst) if ascending else (best < worst):
                break
        arguments = SqliteArguments(list(part.values))
        source = _source(part, table, expression, arguments)
        row = f"{table}.rowid" if expression is not None else "t.doc"
        low, high = arguments.one(block * BLOCK), arguments.one(block * BLOCK + BLOCK - 1)
        where = [f"{row} BETWEEN {low} AND {high}"]
        if sort == "relevance":
            where.append(part.first if tier == NAMED else f"NOT coalesce({part.first}, false)")
            if tier == OTHERS and titled is not None:
                where.append(f"t.doc NOT IN ({', '.join(map(str, titled))})")
            elif tier == OTHERS and part.title is not None:
                titles, title = _titles(part)
                asked = arguments.one(title)
                where.append(
                    f"t.doc NOT IN (SELECT rowid FROM {titles} WHERE {titles} MATCH {asked}"
                    f" AND rowid BETWEEN {low} AND {high})"
                )
        if after is not None:
            time, ticket, sign = arguments.one(after[1]), arguments.one(after[2]), ">" if ascending else "<"
            where.append(f"(t.{column} {sign} {time} OR t.{column} = {time} AND t.ticket {sign} {ticket})")
        statement = (
            f"SELECT {_COLUMNS} {source} AND {' AND '.join(where)}"
            f" ORDER BY t.{column} {direction}, t.ticket {direction} LIMIT {int(limit)}"
        )
        found += [_hit(each, sort, tier) for each in reader.rows(statement, arguments.values)]
        found = sorted(found, key=lambda hit: key(hit.position))[:limit]
    return found
