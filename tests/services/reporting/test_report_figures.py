"""The reports say what an independent calculation says, however the events came in batches (docs/metrics.md)."""

from collections.abc import AsyncIterator
from copy import deepcopy
from itertools import chain
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from services.reporting.generations.projection_sets import projection_sets
from services.reporting.reports.fold import fold
from services.reporting.reports.rows import ReportedTicket
from services.reporting.reports.undone import take_back
from shared.contracts.envelope import Recorded
from shared.projections import sets
from tests.histories.compare import differences, question, told_and_named
from tests.histories.desk import Desk
from tests.histories.folding import Folding
from tests.histories.history import cases, in_order
from tests.services.reporting.reporting_database import ZONE, Reporting
from tests.services.reporting.reports_over_http import reports_over_http
from tests.specs.requirement import requirement

OSLO = ZoneInfo("Europe/Oslo")
HIDDEN = 3
REPORTS = projection_sets(ZONE)["reports"]


def history(count: int, seed: int = 1) -> list[Recorded]:
    return in_order(list(cases(seed, count, beside=0.5)))


@pytest.fixture
async def counted(live_desk: Reporting) -> AsyncIterator[tuple[Reporting, list[Recorded]]]:
    events = history(250)
    await Folding(live_desk.pool, [(REPORTS, 1)]).fold(events)
    yield live_desk, events


@requirement("A17.01", "A17.02", "A17.03", "A17.04", "A7.36", "A16.02", "A16.03", "A12.05", "A17.05")
async def test_every_figure_is_what_the_events_say(counted: tuple[Reporting, list[Recorded]]) -> None:
    reporting, events = counted
    desk, chance = Desk(), Random(11)
    told, names = told_and_named(desk, events)
    readable = [queue.id for queue in desk.queues][:-HIDDEN]
    names |= dict.fromkeys((queue.id for queue in desk.queues[-HIDDEN:]), None)  # type: ignore[arg-type]
    async with reports_over_http(reporting, desk, OSLO, hidden=HIDDEN) as ask:
        for _ in range(80):
            asked = question(chance, desk, OSLO, readable)
            if asked.report == "moves":
                continue  # moves to hidden queues are one row: see below
            assert await differences(asked, told, ask, names) == [], asked.path


async def test_moves_to_queues_that_one_may_not_know_of_have_no_name(
    counted: tuple[Reporting, list[Recorded]],
) -> None:
    reporting, events = counted
    desk = Desk()
    told, _ = told_and_named(desk, events)
    known = {queue.id: queue.slug for queue in desk.queues[:-HIDDEN]}
    wanted: dict[tuple[str, str | None], int] = {}
    for what, _, look, more in chain.from_iterable(story.counted for story in told):
        if what == "moved" and look.queue in known:
            key = known[look.queue], known.get(more["to"])
            wanted[key] = wanted.get(key, 0) + 1
    async with reports_over_http(reporting, desk, OSLO, hidden=HIDDEN) as ask:
        answer = await ask("/reports/moves?from=2025-01-01&to=2027-01-01")
    assert {(row[0], row[1]): row[2] for row in answer["rows"]} == wanted
    assert any(to is None for _, to in wanted)


async def test_batches_do_not_matter(live_desk: Reporting) -> None:
    events = history(60, seed=3)
    other = await sets.begin(live_desk.owner, REPORTS, live_desk.app_url)
    await Folding(live_desk.pool, [(REPORTS, 1)]).fold(events, size=7)
    await Folding(live_desk.pool, [(REPORTS, other)]).fold(events, size=100_000)
    assert await sets.differences(live_desk.owner, REPORTS, 1, other) == {"tickets": 0, "spans": 0, "facts": 0}


def test_a_ticket_without_an_undo_is_the_same_when_undos_are_looked_for() -> None:
    looked = 0
    for case in cases(2, 150):
        rows: dict[Any, ReportedTicket] = {}
        for event in case:
            rows[event.stream] = fold(rows.get(event.stream), event)
        for row in rows.values():
            if row.takes_back:
                continue
            before = deepcopy(row)
            take_back(row, row.new_facts, row.new_spans)
            assert row == before
            looked += 1
    assert looked > 100
