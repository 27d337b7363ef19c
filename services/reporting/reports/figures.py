"""The figures of each report: for each interval, `by` value and key, from a few statements in one snapshot."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from services.reporting.reports.fold import MICROSECOND
from services.reporting.reports.intervals import cumulated
from services.reporting.reports.question import SPANS, TICKETS, Question
from services.reporting.reports.rows import Kind
from services.reporting.tickets.ticket_list import Arguments
from shared.database import Connection

Group = tuple[Any, ...]
"""The `by` value, then the values of the report's keys."""
Figures = dict[tuple[int, Group], dict[str, Any]]
"""By interval, counted from 1, and group. Figures that are missing are zero or empty."""
Computed = Callable[[Connection, Question], Awaitable[Figures]]

MOST_FETCHED = 200_000
"""Rows of one statement."""
QUANTILES = "percentile_cont(ARRAY[0.5, 0.9, 0.95]) WITHIN GROUP (ORDER BY {})"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECONDS = "(date_part('epoch', {}) * 1000000)::bigint"
"""Of a moment, since 1970."""
AGES = (
    ("under 1 day", timedelta(days=1)),
    ("1 to 3 days", timedelta(days=3)),
    ("3 to 7 days", timedelta(days=7)),
    ("7 to 30 days", timedelta(days=30)),
    ("30 to 90 days", timedelta(days=90)),
    ("90 days and more", None),
)


class TooMuch(Exception):
    """The answer would be too long, or takes too long. The message says what to do."""


async def fetch(connection: Connection, text: str, arguments: Arguments) -> list[asyncpg.Record]:
    """The rows of a statement. Raises TooMuch if there are more than any answer can hold."""
    rows = await connection.fetch(f"{text} LIMIT {MOST_FETCHED + 1}", *arguments.values)
    if len(rows) > MOST_FETCHED:
        raise TooMuch("This has too many different values. Ask for longer intervals, a shorter time, or with a filter.")
    return rows


def _numbers(*numbers: int) -> str:
    return ", ".join(map(str, numbers))


def _figures() -> Figures:
    return defaultdict(dict)


async def volume(connection: Connection, question: Question) -> Figures:
    arguments, found = Arguments(), _figures()
    names = {Kind.OPENED: "created", Kind.CLOSED: "closed", Kind.REOPENED: "reopened", Kind.ANSWERED: "answered"}
    kinds = _among((*names, Kind.MESSAGE))
    rows = await fetch(
        connection,
        f"SELECT {question.bucket(arguments)} AS bucket, {question.key(arguments)} AS key, t.kind, count(*) AS count,"
        f" count(*) FILTER (WHERE t.incoming) AS incoming {question.facts(arguments, f't.counts AND {kinds}')}"
        " GROUP BY 1, 2, 3",
        arguments,
    )
    for row in rows:
        figures = found[row["bucket"], (row["key"],)]
        if row["kind"] in names:
            figures[names[row["kind"]]] = row["count"]
        figures["messages_in"] = figures.get("messages_in", 0) + row["incoming"]
    for (bucket, group), count in (await _backlog(connection, question)).items():
        found[bucket, group]["backlog"] = count
    return found


async def _backlog(connection: Connection, question: Question) -> dict[tuple[int, Group], int]:
    """How many tickets are open right before the end of each interval."""
    if question.period.count == 1:
        return await _open_at_the_end(connection, question)
    return {
        (bucket, group): count
        for group, changes in (await _changes(connection, question, "t.open")).items()
        for bucket, count in enumerate(cumulated([each for each, _ in changes]))
        if count and 0 < bucket <= question.period.count
    }


async def _changes(
    connection: Connection,
    question: Question,
    condition: str,
    groups: Sequence[str] = (),
    *,
    moments: bool = False,
    joined: str = "",
) -> dict[Group, list[tuple[int, int]]]:
    """For each group: in which intervals spans began and ended, from interval 0, which is before the first one.

    Each interval has how many more began than ended. With `moments` it also has the sum of their beginnings less that
    of their ends, in microseconds since 1970. Only spans that reach into the time of the question count. `joined`: what
    else belongs to FROM.
    """
    found: dict[Group, list[tuple[int, int]]] = defaultdict(lambda: [(0, 0)] * (question.period.count + 2))
    for source, until in ((SPANS, "t.until"), (TICKETS, "'epoch'::timestamptz")):
        arguments = Arguments()
        edges = question.edges(arguments)
        over = source == SPANS
        within = f"{condition} AND t.since < {arguments.add(question.period.end, 'timestamptz')}"
        if over:
            within += f" AND t.until >= {arguments.add(question.period.start, 'timestamptz')}"
        key = ", ".join([f"{question.key(arguments)} AS key", *groups])
        # First by both intervals, because most spans are alike in them, and then by each of the two.
        both = (
            f"SELECT width_bucket(t.since, {edges}) AS began,"
            f" {f'width_bucket(t.until, {edges})' if over else question.period.count + 1} AS ended, count(*) AS count,"
            f" {_sum('t.since', moments)} AS since, {_sum(until, moments)} AS until, {key}"
            f" {question.rows(arguments, source + joined, within)} GROUP BY {_numbers(1, 2, *range(6, 7 + len(groups)))}"
        )
        names = ["key", *(group.rpartition(".")[2] for group in groups)]
        rows = await fetch(
            connection,
            f"SELECT v.bucket, sum(v.count)::bigint AS count, sum(v.moments) AS moments, {', '.join(names)}"
            f" FROM ({both}) AS p CROSS JOIN LATERAL"
            " (VALUES (p.began, p.count, p.since), (p.ended, -p.count, -p.until)) AS v(bucket, count, moments)"
            f" GROUP BY {_numbers(1, *range(4, 4 + len(names)))}",
            arguments,
        )
        for row in rows:
            changes, bucket = found[tuple(row[name] for name in names)], row["bucket"]
            changes[bucket] = (changes[bucket][0] + row["count"], changes[bucket][1] + int(row["moments"]))
    return found


def _sum(moment: str, wanted: bool) -> str:
    return f"sum({MICROSECONDS.format(moment)})" if wanted else "0"


async def _open_at_the_end(connection: Connection, question: Question) -> dict[tuple[int, Group], int]:
    counts = await _there_at_the_end(connection, question, "t.open")
    return {(1, group): count for group, count in counts.items()}


async def _there_at_the_end(
    connection: Connection, question: Question, condition: str, groups: Sequence[str] = (), *, joined: str = ""
) -> dict[Group, int]:
    """How many spans that meet a condition are there right before the end of the question's time."""
    counts: dict[Group, int] = defaultdict(int)
    for source, over in ((SPANS, " AND t.until >= {}"), (TICKETS, "")):
        arguments = Arguments()
        end = arguments.add(question.period.end, "timestamptz")
        chosen = question.rows(arguments, source + joined, f"{condition} AND t.since < {end}{over.format(end)}")
        columns = ", ".join([f"{question.key(arguments)} AS key", *groups])
        text = f"SELECT count(*) AS count, {columns} {chosen} GROUP BY {_numbers(*range(2, 3 + len(groups)))}"
        for row in await fetch(connection, text, arguments):
            counts[tuple(row)[1:]] += row["count"]
    return counts


async def times(connection: Connection, question: Question) -> Figures:
    found = _figures()
    for row in await _spread(connection, question, f"t.kind = {Kind.ANSWERED:d} AND t.minutes IS NOT NULL", "minutes"):
        found[row["bucket"], (row["key"],)] |= _spread_of(row, "minutes", "first_answer_")
    for row in await _spread(connection, question, f"t.kind = {Kind.CLOSED:d}", "minutes", "handling"):
        figures = found[row["bucket"], (row["key"],)]
        figures |= _spread_of(row, "minutes", "resolution_") | _spread_of(row, "handling", "handling_")
    for clock, name in (("first_answer", "first_answer_working_"), ("solution", "resolution_working_")):
        ended = f"{_among((Kind.KEPT, Kind.ENDED_LATE))} AND t.clock = '{clock}' AND t.minutes IS NOT NULL"
        for row in await _spread(connection, question, ended, "minutes"):
            found[row["bucket"], (row["key"],)] |= _spread_of(row, "minutes", name)
    return found


async def _spread(
    connection: Connection,
    question: Question,
    condition: str,
    *measures: str,
    groups: Sequence[str] = (),
    arguments: Arguments | None = None,
) -> list[asyncpg.Record]:
    """The count of facts, and the mean and quantiles of each measure, by interval, `by` value and `groups`."""
    arguments = arguments or Arguments()
    columns = [f"{question.bucket(arguments)} AS bucket", f"{question.key(arguments)} AS key", *groups]
    spread = ", ".join(
        f"avg(t.{each}) AS {each}_mean, {QUANTILES.format(f't.{each}')} AS {each}_quantiles" for each in measures
    )
    return await fetch(
        connection,
        f"SELECT {', '.join(columns)}, count(*) AS count, {spread}"
        f" {question.facts(arguments, f't.counts AND {condition}')} GROUP BY {_numbers(*range(1, 1 + len(columns)))}",
        arguments,
    )


def _spread_of(row: asyncpg.Record, measure: str, prefix: str = "") -> dict[str, Any]:
    p50, p90, p95 = row[f"{measure}_quantiles"]
    found = {"count": row["count"], "mean": row[f"{measure}_mean"], "p50": p50, "p90": p90, "p95": p95}
    return {prefix + name: value for name, value in found.items()}


async def agents(connection: Connection, question: Question) -> Figures:
    found = _figures()
    names = {Kind.ANSWERED: "answered", Kind.CLOSED: "closed", Kind.NOTE: "notes", Kind.CALL: "calls"}
    arguments = Arguments()
    rows = await fetch(
        connection,
        f"SELECT {question.bucket(arguments)} AS bucket, {question.key(arguments)} AS key, t.person_id, t.kind,"
        f" count(*) AS count, sum(t.units) AS units"
        f" {question.facts(arguments, f't.counts AND t.person_id IS NOT NULL AND {_among((*names, Kind.TIME))}')}"
        " GROUP BY 1, 2, 3, 4",
        arguments,
    )
    for row in rows:
        figures = found[row["bucket"], (row["key"], row["person_id"])]
        if row["kind"] == Kind.TIME:
            figures["time_units"] = float(row["units"])
        else:
            figures[names[row["kind"]]] = row["count"]
    for name, person in (("taken_over", "t.owner_id"), ("handed_on", "t.other_id")):
        arguments = Arguments()
        changed = f"t.counts AND t.kind = {Kind.OWNER:d} AND t.owner_id <> t.other_id"
        rows = await fetch(
            connection,
            f"SELECT {question.bucket(arguments)} AS bucket, {question.key(arguments)} AS key, {person} AS person,"
            f" count(*) AS count {question.facts(arguments, changed)} GROUP BY 1, 2, 3",
            arguments,
        )
        for row in rows:
            found[row["bucket"], (row["key"], row["person"])][name] = row["count"]
    first = f"t.kind = {Kind.ANSWERED:d} AND t.minutes IS NOT NULL AND t.person_id IS NOT NULL"
    for row in await _spread(connection, question, first, "minutes", groups=["t.person_id"]):
        found[row["bucket"], (row["key"], row["person_id"])]["first_answer_p50"] = row["minutes_quantiles"][0]
    for name, person in (("open_now", "t.owner_id"), ("locked_now", "t.locked_by_id")):
        arguments = Arguments()
        chosen = question.rows(arguments, TICKETS, f"t.open AND {person} IS NOT NULL")
        text = f"SELECT {question.key(arguments)} AS key, {person} AS person, count(*) AS count {chosen} GROUP BY 1, 2"
        for row in await fetch(connection, text, arguments):
            for bucket in range(1, question.period.count + 1):
                found[bucket, (row["key"], row["person"])][name] = row["count"]
    return found


async def states(connection: Connection, question: Question) -> Figures:
    found = _figures()
    entries = (Kind.OPENED, Kind.CLOSED, Kind.REOPENED, Kind.STATE, Kind.MERGED)
    arguments = Arguments()
    # A ticket is opened as a new one, whatever its fact's other columns say in a republished topic.
    state = f"CASE WHEN t.kind = {Kind.OPENED:d} THEN 'new' ELSE t.state_slug END"
    rows = await fetch(
        connection,
        f"SELECT {question.bucket(arguments)} AS bucket, {question.key(arguments)} AS key, {state} AS state,"
        f" count(*) AS count {question.facts(arguments, f't.counts AND {_among(entries)}')} GROUP BY 1, 2, 3",
        arguments,
    )
    for row in rows:
        found[row["bucket"], (row["key"], row["state"])]["entered"] = row["count"]
    for key, minutes in (await _minutes_in_states(connection, question)).items():
        found[key]["minutes"] = minutes
    return found


async def _minutes_in_states(connection: Connection, question: Question) -> dict[tuple[int, Group], float]:
    """How long tickets were in each state in each interval, until now at the latest.

    Of N spans that began before a moment T and are not over, N·T less the sum of their beginnings has passed at T. Those
    that are over are in it with their beginnings and ends. Counted in whole microseconds, so that nothing is rounded.
    """
    latest = max(question.now, question.period.start)
    if question.period.count == 1:
        return await _minutes_of_one_interval(connection, question, min(question.period.end, latest))
    moments = [(min(edge, latest) - EPOCH) // MICROSECOND for edge in question.period.edges]
    found = {}
    changes = await _changes(connection, question, "t.state_type <> 'removed'", ["t.state_slug"], moments=True)
    for group, each in changes.items():
        counts, sums = cumulated([count for count, _ in each]), cumulated([moment for _, moment in each])
        passed = [count * moment - total for count, moment, total in zip(counts, moments, sums, strict=False)]
        for bucket in range(1, question.period.count + 1):
            if passed[bucket] != passed[bucket - 1]:
                found[bucket, group] = (passed[bucket] - passed[bucket - 1]) / 60_000_000
    return found


async def _minutes_of_one_interval(
    connection: Connection, question: Question, end: datetime
) -> dict[tuple[int, Group], float]:
    """The same for one interval, span by span."""
    found: dict[tuple[int, Group], float] = defaultdict(float)
    for source, until in ((SPANS, "t.until"), (TICKETS, None)):
        arguments = Arguments()
        first, last = (arguments.add(moment, "timestamptz") for moment in (question.period.start, end))
        within = f"t.state_type <> 'removed' AND t.since < {last}" + (f" AND {until} > {first}" if until else "")
        over = f"least({until}, {last})" if until else last
        passed = f"sum({MICROSECONDS.format(over)} - {MICROSECONDS.format(f'greatest(t.since, {first})')})"
        text = f"SELECT {question.key(arguments)} AS key, t.state_slug, {passed} AS passed"
        rows = await fetch(connection, f"{text} {question.rows(arguments, source, within)} GROUP BY 1, 2", arguments)
        for row in rows:
            found[1, (row["key"], row["state_slug"])] += int(row["passed"]) / 60_000_000
    return found


async def moves(connection: Connection, question: Question) -> Figures:
    found = _figures()
    arguments, target = Arguments(), "t.other_id"
    if question.known is not None:  # moves to queues that the caller may not know of are together, under no name
        target = f"CASE WHEN t.other_id = ANY({arguments.add(sorted(question.known), 'uuid[]')}) THEN t.other_id END"
    groups = ["t.queue_id AS origin", f"{target} AS target"]
    kind = f"t.kind = {Kind.MOVED:d}"
    for row in await _spread(connection, question, kind, "minutes", groups=groups, arguments=arguments):
        found[row["bucket"], (row["key"], row["origin"], row["target"])] = _spread_of(row, "minutes")
    return found


async def deadlines(connection: Connection, question: Question) -> Figures:
    arguments, found = Arguments(), _figures()
    names = {Kind.KEPT: "kept", Kind.BROKEN: "broken"}
    rows = await fetch(
        connection,
        f"SELECT {question.bucket(arguments)} AS bucket, {question.key(arguments)} AS key, t.sla, t.clock, t.kind,"
        f" count(*) AS count {question.facts(arguments, f't.counts AND {_among(names)}')} GROUP BY 1, 2, 3, 4, 5",
        arguments,
    )
    for row in rows:
        found[row["bucket"], (row["key"], row["sla"], row["clock"])][names[row["kind"]]] = row["count"]
    for figures in found.values():
        kept, broken = figures.get("kept", 0), figures.get("broken", 0)
        figures["share"] = 100 * kept / (kept + broken)
    for (bucket, (key, name)), count in (await _running(connection, question)).items():
        clock, _, sla = name.partition(" ")
        found[bucket, (key, sla, clock)]["running"] = count
    return found


async def _running(connection: Connection, question: Question) -> dict[tuple[int, Group], int]:
    """How many clocks run right before the end of each interval."""
    joined, groups = " CROSS JOIN LATERAL unnest(t.running) AS clocks(name)", ["clocks.name"]
    if question.period.count == 1:
        there = await _there_at_the_end(connection, question, "t.running IS NOT NULL", groups, joined=joined)
        return {(1, group): count for group, count in there.items()}
    changes = await _changes(connection, question, "t.running IS NOT NULL", groups, joined=joined)
    return {
        (bucket, group): count
        for group, each in changes.items()
        for bucket, count in enumerate(cumulated([number for number, _ in each]))
        if count and 0 < bucket <= question.period.count
    }


async def time(connection: Connection, question: Question) -> Figures:
    arguments = Arguments()
    rows = await fetch(
        connection,
        f"SELECT {question.bucket(arguments)} AS bucket, {question.key(arguments)} AS key, sum(t.units) AS units"
        f" {question.facts(arguments, f't.counts AND t.kind = {Kind.TIME:d}')} GROUP BY 1, 2",
        arguments,
    )
    return {(row["bucket"], (row["key"],)): {"time_units": float(row["units"])} for row in rows}


async def age(connection: Connection, question: Question) -> Figures:
    arguments = Arguments()
    limits = [question.now - age for _, age in reversed(AGES) if age is not None]
    bounds = arguments.add(limits, "timestamptz[]")
    rows = await fetch(
        connection,
        f"SELECT width_bucket(t.created_at, {bounds}) AS part, count(*) AS count"
        f" {question.rows(arguments, TICKETS, 't.open')} GROUP BY 1",
        arguments,
    )
    counts = {row["part"]: row["count"] for row in rows}
    return {(1, (None, name)): {"count": counts.get(len(limits) - n, 0)} for n, (name, _) in enumerate(AGES)}


async def undone(connection: Connection, question: Question) -> int:
    """How many decisions of the time were undone, which count nowhere."""
    arguments = Arguments()
    chosen = question.facts(arguments, "t.undone")
    count: int = await connection.fetchval(f"SELECT count(DISTINCT t.event_id) {chosen}", *arguments.values)
    return count


def _among(kinds: Iterable[Kind]) -> str:
    return f"t.kind IN ({', '.join(f'{kind:d}' for kind in kinds)})"


COMPUTED: dict[str, Computed] = {
    "volume": volume,
    "times": times,
    "agents": agents,
    "states": states,
    "moves": moves,
    "deadlines": deadlines,
    "time": time,
    "age": age,
}
