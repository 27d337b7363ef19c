"""What somebody may mean as they type: tickets, tags and addresses by their beginnings, of the tickets in sight."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from services.reporting.search.index.file import Reader
from services.reporting.search.query.filters import SqliteArguments
from services.reporting.search.text.words import asked_for, fold, words
from services.reporting.visibility import Scope

MOST_WORDS = 8
LEAST_LETTERS, LEAST_DIGITS = 2, 4
MOST_LOOKED_AT = 200
"""Different tags or addresses that begin so, whether or not the person may see a ticket with them."""


def tickets(reader: Reader, scope: Scope, text: str, limit: int) -> list[UUID]:
    """The newest tickets whose number begins so, or that have words with these beginnings in the title."""
    digits = "".join(text.split())
    found: list[UUID] = []
    for docs, column, visible, values in _roles(scope):
        arguments = SqliteArguments(list(values))
        if digits.isascii() and digits.isdigit() and len(digits) >= LEAST_DIGITS:
            low, high = arguments.one(digits), arguments.one(f"{digits}:")  # the character behind 9
            source, order = f"{docs} AS t WHERE t.number >= {low} AND t.number < {high}", "t.number"
        else:
            wanted = words(text)[:MOST_WORDS]
            if not wanted or max(map(len, wanted)) < LEAST_LETTERS:
                continue
            starts = " AND ".join(map(_start, wanted))
            match = arguments.one(f"{column} : ({starts})")
            source = f"titles CROSS JOIN {docs} AS t ON t.doc = titles.rowid WHERE titles MATCH {match}"
            order = "titles.rowid"
        statement = f"SELECT t.ticket FROM {source} AND {visible} ORDER BY {order} DESC LIMIT {int(limit)}"
        found += [UUID(bytes=row[0]) for row in reader.rows(statement, arguments.values)]
    return list(dict.fromkeys(found))[:limit]


def _start(word: str) -> str:
    """A word that begins so, or that is an inflection of this one."""
    terms = " OR ".join(f'"{each}"' for each in sorted(asked_for(word)))
    return f'("{fold(word)}" * OR {terms})'


def tags(reader: Reader, scope: Scope, text: str, limit: int) -> list[str]:
    """The tags that begin so, of tickets that the person reads as an agent."""
    return _distinct(
        reader, scope, "tags AS g", "g.folded", "g.tag", fold(text),
        "SELECT 1 FROM tags AS o CROSS JOIN docs AS t ON t.doc = o.doc WHERE o.folded = {0} AND o.tag = {1}", limit,
    )  # fmt: skip


def addresses(reader: Reader, scope: Scope, text: str, limit: int) -> list[str]:
    """The customers' addresses that begin so, of tickets that the person reads as an agent."""
    return _distinct(
        reader, scope, "docs AS g", "g.customer_email", "g.customer_email", text.strip().lower(),
        "SELECT 1 FROM docs AS t WHERE t.customer_email = {0} AND {1} IS NOT NULL", limit,
    )  # fmt: skip


def _distinct(
    reader: Reader, scope: Scope, table: str, key: str, shown: str, start: str, exists: str, limit: int
) -> list[str]:
    """Different values that begin so, each by one probe of an index, if a ticket in sight has it."""
    if not start or not (scope.everything or scope.queues):
        return []
    found: list[str] = []
    low, inclusive = start, True
    for _ in range(MOST_LOOKED_AT):
        sign = ">=" if inclusive else ">"
        row = reader.rows(
            f"SELECT {key}, {shown} FROM {table} WHERE {key} {sign} ? AND {key} < ? ORDER BY {key} LIMIT 1",
            (low, f"{start}\U0010ffff"),
        )
        if not row:
            break
        low, inclusive = row[0][0], False
        arguments = SqliteArguments()
        visible = _as_agent(scope, arguments)
        test = exists.format(arguments.one(row[0][0]), arguments.one(row[0][1]))
        if reader.rows(f"{test} AND {visible} LIMIT 1", arguments.values):
            found.append(row[0][1])
            if len(found) == limit:
                break
    return found


def _as_agent(scope: Scope, arguments: SqliteArguments) -> str:
    rights = "" if scope.everything else f"t.queue_id IN {arguments.add(scope.queues, 'uuid[]')} AND "
    return f"{rights}t.state_type <> 'removed'"


def _roles(scope: Scope) -> Iterator[tuple[str, str, str, tuple[Any, ...]]]:
    """As an agent and as a customer: the table of rows, the columns of titles, and the condition of what is in sight."""
    if scope.everything or scope.queues:
        arguments = SqliteArguments()
        yield "docs", "{title inside_title}", _as_agent(scope, arguments), tuple(arguments.values)
    if not scope.everything and (scope.customers or scope.company is not None):
        arguments = SqliteArguments()
        own = (
            f"t.customer_id IN {arguments.add(scope.customers, 'uuid[]')} OR t.company = {arguments.one(scope.company)}"
        )
        visible = f"({own}) AND t.queue_id NOT IN {arguments.add(scope.queues, 'uuid[]')} AND t.state_type <> 'removed'"
        yield "customer_docs", "{title}", visible, tuple(arguments.values)
