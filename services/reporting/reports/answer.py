"""A report's answer: its columns and rows, with the names of today."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from services.reporting.reports.catalogue import INTERVAL, Column, Report, by_column
from services.reporting.reports.figures import COMPUTED, Figures, Group, TooMuch, undone
from services.reporting.reports.question import Question
from shared.database import Connection, Pool
from shared.directory.copy import Queues

MOST_ROWS = 20_000
MEMORY = "SET LOCAL work_mem = '32MB'"
IN_ORDER = "SET LOCAL random_page_cost = 4"
"""Where the indexes do not hold all that is needed, so many rows are read from the table in its own order."""
LOGINS = "SELECT id, slug FROM directory.documents WHERE kind = 'person' AND id = ANY($1)"
NUMBERS = "SELECT id, number FROM reports.tickets WHERE id = ANY($1)"
Names = dict[UUID, str]
What = Literal["queue", "person", "ticket"]
NAMED: dict[str, What] = {
    "queue": "queue",
    "from": "queue",
    "to": "queue",
    "owner": "person",
    "person": "person",
    "ticket": "ticket",
}
"""Columns whose values are ids, and of what."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`undone`: how many decisions in this time were undone, and count nowhere."""

    report: Report
    start: datetime
    end: datetime
    as_of: datetime
    undone: int
    columns: Sequence[Column]
    rows: Sequence[Sequence[Any]]


async def answer(pool: Pool, report: Report, question: Question, queues: Queues) -> Answer:
    """Computes a report from one snapshot. Raises TooMuch."""
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        await connection.execute(MEMORY)
        if not question.answered_by_indexes:
            await connection.execute(IN_ORDER)
        found = await COMPUTED[report.name](connection, question)
        count = await undone(connection, question)
        groups = _groups(report, question, found)
        names = await _names(connection, report, question, groups, queues)
    shown = [(group, _named(report, question, group, names)) for group in groups]
    if report.past:
        shown.sort(key=lambda each: [(value is None, value if value is not None else "") for value in each[1]])
    intervals = range(1, question.period.count + 1)
    if len(shown) * len(intervals) > MOST_ROWS:
        raise TooMuch(
            f"This has more than {MOST_ROWS} rows. Ask for longer intervals, a shorter time, or with a filter."
        )
    rows = [
        _row(report, question, bucket, values, found.get((bucket, group), {}))
        for bucket in intervals
        for group, values in shown
    ]
    period = question.period
    return Answer(report, period.start, period.end, question.now, count, columns(report, question), rows)


def columns(report: Report, question: Question) -> list[Column]:
    """The columns of an answer: the interval, the `by` value, the report's keys, the figures."""
    shown = [INTERVAL] if question.by != "day" and question.period.firsts is not None else []
    shown += [by_column(question.by)] if question.by is not None else []
    return [*shown, *report.keys, *report.figures]


def _columns_of_group(report: Report, question: Question) -> list[str]:
    return [question.by or "", *(column.name for column in report.keys)]


def _groups(report: Report, question: Question, found: Figures) -> list[Group]:
    """What the rows of each interval are for: everything that was counted in any of them."""
    if not report.keys and question.by in (None, "day"):
        return [(None,)]
    groups = list(dict.fromkeys(group for _, group in found))
    divided = question.by == "day" or question.period.firsts is not None
    return groups or ([(None,) * (1 + len(report.keys))] if divided else [])


async def _names(
    connection: Connection, report: Report, question: Question, groups: Sequence[Group], queues: Queues
) -> Names:
    """The names of today of everything that rows are for, by id."""
    wanted: dict[str, set[UUID]] = {"queue": set(), "person": set(), "ticket": set()}
    for n, column in enumerate(_columns_of_group(report, question)):
        if column in NAMED:
            wanted[NAMED[column]] |= {group[n] for group in groups if group[n] is not None}
    names: Names = {each: str(each) for ids in wanted.values() for each in ids}
    names |= {each: queue.slug for each in wanted["queue"] if (queue := queues.by_id.get(each)) is not None}
    for text, ids in ((LOGINS, wanted["person"]), (NUMBERS, wanted["ticket"])):
        if ids:
            names |= {row[0]: row[1] for row in await connection.fetch(text, list(ids))}
    return names


def _named(report: Report, question: Question, group: Group, names: Names) -> Group:
    columns = _columns_of_group(report, question)
    return tuple(
        names[value] if column in NAMED and value is not None else value
        for column, value in zip(columns, group, strict=True)
    )


def _row(report: Report, question: Question, bucket: int, group: Group, figures: dict[str, Any]) -> list[Any]:
    """`group`: the names."""
    firsts = question.period.firsts
    first = [firsts[bucket - 1].isoformat()] if firsts is not None else []
    by = [] if question.by in (None, "day") else [group[0]]
    numbers = [figures.get(column.name, _zero(column)) for column in report.figures]
    return [*first, *by, *group[1:], *numbers]


def _zero(column: Column) -> int | None:
    """What a figure is where nothing was counted: a mean or a quantile of nothing is empty."""
    empty = column.unit == "percent" or (column.unit == "minutes" and column.name != "minutes")
    return None if empty else 0
