"""Reports over HTTP: who gets which, bad questions, files, and what an undo takes out."""

import asyncio
import csv
import io
import re
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.reporting.reports import reports_api
from services.reporting.reports.catalogue import REPORTS
from services.reporting.reports.files import harmless
from services.reporting.reports.rows import FACTS, SPANS, TICKETS
from services.reporting.tickets.list_query import FilterQuery
from shared.contracts.event import Event
from shared.contracts.intake import TicketOpened
from shared.contracts.parts import CustomerRef, Message, PersonRef, StateRef, TicketRef
from shared.contracts.routing import (
    AgentReplied,
    MergeUndone,
    OwnerChanged,
    SplitUndone,
    StateChanged,
    TicketMerged,
    TicketMoved,
    TicketQueued,
    TicketRemoved,
    TicketSplit,
    TimeAccounted,
)
from shared.rules.states import CLOSED_SUCCESSFUL, MERGED, NEW, OPEN, PENDING_REMINDER
from shared.testing.progress import until
from tests.histories.desk import Desk
from tests.services.reporting.reporting_database import START, ZONE, Log, Reporting
from tests.services.reporting.reports_over_http import ADMIN, CUSTOMER, client_of_reports
from tests.specs.requirement import requirement

DESK = Desk(agents=tuple(PersonRef(id=UUID(int=100 + n), name=f"Agent {n}") for n in range(2)))
IT, HR, SECRET = DESK.queues[0], DESK.queues[1], DESK.queues[-1]
KARI, NILS = DESK.agents
PER = CustomerRef(id=UUID(int=20), email="per@acme.example", company="acme")
DAY = "from=2026-11-23&to=2026-11-24"
EVERY = "".join(f"&{each}=" for each in ("owner", "queue"))
Get = Callable[..., Awaitable[Any]]


class Stage:
    """Tickets of one day, a minute between two events."""

    def __init__(self, reporting: Reporting, get: Get) -> None:
        self.reporting, self.get, self.log, self.minutes = reporting, get, Log(), 0

    async def happen(self, ticket: UUID, *payloads: Event) -> list[UUID]:
        """Records events and folds them; returns their ids."""
        made = []
        for payload in payloads:
            self.minutes += 1
            known = len(self.log.events)
            self.log.add(ticket, payload, since=START + timedelta(minutes=self.minutes, seconds=-known))
            made += self.log.events[known:]
        await self.reporting.show(made)
        return [each.id for each in made]

    async def open(self, number: str = "1", *, queue: Any = IT, **more: Any) -> UUID:
        ticket = uuid4()
        message = Message(id=uuid4(), channel="phone", text="It hums.")
        about: dict[str, Any] = {"number": number, "title": "hums", "queue": queue, "customer": PER, "channel": "phone"}
        await self.happen(
            ticket,
            TicketOpened(**about, message=message, **more),
            TicketQueued(**about, state=NEW, priority=3, tags=more.get("tags", ())),
        )
        return ticket

    async def report(self, name: str, query: str = DAY) -> dict[str, Any]:
        answer = await self.get(f"/reports/{name}?{query}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def row(self, name: str, query: str = DAY, **key: Any) -> dict[str, Any]:
        """The figures of the first row with these values, without zeros."""
        found = await self.report(name, query)
        columns = [column["name"] for column in found["columns"]]
        rows = [dict(zip(columns, row, strict=True)) for row in found["rows"]]
        chosen = next((row for row in rows if all(row[name] == value for name, value in key.items())), {})
        return {name: value for name, value in chosen.items() if value not in (0, None) and name not in key}


@pytest.fixture
async def stage(live_desk: Reporting) -> AsyncIterator[Stage]:
    async with client_of_reports(live_desk, DESK, ZONE, hidden=1) as get:
        yield Stage(live_desk, get)


def closed(was: StateRef = OPEN, **more: Any) -> StateChanged:
    return StateChanged(to=CLOSED_SUCCESSFUL, was=was, by=KARI, **more)


def replied() -> AgentReplied:
    message = Message(id=uuid4(), channel="email", text="Try again.")
    return AgentReplied(by=KARI, message=message, number="1", title="hums", queue=IT, customer=PER)


@requirement("A17.02")
async def test_a_closing_that_was_undone_counts_nowhere(stage: Stage) -> None:
    ticket = await stage.open()
    (closing,) = await stage.happen(ticket, closed(NEW))
    assert await stage.row("volume") == {"created": 1, "closed": 1, "messages_in": 1}
    await stage.happen(ticket, StateChanged(to=NEW, was=CLOSED_SUCCESSFUL, undoes=closing))
    assert await stage.row("volume") == {"created": 1, "messages_in": 1, "backlog": 1}
    assert (await stage.report("volume"))["undone"] == 1
    assert await stage.row("times") == {}
    assert await stage.row("states", state="closed-successful") == {}
    assert (await stage.row("states", state="new"))["entered"] == 1


async def test_undoing_an_undo_brings_the_decision_back(stage: Stage) -> None:
    ticket = await stage.open()
    (closing,) = await stage.happen(ticket, closed(NEW))
    (undo,) = await stage.happen(ticket, StateChanged(to=NEW, was=CLOSED_SUCCESSFUL, undoes=closing))
    await stage.happen(ticket, StateChanged(to=CLOSED_SUCCESSFUL, was=NEW, undoes=undo))
    assert await stage.row("volume") == {"created": 1, "closed": 1, "messages_in": 1}
    assert (await stage.row("times"))["resolution_mean"] == 2  # until the first closing


async def test_a_pending_state_that_an_undo_does_not_restore_ends_with_it(stage: Stage) -> None:
    ticket = await stage.open()
    (_, closing) = await stage.happen(ticket, StateChanged(to=PENDING_REMINDER, was=NEW), closed(PENDING_REMINDER))
    await stage.happen(ticket, StateChanged(to=OPEN, was=CLOSED_SUCCESSFUL, undoes=closing))
    assert await stage.row("states", state="pending-reminder") == {"entered": 1, "minutes": 2}
    assert "entered" not in await stage.row("states", state="open")


async def test_moves_and_owners_that_were_undone_do_not_count(stage: Stage) -> None:
    ticket = await stage.open()
    moved, _, owned = await stage.happen(
        ticket,
        TicketMoved(to=HR, was=IT, by=KARI),
        OwnerChanged(to=KARI),
        OwnerChanged(to=NILS, was=KARI),
    )
    assert await stage.row("moves", **{"from": IT.slug}) == {"to": HR.slug, "count": 1, "mean": 2, "p50": 2, "p90": 2}
    assert await stage.row("agents", person="agent1") == {"taken_over": 1, "open_now": 1}
    assert await stage.row("agents", person="agent0") == {"handed_on": 1}
    await stage.happen(
        ticket, OwnerChanged(to=KARI, was=NILS, undoes=owned), TicketMoved(to=IT, was=HR, by=NILS, undoes=moved)
    )
    assert (await stage.report("moves"))["rows"] == []
    assert await stage.row("agents", person="agent0") == {"open_now": 1}
    assert (await stage.report("volume", f"{DAY}&by=queue"))["rows"] == [[IT.slug, 1, 0, 0, 0, 1, 1]]
    # In the middle, when it stood in the other queue:
    middle = (START + timedelta(minutes=stage.minutes - 1)).isoformat().replace("+", "%2B")
    assert await stage.row("volume", f"from=2026-11-23&to={middle}&by=queue", queue=IT.slug) == {
        "created": 1, "messages_in": 1, "backlog": 1,
    }  # fmt: skip
    assert (await stage.report("volume"))["undone"] == 2


async def test_merges_leave_the_backlog_and_are_no_closings(stage: Stage) -> None:
    ticket, into = await stage.open(), TicketRef(id=uuid4(), number="2")
    (merged,) = await stage.happen(ticket, TicketMerged(into=into, was=NEW, by=KARI))
    assert await stage.row("volume") == {"created": 1, "messages_in": 1}
    assert (await stage.row("states", state=MERGED.slug))["entered"] == 1
    await stage.happen(ticket, MergeUndone(into=into, state=NEW, by=KARI, undoes=merged))
    assert await stage.row("volume") == {"created": 1, "messages_in": 1, "backlog": 1}


async def test_an_undone_split_leaves_nothing_of_the_new_ticket(stage: Stage) -> None:
    origin = await stage.open()
    made = uuid4()
    words = Message(id=uuid4(), channel="email", text="And the other one too.")
    split = TicketSplit(
        articles=(uuid4(),), into=made, title="x", queue=IT, customer=PER, message=words, origin=TicketRef(id=origin)
    )
    (event,) = await stage.happen(origin, split)
    new = await stage.open("2", split_from=TicketRef(id=origin))
    assert await stage.row("volume") == {"created": 2, "messages_in": 1, "backlog": 2}
    await stage.happen(origin, SplitUndone(into=new, by=KARI, undoes=event))
    await stage.happen(new, TicketRemoved(because="split undone", was=NEW))
    assert await stage.row("volume") == {"created": 1, "messages_in": 1, "backlog": 1}
    assert (await stage.report("volume"))["undone"] == 1
    await stage.happen(new, StateChanged(to=OPEN, was=StateRef(slug="removed", name="removed", type="removed")))
    assert await stage.row("volume") == {"created": 2, "messages_in": 1, "backlog": 2}


@requirement("A16.02", "A16.03")
async def test_time_units_are_summed_without_rounding_errors(stage: Stage) -> None:
    ticket = await stage.open()
    await stage.happen(
        ticket, *(TimeAccounted(by=KARI, units=0.1) for _ in range(10)), TimeAccounted(by=NILS, units=-2)
    )
    assert (await stage.report("time", f"{DAY}&by=person"))["rows"] == [["agent0", 1.0], ["agent1", -2.0]]
    assert (await stage.report("time", f"{DAY}&by=ticket"))["rows"] == [["1", -1.0]]
    assert (await stage.report("time", "from=2026-11-22&to=2026-11-25&by=day"))["rows"] == [
        ["2026-11-22", 0], ["2026-11-23", -1.0], ["2026-11-24", 0],
    ]  # fmt: skip


@requirement("A7.36", "A17.01")
async def test_tickets_with_several_tags_are_in_several_rows(stage: Stage) -> None:
    await stage.open("1", tags=("a", "b"))
    await stage.open("2")
    rows = (await stage.report("volume", f"{DAY}&by=tag"))["rows"]
    assert [row[:2] for row in rows] == [["a", 1], ["b", 1], [None, 1]]


@requirement("A17.05", "A12.05")
async def test_each_interval_has_a_row_also_an_empty_one(stage: Stage) -> None:
    await stage.open()
    days = (await stage.report("volume", "from=2026-11-17&to=2026-11-24&interval=day"))["rows"]
    assert [row[:2] for row in days] == [[f"2026-11-{n}", int(n == 23)] for n in range(17, 24)]
    for name, report in REPORTS.items():
        if report.past:
            found = (await stage.report(name, "from=2001-01-03&to=2001-01-16&interval=week"))["rows"]
            assert [*dict.fromkeys(row[0] for row in found)] == ["2001-01-01", "2001-01-08", "2001-01-15"], name


async def test_nothing_of_a_queue_that_one_may_not_read_is_counted(stage: Stage) -> None:
    ticket = await stage.open(queue=SECRET)
    await stage.happen(ticket, replied(), OwnerChanged(to=NILS, was=KARI), TimeAccounted(by=KARI, units=3), closed(NEW))
    for name, report in REPORTS.items():
        for by in ("", *(f"&by={each}" for each in report.by if each != "field.")):
            found = await stage.report(name, f"{DAY}{by}&queue={SECRET.slug}" if by else f"{DAY}{by}")
            assert found["undone"] == 0
            assert not any(v for row in found["rows"] for v in row if not isinstance(v, str)), (name, by, found["rows"])
    answer = await stage.get(f"/reports/volume?{DAY}", ADMIN)
    assert answer.json()["rows"] == [[1, 1, 0, 1, 1, 0]]


async def test_reports_are_for_agents(stage: Stage) -> None:
    for path in ("/reports", *(f"/reports/{name}?{DAY}" for name in (*REPORTS, "colours"))):
        assert (await stage.get(path, CUSTOMER)).status_code == 403, path
    assert (await stage.get("/reports/colours")).status_code == 404


@requirement("A17.04")
async def test_the_list_names_parameters_and_the_meaning_of_each_column(stage: Stage) -> None:
    items = (await stage.get("/reports")).json()["items"]
    assert [item["name"] for item in items] == list(REPORTS)
    for item in items:
        assert item["parameters"]
        assert all(column["meaning"] and column["label"] for column in item["columns"])
        answer = await stage.report(item["name"])
        assert [column["name"] for column in answer["columns"]] == [column["name"] for column in item["columns"]]


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("from=2026-11-24&to=2026-11-23", "/query/from"),
        ("from=yesterday", "/query/from"),
        ("to=2026-02-30", "/query/to"),
        ("from=2026-11-23T10:00:00", "/query/from"),
        ("from=0001-01-01", "/query/from"),
        ("to=9999-12-31T23:59:59Z", "/query/to"),
        ("from=9999-12-31", "/query/from"),
        ("from=0001-01-01T00:00:00%2B14:00", "/query/from"),
        ("interval=hour", "/query/interval"),
        ("by=colour", "/query/by"),
        ("by=field.", "/query/by"),
        ("by=person", "/query/by"),
        ("colour=red", "/query/colour"),
        ("format=doc", "/query/format"),
        ("priority=nine", "/query/priority/0"),
        ("state=no-such-state", "/query/state"),
        ("limit=3", "/query/limit"),
        ("sort=priority", "/query/sort"),
        ("from=1950-01-01&to=2000-01-01&interval=day", "/query/interval"),
    ],
)
async def test_bad_questions_are_refused(stage: Stage, query: str, pointer: str) -> None:
    answer = await stage.get(f"/reports/volume?{query}")
    assert answer.status_code == 422, answer.text
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


@pytest.mark.parametrize("query", ["moves?by=tag", "age?interval=day", "age?by=queue", "time?by=day&interval=month"])
async def test_what_a_report_cannot_be_divided_by_is_refused(stage: Stage, query: str) -> None:
    answer = await stage.get(f"/reports/{query}")
    assert answer.status_code == 422
    assert "nothing" not in answer.json()["detail"]


async def test_thirty_years_by_day_are_answered(stage: Stage) -> None:
    await stage.open()
    found = await stage.report("volume", "from=2000-01-01&to=2030-01-01&interval=day")
    assert len(found["rows"]) == 10_958
    assert sum(row[1] for row in found["rows"]) == 1
    refused = await stage.get("/reports/volume?from=2000-01-01&to=2030-01-01&interval=day&by=queue")
    assert refused.status_code == 200  # one queue only
    await stage.open("2", queue=HR)
    refused = await stage.get("/reports/volume?from=2000-01-01&to=2030-01-01&interval=day&by=queue")
    assert refused.status_code == 422
    assert "rows" in refused.json()["errors"][0]["detail"]


async def test_every_filter_of_the_list_works_on_every_report(stage: Stage) -> None:
    values: dict[str, str] = {
        "created_from": "2026-01-01T00:00:00Z", "created_to": "2027-01-01T00:00:00Z", "state": "open",
        "updated_from": "2026-01-01T00:00:00Z", "priority": "3", "state_type": "open", "id": str(UUID(int=3)),
            "due_before": "2027-01-01T00:00:00Z",
    }  # fmt: skip
    for name in REPORTS:
        for field, about in FilterQuery.model_fields.items():
            value = values.get(field, "true" if "bool" in str(about.annotation) else "x")
            answer = await stage.get(f"/reports/{name}?{DAY}&{field}={value}")
            assert answer.status_code == 200, (name, field, answer.text)


async def test_files_have_the_same_names_and_rows(stage: Stage) -> None:
    await stage.open("1", tags=("=1+1", "plain"))
    shown = await stage.report("volume", f"{DAY}&by=tag")
    names = [column["name"] for column in shown["columns"]]
    answer = await stage.get(f"/reports/volume?{DAY}&by=tag&format=csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="volume-2026-11-23.csv"'
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert rows[0] == names
    assert [row[0] for row in rows[1:]] == ["'=1+1", "plain"]
    assert [row[1:] for row in rows[1:]] == [[str(value) for value in row[1:]] for row in shown["rows"]]
    answer = await stage.get(f"/reports/volume?{DAY}&by=tag&format=xlsx")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as book:
        sheet, texts = book.read("xl/worksheets/sheet1.xml").decode(), book.read("xl/sharedStrings.xml").decode()
    assert "<f>" not in sheet
    assert all(f">{text}<" in texts for text in (*names, "'=1+1", "plain"))
    assert sheet.count("<row ") == 3


async def test_days_are_dates_in_a_workbook(stage: Stage) -> None:
    await stage.open()
    answer = await stage.get("/reports/volume?from=1900-01-01&to=2026-11-24&interval=month&format=xlsx")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as book:
        sheet, texts = book.read("xl/worksheets/sheet1.xml").decode(), book.read("xl/sharedStrings.xml").decode()
    assert re.search(r'<c r="A2" s="\d+"><v>1</v>', sheet), "1900-01-01 is Excel's first day"
    assert re.search(r'<row r="1524" .*?<c r="A1524" s="\d+"><v>46327</v>', sheet), "2026-11-01"
    assert "2026-11-01" not in texts


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@x", "\t=1", "\u200b=1", "\uff1d1", "\rx"])
def test_what_a_spreadsheet_would_take_for_a_formula_is_text(text: str) -> None:
    assert harmless(text) == f"'{text}"


@pytest.mark.parametrize("value", ["plain", "a=b", 5, None, "2026-11-23"])
def test_other_values_stay(value: Any) -> None:
    assert harmless(value) == value


def test_the_tables_name_their_columns_as_the_list_does() -> None:
    from services.reporting.tickets.read_model.ticket_row import TICKETS_TABLE

    own = {"handled", "facts", "since", "state_since", "queue_since", "owner_since", "running", "last_undo", "topic"}
    assert set(TICKETS.columns) - own <= set(TICKETS_TABLE.columns)
    common = set(TICKETS.columns) & set(FACTS.columns) & set(SPANS.columns)
    assert {"id", "queue_id", "created_at", "state_type", "owner_id", "tags", "fields"} <= common


async def test_reports_of_one_person_do_not_take_all_connections(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports_api, "WAIT_SECONDS", 0.2)
    owner = stage.reporting.owner
    async with owner.transaction():
        await owner.execute("LOCK TABLE reports_v1.facts IN ACCESS EXCLUSIVE MODE")  # a report takes as long as this
        asked = [asyncio.ensure_future(stage.get("/reports/volume?" + DAY)) for _ in range(5)]
        refused = 5 - reports_api.MOST_OF_A_PERSON
        await until(lambda: _true(sum(each.done() for each in asked) == refused))
    answers = await asyncio.gather(*asked)
    assert sorted(answer.status_code for answer in answers) == [200, 200, 429, 429, 429]
    assert {answer.headers.get("Retry-After") for answer in answers if answer.status_code == 429} == {"5"}
    assert (await stage.get("/reports/volume?" + DAY)).status_code == 200


async def _true(known: bool) -> bool:
    return known
