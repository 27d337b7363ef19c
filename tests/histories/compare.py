"""Compares the reports of the API with those calculated by hand, for random questions on a history.

`python -m tests.histories.compare [tickets] [questions] [seed]` does it with a server of its own.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import chain
from math import isclose
from random import Random
from typing import Any
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

from shared.contracts.envelope import Recorded
from tests.histories import by_hand
from tests.histories.by_hand import Look, Story
from tests.histories.desk import Desk
from tests.histories.history import START, cases

Ask = Callable[[str], Awaitable[Any]]
"""Reads a path below `/api/v1` as JSON."""
BY = {
    "volume": ("queue", "topic", "tag", "channel", "company", "owner", "priority", "field.room", None),
    "times": ("queue", "topic", "tag", "channel", "company", "owner", "priority", "field.room", None),
    "agents": ("queue", None),
    "states": ("queue", None),
    "moves": (None,),
    "time": ("person", "queue", "company", "ticket", "day", None),
}
STATES = {"new": "new", "open": "open", "pending-reminder": "pending_reminder", "closed-successful": "closed",
          "merged": "merged"}  # fmt: skip


@dataclass(frozen=True)
class Question:
    """One request, and what it means."""

    report: str
    parameters: Mapping[str, Any]
    by: str | None
    edges: Sequence[datetime]
    firsts: Sequence[str | None]
    filters: Mapping[str, Any]

    @property
    def path(self) -> str:
        return f"/reports/{self.report}?{urlencode(self.parameters, doseq=True)}"

    def passes(self, look: Look) -> bool:
        tests: dict[str, Callable[[Any], bool]] = {
            "queue": lambda v: look.queue in v,
            "priority": lambda v: look.priority in v,
            "tag": lambda v: set(v) <= look.tags,
            "company": lambda v: look.company in v,
            "state": lambda v: look.state in v,
            "state_type": lambda v: look.type in v,
            "owner": lambda v: look.owner == v,
            "responsible": lambda v: look.responsible == v,
            "locked_by": lambda v: look.locked_by == v,
            "locked": lambda v: (look.locked_by is not None) is v,
            "customer": lambda v: look.customer in v,
            "created_from": lambda v: look.opened is not None and look.opened >= v,
            "created_to": lambda v: look.opened is not None and look.opened < v,
        }
        return all(tests[name](value) for name, value in self.filters.items())


def question(chance: Random, desk: Desk, zone: ZoneInfo, readable: Sequence[UUID]) -> Question:
    """A random one. `readable`: the queues that the caller may read, which count as a filter."""
    report = chance.choice(list(BY))
    by = chance.choice(BY[report])
    interval = chance.choice((None, None, "day", "week", "month")) if by != "day" else None
    days = chance.choice((1, 3, 20, 60) if "day" in (interval, by) else (1, 7, 60, 400))
    first = START.date() + timedelta(days=chance.randrange(-20, 380))
    last = first + timedelta(days=days)
    if chance.random() < 0.3:
        start = START + timedelta(seconds=chance.randrange(365 * 86400))
        end = start + timedelta(seconds=chance.randrange(days * 86400))
        parameters: dict[str, Any] = {"from": start.isoformat(), "to": end.astimezone(zone).isoformat()}
    else:
        start, end = _midnight(first, zone), _midnight(last, zone)
        parameters = {"from": first.isoformat(), "to": last.isoformat()}
    parameters |= {"by": by} if by else {}
    parameters |= {"interval": interval} if interval else {}
    asked, filters = _filters(chance, desk)
    filters.setdefault("queue", set(readable))
    filters["queue"] = set(filters["queue"]) & set(readable)
    edges, firsts = _divided(start, end, interval or ("day" if by == "day" else None), zone)
    return Question(report, parameters | asked, by, edges, firsts, filters)


def _filters(chance: Random, desk: Desk) -> tuple[dict[str, Any], dict[str, Any]]:
    """The same filters as parameters and as values."""
    agent, customer = chance.randrange(len(desk.agents)), chance.choice(desk.customers)
    queues = chance.sample(list(desk.queues), 2)
    moment = START + timedelta(days=chance.randrange(365))
    all_of_them: list[tuple[str, Any, Any]] = [
        ("queue", [q.slug for q in queues], {q.id for q in queues}),
        ("priority", [3, 5], {3, 5}),
        ("tag", ["vip"], ["vip"]),
        ("company", [c := f"firm-{chance.randrange(97)}"], {c}),
        ("state", [s := chance.choice(list(STATES))], {s}),
        ("state_type", [t := chance.choice(list(STATES.values()))], {t}),
        ("owner", f"agent{agent}", desk.agents[agent].id),
        ("responsible", f"agent{agent}", desk.agents[agent].id),
        ("locked_by", f"agent{agent}", desk.agents[agent].id),
        ("locked", "true", True),
        ("locked", "false", False),
        ("customer", [customer.email], {customer.id}),
        ("created_from", moment.isoformat(), moment),
        ("created_to", moment.isoformat(), moment),
    ]
    chosen = chance.sample(all_of_them, chance.choice((0, 0, 0, 1, 1, 2)))
    return {name: value for name, value, _ in chosen}, {name: meaning for name, _, meaning in chosen}


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def _divided(
    start: datetime, end: datetime, interval: str | None, zone: ZoneInfo
) -> tuple[list[datetime], list[str | None]]:
    """The edges of the intervals, found by walking from day to day, and their names."""
    if interval is None:
        return [start, end], [None]
    day = start.astimezone(zone).date()
    edges, firsts = [start], list[str | None]()
    name = (
        day - timedelta(days=day.weekday())
        if interval == "week"
        else day.replace(day=1)
        if interval == "month"
        else day
    )
    while edges[-1] < end or not firsts:
        firsts.append(name.isoformat())
        day += timedelta(days=1)
        while not (
            interval == "day" or (interval == "week" and day.weekday() == 0) or (interval == "month" and day.day == 1)
        ):
            day += timedelta(days=1)
        name = day
        edges.append(min(end, _midnight(day, zone)))
    return edges, list(firsts)


async def differences(asked: Question, told: Sequence[Story], ask: Ask, names: Mapping[UUID, str]) -> list[str]:
    """What the answer of the API says differently from the calculation by hand."""
    answer = await ask(asked.path)
    columns = [column["name"] for column in answer["columns"]]
    keys = [name for name in columns if name in ("person", "state", "from", "to") and name != asked.by]
    now = datetime.fromisoformat(answer["as_of"])
    got: dict[tuple[Any, ...], dict[str, Any]] = {}
    for values in answer["rows"]:
        row = dict(zip(columns, values, strict=True))
        first = row.pop("interval", None) if asked.by != "day" else row.pop("day")
        by = row.pop(asked.by) if asked.by not in (None, "day") else None
        group = (first, by, *(row.pop(key) for key in keys))
        figures = {name: value for name, value in row.items() if value not in (0, None)}
        if figures:
            got[group] = figures
    wanted: dict[tuple[Any, ...], dict[str, Any]] = {}
    for n, first in enumerate(asked.firsts):
        start, end = asked.edges[n], asked.edges[n + 1]
        for found, figures in by_hand.report(asked.report, told, start, end, asked.by, asked.passes, now).items():
            group = (first, *(names.get(value, value) for value in found))
            shown = {name: value for name, value in figures.items() if value not in (0, None)}
            if shown:
                wanted[group] = shown
    wrong = [f"{group}: {got.get(group)} is not {wanted.get(group)}" for group in {*got, *wanted}
             if not _alike(got.get(group, {}), wanted.get(group, {}))]  # fmt: skip
    undone = by_hand.undone(told, asked.edges[0], asked.edges[-1], asked.passes)
    if answer["undone"] != undone:
        wrong.append(f"undone: {answer['undone']} is not {undone}")
    shown_firsts = [*dict.fromkeys(row[0] for row in answer["rows"])]
    if asked.firsts != [None] and shown_firsts != list(asked.firsts):
        wrong.append(f"intervals: {shown_firsts} are not {asked.firsts}")
    return wrong


def _alike(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return one.keys() == other.keys() and all(
        isclose(one[name], other[name], rel_tol=1e-9, abs_tol=1e-6) for name in one
    )


def told_and_named(desk: Desk, events: Sequence[Recorded]) -> tuple[list[Story], dict[UUID, str]]:
    """The stories of a history, and the names of its queues, agents and tickets in the API."""
    told = by_hand.stories(events)
    names = {queue.id: queue.slug for queue in desk.queues}
    names |= {agent.id: f"agent{n}" for n, agent in enumerate(desk.agents)}
    names |= {look.ticket: look.number for story in told for _, look in story.looks[-1:]}
    return told, names


async def main(tickets: int, questions: int, seed: int) -> int:
    from tests.histories.database import reporting_with_history
    from tests.services.reporting.reports_over_http import reports_over_http

    desk, zone = Desk(), ZoneInfo("Europe/Oslo")
    told, names = told_and_named(desk, list(chain.from_iterable(cases(seed, tickets, desk))))
    chance, wrong = Random(seed), 0
    async with reporting_with_history(tickets, seed=seed, names=("reports",)) as reporting:
        async with reports_over_http(reporting, desk, zone) as ask:
            for n in range(questions):
                asked = question(chance, desk, zone, [queue.id for queue in desk.queues])
                started = time.perf_counter()
                found = await differences(asked, told, ask, names)
                wrong += bool(found)
                print(
                    f"{n:4} {time.perf_counter() - started:6.2f} s {asked.path} {'' if not found else found[:3]}",
                    flush=True,
                )
    print(f"{questions} questions, {wrong} answered differently")
    return 1 if wrong else 0


if __name__ == "__main__":
    numbers = [int(each) for each in sys.argv[1:]]
    sys.exit(asyncio.run(main(*[*numbers, *(2_000, 100, 1)[len(numbers) :]])))
