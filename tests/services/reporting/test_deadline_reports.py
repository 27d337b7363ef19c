"""How service levels were kept: the figures follow from the events of the clocks, and from nothing that changes later."""

from copy import deepcopy
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.reporting.analytics import views
from services.reporting.reports.fold import fold
from services.reporting.reports.rows import FACTS, SPANS, Kind, ReportedTicket, Span
from services.reporting.reports.undone import take_back
from shared.clocks.deadlines import apply, escalated, nearest_due
from shared.contracts.envelope import Actor
from shared.contracts.event import Event
from shared.contracts.parts import CalendarRef, SlaRef
from shared.contracts.routing import (
    DeadlineBroken,
    DeadlinesChanged,
    DeadlineWarned,
    PriorityChanged,
    StateChanged,
    TagsAdded,
)
from shared.rules.states import CLOSED_SUCCESSFUL, NEW, OPEN
from tests.services.reporting import test_reports_api as over_http
from tests.services.reporting.reporting_database import START, Log
from tests.services.reporting.reports_over_http import CUSTOMER
from tests.services.reporting.test_deadlines import GOLD, OFFICE, SILVER
from tests.services.reporting.test_reports_api import DAY, HR, IT, SECRET, Stage, closed, replied
from tests.specs.requirement import requirement

stage = over_http.stage
CLOCK = Actor("system", "clock")
MINUTE = timedelta(minutes=1)


def clock(
    change: str, name: str = "first_answer", *, sla: SlaRef = GOLD, used: float = 0, **more: Any
) -> DeadlinesChanged:
    state = {"paused": "paused", "kept": "kept", "ended": "broken", "withdrawn": "withdrawn"}.get(change, "running")
    return DeadlinesChanged(
        clock=name, change=change, at=START, sla=sla, since=START, minutes=20, used_minutes=used, state=state,
        due_at=START + 20 * MINUTE if state == "running" else None,
        ended_at=START if change in ("kept", "ended") else None, **more,
    )  # fmt: skip


def broken(name: str = "first_answer", sla: SlaRef = GOLD) -> DeadlineBroken:
    return DeadlineBroken(clock=name, due_at=START, sla=sla, fired_at=START)


async def follows(stage: Stage, ticket: UUID, cause: UUID, *payloads: Event) -> list[UUID]:
    """What follows from an event, in its transaction."""
    known = len(stage.log.events)
    stage.log.add(ticket, *payloads)
    at = next(each.time for each in stage.log.events if each.id == cause)
    made = [
        replace(each, causation_id=cause, actor=CLOCK, time=at, recorded_at=at) for each in stage.log.events[known:]
    ]
    stage.log.events[known:] = made
    await stage.reporting.show(made)
    return [each.id for each in made]


def first(stage: Stage) -> UUID:
    return stage.log.events[-1].id


@requirement("A21.14", "A4.07")
async def test_kept_broken_and_running_clocks_by_service_level(stage: Stage) -> None:
    for queue, sla, ends in (
        (IT, GOLD, "kept"),
        (IT, GOLD, "late"),
        (IT, GOLD, ""),
        (HR, SILVER, "kept"),
        (SECRET, GOLD, "kept"),
    ):
        ticket = await stage.open(str(uuid4()), queue=queue)
        await follows(stage, ticket, first(stage), clock("set", sla=sla), clock("set", "solution", sla=sla))
        if ends == "late":
            await stage.happen(ticket, broken(sla=sla))
        if ends:
            (reply,) = await stage.happen(ticket, replied())
            await follows(stage, ticket, reply, clock("kept" if ends == "kept" else "ended", sla=sla, used=12))
    report = await stage.report("deadlines", f"{DAY}&by=queue")
    assert [column["name"] for column in report["columns"]] == [
        "queue",
        "sla",
        "clock",
        "kept",
        "broken",
        "running",
        "share",
    ]
    figures = {(row[0], row[1], row[2]): tuple(row[3:]) for row in report["rows"]}
    assert figures == {
        (HR.slug, "silver", "first_answer"): (1, 0, 0, 100),
        (HR.slug, "silver", "solution"): (0, 0, 1, None),
        (IT.slug, "gold", "first_answer"): (1, 1, 1, 50),
        (IT.slug, "gold", "solution"): (0, 0, 3, None),
    }
    filtered = await stage.report("deadlines", f"{DAY}&queue={HR.slug}")
    assert [row[:2] for row in filtered["rows"]] == [["silver", "first_answer"], ["silver", "solution"]]
    by_company = await stage.report("deadlines", f"{DAY}&by=company")
    assert {row[0] for row in by_company["rows"]} == {"acme"}
    days = await stage.report("deadlines", "from=2026-11-22&to=2026-11-26&interval=day&queue=" + IT.slug)
    running = {(row[0], row[2]): row[5] for row in days["rows"]}
    assert [running[f"2026-11-{day}", "solution"] for day in (22, 23, 24, 25)] == [0, 3, 3, 3]
    assert [running[f"2026-11-{day}", "first_answer"] for day in (22, 23, 24, 25)] == [0, 1, 1, 1]
    assert (await stage.get(f"/reports/deadlines?{DAY}", CUSTOMER)).status_code == 403


@requirement("A21.14")
async def test_a_paused_or_withdrawn_clock_does_not_run(stage: Stage) -> None:
    ticket = await stage.open()
    await follows(stage, ticket, first(stage), clock("set"), clock("set", "solution"))
    await stage.happen(ticket, clock("paused"), clock("withdrawn", "solution"))
    assert await stage.row("deadlines", clock="first_answer") == {}
    await stage.happen(ticket, clock("resumed"))
    assert await stage.row("deadlines", clock="first_answer", sla="gold") == {"running": 1}
    assert await stage.row("deadlines", clock="solution") == {}


@requirement("A21.14", "A17.02")
async def test_what_was_kept_by_a_closing_that_was_undone_never_was(stage: Stage) -> None:
    ticket = await stage.open()
    await follows(stage, ticket, first(stage), clock("set"), clock("set", "solution"))
    (closing,) = await stage.happen(ticket, closed(NEW))
    await follows(stage, ticket, closing, clock("kept", used=2), clock("kept", "solution", used=2))
    assert await stage.row("deadlines", clock="solution", sla="gold") == {"kept": 1, "share": 100}
    (undo,) = await stage.happen(ticket, StateChanged(to=NEW, was=CLOSED_SUCCESSFUL, undoes=closing))
    await follows(stage, ticket, undo, clock("moved"), clock("moved", "solution"))
    report = await stage.report("deadlines")
    assert [row[2:] for row in report["rows"]] == [[0, 0, 1, None]] * 2
    assert report["undone"] == 1
    (again,) = await stage.happen(ticket, StateChanged(to=CLOSED_SUCCESSFUL, was=NEW, undoes=undo))
    await follows(stage, ticket, again, clock("kept", used=2), clock("kept", "solution", used=2))
    assert [row[2:] for row in (await stage.report("deadlines"))["rows"]] == [[1, 0, 0, 100]] * 2
    spans = await stage.reporting.pool.fetch("SELECT running FROM reports.spans WHERE id = $1 ORDER BY since", ticket)
    assert [row["running"] for row in spans][-1] is None


@requirement("A21.14")
async def test_what_broke_by_a_priority_that_was_undone_never_did(stage: Stage) -> None:
    """Also if the breach came later, by its timer: it follows from the change of the priority too."""
    ticket = await stage.open()
    await follows(stage, ticket, first(stage), clock("set"))
    (higher,) = await stage.happen(ticket, PriorityChanged(to=5, was=3))
    (moved,) = await follows(stage, ticket, higher, clock("moved", sla=SILVER))
    await stage.happen(ticket)
    await follows(stage, ticket, moved, broken(sla=SILVER))
    assert await stage.row("deadlines", sla="silver", clock="first_answer") == {"broken": 1}
    (undo,) = await stage.happen(ticket, PriorityChanged(to=3, was=5, undoes=higher))
    await follows(stage, ticket, undo, clock("moved"))
    report = await stage.report("deadlines")
    assert report["rows"] == [["gold", "first_answer", 0, 0, 1, None]]
    assert report["undone"] == 0, "no report counts a priority"


@requirement("A17.03", "A21.14")
async def test_times_in_working_time_are_those_that_the_clocks_used(stage: Stage) -> None:
    ticket = await stage.open()
    await follows(stage, ticket, first(stage), clock("set", calendar=OFFICE), clock("set", "solution", calendar=OFFICE))
    (reply,) = await stage.happen(ticket, replied())
    await follows(stage, ticket, reply, clock("kept", used=12.5, calendar=OFFICE))
    (closing,) = await stage.happen(ticket, closed(NEW))
    await follows(stage, ticket, closing, clock("kept", "solution", used=60, calendar=OFFICE))
    other = await stage.open("2")
    await follows(stage, other, first(stage), clock("set"), clock("set", "solution", calendar=OFFICE))
    (closing,) = await stage.happen(other, closed(NEW))
    await follows(stage, other, closing, clock("kept"), clock("kept", "solution", used=80, calendar=OFFICE))
    times = await stage.row("times")
    assert {name: times[name] for name in times if "_working" in name and name.endswith(("count", "mean"))} == {
        "first_answer_working_count": 1,  # a closing is no answer
        "first_answer_working_mean": 12.5,
        "resolution_working_count": 2,
        "resolution_working_mean": 70,
    }


@requirement("A21.14")
async def test_a_changed_service_level_changes_no_figure_of_the_past(stage: Stage) -> None:
    """What is over stays as it was, whatever is moved, withdrawn or counted by another version later."""
    ticket = await stage.open()
    await follows(stage, ticket, first(stage), clock("set"), clock("set", "solution", calendar=OFFICE))
    (reply,) = await stage.happen(ticket, replied())
    await follows(stage, ticket, reply, clock("kept", used=12, calendar=OFFICE))
    await stage.happen(ticket, broken("solution"))
    before = (await stage.report("deadlines"))["rows"], (await stage.report("times"))["rows"]
    stage.minutes += 3 * 24 * 60
    newer = SlaRef(id=GOLD.id, slug=GOLD.slug, name=GOLD.name, version=4)
    calendar = CalendarRef(id=OFFICE.id, slug=OFFICE.slug, version=2)
    await stage.happen(ticket, clock("moved", "solution", sla=newer, calendar=calendar))
    assert ((await stage.report("deadlines"))["rows"], (await stage.report("times"))["rows"]) == before
    await stage.happen(ticket, clock("withdrawn", "solution", sla=newer))
    assert ((await stage.report("deadlines"))["rows"], (await stage.report("times"))["rows"]) == before


@requirement("A21.14")
async def test_analysts_see_each_clock_as_it_is_now(stage: Stage) -> None:
    await views.up_to_date(stage.reporting.owner)
    ticket = await stage.open()
    await follows(
        stage, ticket, first(stage), clock("set"), clock("set", "solution", sla=SILVER), clock("set", "update")
    )
    await stage.happen(ticket, clock("kept", "solution", sla=SILVER), clock("withdrawn", "update"))
    rows = await stage.reporting.owner.fetch("SELECT * FROM analytics.deadlines_v1 ORDER BY clock")
    assert [tuple(row) for row in rows] == [
        (ticket, "first_answer", "gold", "running", START + 20 * MINUTE, None),
        (ticket, "solution", "silver", "kept", None, START),
    ]


@settings(max_examples=60, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_columns_of_every_span_are_those_of_the_one_fold_of_deadlines(chance: Random) -> None:
    """And looking for what was undone changes nothing where nothing was."""
    log, ticket = Log(), uuid4()
    log.add(ticket, *_story(chance))
    row: ReportedTicket | None = None
    expected: dict[datetime, Any] = {}
    known: Any = {}
    for event in log.events:
        row = fold(row, event)
        known = apply(known, event.payload)
        expected[event.time] = known
    assert row is not None
    before = deepcopy(row)
    take_back(row, row.new_facts, row.new_spans)
    assert row == before
    spans: list[Span | ReportedTicket] = [*row.new_spans, row]
    for span in spans:
        at = expected[max(each for each in expected if each <= span.since)]
        assert (span.escalated, span.due_at) == (escalated(at.values()), nearest_due(at.values()))
        running = {f"{each.clock} {each.sla.slug}" for each in at.values() if each.state == "running"}
        assert set(span.running or ()) == running
    for table, made in ((FACTS, row.new_facts), (SPANS, row.new_spans)):
        for each in made:
            record: Any = dict(zip(table.columns, table.values(each), strict=True))  # type: ignore[arg-type]
            assert type(each)(**table.fields(record)) == each
    assert {fact.kind for fact in row.new_facts if fact.clock is not None} <= {
        Kind.KEPT,
        Kind.BROKEN,
        Kind.ENDED_LATE,
        Kind.CLOCK,
    }


def _story(chance: Random) -> list[Event]:
    clocks = ("first_answer", "update", "solution")
    told: list[Event] = [StateChanged(to=OPEN, was=NEW)]
    for _ in range(chance.randrange(1, 25)):
        name, sla = chance.choice(clocks), chance.choice((GOLD, SILVER))
        what = chance.randrange(9)
        if what < 6:
            change = chance.choice(("set", "moved", "paused", "resumed", "kept", "ended", "withdrawn"))
            told.append(clock(change, name, sla=sla, warned=chance.random() < 0.3))
        elif what == 6:
            told.append(DeadlineWarned(clock=name, due_at=START, sla=sla, warn_at=START, fired_at=START))
        elif what == 7:
            told.append(broken(name, sla))
        else:
            told.append(TagsAdded(tags=(str(len(told)),)))
    return told


@pytest.mark.parametrize("actor", ["rule", "system"])
async def test_nothing_that_a_rule_does_is_an_agents_work(stage: Stage, actor: str) -> None:
    ticket = await stage.open()
    known = len(stage.log.events)
    stage.log.add(ticket, closed(NEW), since=START + timedelta(hours=1))
    made = [replace(each, actor=Actor(actor, f"{uuid4()}/1")) for each in stage.log.events[known:]]
    stage.log.events[known:] = made
    await stage.reporting.show(made)
    assert (await stage.report("agents"))["rows"] == []
    assert await stage.row("volume") == {"created": 1, "closed": 1, "messages_in": 1}
