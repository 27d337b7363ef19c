"""Deadlines as the desk reads them: on tickets, in lists, counts and exports, at past moments, in the history."""

import csv
import io
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from services.reporting.deadlines.calendars import KEEP, CalendarKeeping
from services.reporting.generations.projection_sets import projection_sets
from shared.clocks.working_time import working_time
from shared.contracts.directory import Calendar, CalendarSaved, Person, Queue, Trigger
from shared.contracts.envelope import Actor, Recorded, encode
from shared.contracts.event import Event
from shared.contracts.parts import CalendarRef, Message, PersonRef, QueueRef, RuleRef, SlaRef
from shared.contracts.routing import (
    DeadlineBroken,
    DeadlinesChanged,
    DeadlineWarned,
    NoteAdded,
    OwnerChanged,
    PriorityChanged,
    RuleActionLeftOut,
    StateChanged,
    TicketLocked,
    TicketMoved,
)
from shared.contracts.topics import DIRECTORY
from shared.directory.projection import DirectoryProjection
from shared.messaging.consuming.delivery import Delivered
from shared.messaging.consuming.projection import Position
from shared.messaging.consuming.projection_handler import ProjectionHandler
from shared.projections import sets
from shared.rules.states import NEW, PENDING_REMINDER
from shared.testing.documents import seed
from shared.timestamps import timestamp
from tests.services.reporting import test_reading_api as reading
from tests.services.reporting.reporting_database import START, ZONE
from tests.services.reporting.test_reading_api import ADMIN, BY, EVA, KARI, ONE, PER, PLACE, TWO, Api
from tests.specs.requirement import requirement

api = reading.api
GOLD, SILVER = (
    SlaRef(id=UUID(int=n), slug=slug, name=slug.title(), version=3) for n, slug in ((70, "gold"), (71, "silver"))
)
HOURS = Calendar(
    id=UUID(int=80),
    slug="office",
    name="Office",
    timezone="UTC",
    hours=dict.fromkeys(("mon", "tue", "wed", "thu", "fri"), (("08:00", "16:00"),)),
)
OFFICE = CalendarRef(id=HOURS.id, slug=HOURS.slug, version=1)
MINUTE = timedelta(minutes=1)
TRIGGER = UUID(int=90)


def clock(change: str = "set", name: str = "first_answer", at: datetime = START, **more: Any) -> DeadlinesChanged:
    """A clock of 20 minutes that is due 20 minutes after the moment, if nothing else is said."""
    state = {"paused": "paused", "kept": "kept", "ended": "broken", "withdrawn": "withdrawn"}.get(change, "running")
    given: dict[str, Any] = {"sla": GOLD, "since": START, "minutes": 20, "used_minutes": 0, "state": state}
    if state == "running":
        given |= {"due_at": at + 20 * MINUTE, "warn_at": at + 16 * MINUTE}
    if change in ("kept", "ended"):
        given["ended_at"] = at
    return DeadlinesChanged(clock=name, change=change, at=at, **given | more)


def warned(name: str = "first_answer", at: datetime = START) -> DeadlineWarned:
    return DeadlineWarned(
        clock=name, due_at=at + 20 * MINUTE, sla=GOLD, warn_at=at + 16 * MINUTE, fired_at=at + 16 * MINUTE
    )


def broken(name: str = "first_answer", at: datetime = START) -> DeadlineBroken:
    return DeadlineBroken(clock=name, due_at=at + 20 * MINUTE, sla=GOLD, fired_at=at + 20 * MINUTE)


async def saved(api: Api, *versions: Calendar, keep: bool = True) -> None:
    """The versions of calendars, as the consumer of the directory topic reads them."""
    events = [
        Recorded(
            uuid7(), CalendarSaved.TYPE, "/services/gateway", each.id, n, START, START, uuid7(), None, Actor("agent"), None,
            CalendarSaved(document=each),
        )
        for n, each in enumerate(versions, start=1)
    ]  # fmt: skip
    delivered = [Delivered(Position(DIRECTORY, 0, n), e.stream, encode(e), e) for n, e in enumerate(events)]
    handler = CalendarKeeping(ProjectionHandler(DirectoryProjection()))
    async with api.rows.pool.acquire() as connection, connection.transaction():
        assert await handler.work(connection, delivered, set()) == []
        assert await handler.work(connection, delivered, set()) == [], "read again from the beginning"
    await api.directory.load()


@requirement("A21.14", "A4.07")
async def test_a_ticket_shows_its_deadlines_to_agents(api: Api) -> None:
    now = datetime.now(UTC)
    ticket = await api.open(ONE, "It hums.")
    assert (await api.read(f"/tickets/{ONE}"))["deadlines"] == []
    await api.happen(
        ticket,
        clock(name="solution", at=now, minutes=120, used_minutes=30, due_at=now + 90 * MINUTE),
        clock(at=now, used_minutes=5, due_at=now + 15 * MINUTE),
        clock("set", "update", sla=SILVER),
        clock("withdrawn", "update", sla=SILVER),
    )
    shown = await api.read(f"/tickets/{ONE}")
    first, solution = shown["deadlines"]
    left = [first.pop("remaining_minutes"), solution.pop("remaining_minutes")]
    assert 14 < left[0] <= 15 and 89 < left[1] <= 90
    due = now + 15 * MINUTE
    assert first == {
        "clock": "first_answer", "sla": "gold", "due_at": timestamp(due), "state": "running", "warned": False,
        "ended_at": None, "promise": first["promise"],
    }  # fmt: skip
    assert first["promise"].startswith("first answer by ") and first["promise"].endswith(f"{due:%H:%M}")
    assert (solution["clock"], shown["escalated"], shown["due_at"]) == ("solution", False, timestamp(due))
    assert (await api.read("/tickets"))["items"][0]["deadlines"][1]["clock"] == "solution", "as in lists"
    theirs = await api.read(f"/tickets/{ONE}", PER)
    assert (theirs["deadlines"], theirs["escalated"], theirs["due_at"]) == ([], False, None)


@requirement("A4.07", "A5.17")
@pytest.mark.parametrize(
    ("events", "escalated", "state", "promise"),
    [
        ([clock()], False, "running", "first answer by Monday 08:20"),
        ([clock(), warned()], True, "running", "first answer by Monday 08:20"),
        ([clock(), warned(), broken()], True, "broken", "first answer broken since Monday 08:20"),
        (
            [clock(), StateChanged(to=PENDING_REMINDER, was=NEW), clock("paused", used_minutes=5.5)],
            False,
            "paused",
            "first answer paused since Monday 08:00: pending reminder, 14 min left",
        ),
        (
            [clock(), warned(), clock("kept", at=START + 17 * MINUTE)],
            False,
            "kept",
            "first answer kept Monday 08:17",
        ),
        (
            [clock(), broken(), clock("ended", at=START + 21 * MINUTE, due_at=START + 20 * MINUTE)],
            False,
            "broken",
            "first answer broken: was due Monday 08:20, ended Monday 08:21",
        ),
    ],
)
async def test_what_a_clock_promises_in_words(
    api: Api, events: Sequence[Event], escalated: bool, state: str, promise: str
) -> None:
    ticket = await api.open(ONE, "It hums.")
    await api.happen(ticket, *events)
    shown = await api.read(f"/tickets/{ONE}?as_of=2026-11-26T12:00:00Z")
    (deadline,) = shown["deadlines"]
    assert (shown["escalated"], deadline["state"], deadline["promise"]) == (escalated, state, promise)
    assert (deadline["due_at"] is None) == (state in ("paused", "kept"))
    assert deadline["remaining_minutes"] == {"broken": 0, "paused": 14.5, "running": 0, "kept": 20}[state]


@requirement("A21.06", "A4.07")
@pytest.mark.parametrize(
    ("language", "promises"),
    [
        (None, ["first answer by Monday 09:20", "solution paused since Monday 09:00: new, 1 h 30 min left"]),
        ("nb", ["første svar innen mandag 09:20", "løsning på pause siden mandag 09:00: new, 1 t 30 min igjen"]),
        ("ru", ["первый ответ, срок: понедельник 09:20", "решение приостановлено (понедельник 09:00): new, осталось 1 ч 30 мин"]),
    ],
)  # fmt: skip
async def test_promises_are_in_the_language_and_zone_of_their_reader(
    api: Api, language: str | None, promises: list[str]
) -> None:
    person = Person(id=KARI.person_id, login="kari", name="Kari", email=KARI.email, roles=("agent",), language=language)
    await seed(api.rows.app_url, person)
    await api.directory.load()
    in_oslo = KARI.model_copy(update={"timezone": "Europe/Oslo"})
    ticket = await api.open(ONE, "It hums.")
    await api.happen(ticket, clock(), clock("paused", "solution", minutes=120, used_minutes=30))
    shown = await api.read(f"/tickets/{ONE}?as_of=2026-11-26T12:00:00Z", in_oslo)
    assert [each["promise"] for each in shown["deadlines"]] == promises
    told = (await api.read(f"/tickets/{ONE}/history", in_oslo))["items"][2]
    assert told["summary"] == "First answer set: 20 minutes from 09:00, due 09:20, Gold version 3"


@requirement("A13.05", "A5.17")
async def test_lists_find_and_order_tickets_by_their_deadlines(api: Api) -> None:
    """Against a sort in Python: those without a running clock last in both directions, page by page."""
    other = Queue(id=UUID(int=11), slug="other", name="Other")
    await seed(api.rows.app_url, other)
    await api.directory.load()
    chance, due, hot = Random(5), dict[str, datetime | None](), set[str]()
    for n in range(40):
        ticket = await api.open(f"202611231000{n:04d}", f"ticket {n}")
        at = START + chance.randrange(12) * MINUTE  # equal ones too
        minutes = chance.choice([20, 25])
        match chance.randrange(6):
            case 0:
                await api.happen(ticket, PriorityChanged(to=4, was=3))
                due[str(ticket)] = None
            case 1:
                await api.happen(ticket, clock(at=at), clock("paused"))
                due[str(ticket)] = None
            case 2:
                await api.happen(ticket, clock(at=at), warned(at=at), broken(at=at))
                due[str(ticket)] = None
                hot.add(str(ticket))
            case 3:
                await api.happen(ticket, clock(at=at), warned(at=at))
                due[str(ticket)] = at + 20 * MINUTE
                hot.add(str(ticket))
            case _:
                await api.happen(
                    ticket, clock(at=at, due_at=at + minutes * MINUTE), clock(name="solution", at=at + 60 * MINUTE)
                )
                due[str(ticket)] = at + minutes * MINUTE
        if n % 4 == 0:
            await api.happen(ticket, TicketMoved(to=QueueRef(id=other.id, slug="other", name="Other"), was=PLACE))
    rows = {each["id"]: each for each in (await api.read("/tickets?limit=200", ADMIN))["items"]}
    assert {each: rows[each]["due_at"] for each in rows} == {each: at and timestamp(at) for each, at in due.items()}

    async def pages(query: str, who: Any, moment: str = "") -> list[str]:
        found: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            page = await api.read(
                f"/tickets?limit=7&sort={query}{moment}" + (f"&cursor={cursor}" if cursor else ""), who
            )
            found += [each["id"] for each in page["items"]]
            cursor = page["next_cursor"]
        return found

    def key(each: str) -> tuple[Any, ...]:
        return due[each], rows[each]["created_at"], each

    for who, mine in (
        (ADMIN, list(rows)),
        (KARI, [each for each in rows if rows[each]["queue"]["slug"] == "it"]),
        (EVA, []),
    ):
        dated, bare = [each for each in mine if due[each]], [each for each in mine if not due[each]]
        ascending = [*sorted(dated, key=key), *sorted(bare, key=lambda each: key(each)[1:])]
        falling = [*sorted(dated, key=key, reverse=True), *sorted(bare, key=lambda each: key(each)[1:], reverse=True)]
        for moment in ("", "&as_of=" + timestamp(START + timedelta(hours=2)).replace(":", "%3A")):
            assert await pages("due_at", who, moment) == ascending
            assert await pages("-due_at", who, moment) == falling
            late = timestamp(START + 30 * MINUTE)
            near = {each for each in dated if (due[each] or START) < START + 30 * MINUTE}
            assert set(await pages(f"due_at&due_before={late}", who, moment)) == near
            assert set(await pages("default&escalated=true", who, moment)) == hot & set(mine)
            assert set(await pages("-due_at&escalated=false", who, moment)) == set(mine) - hot
    theirs = await api.read("/tickets?limit=200&sort=due_at", PER)
    assert [each["id"] for each in theirs["items"]] == sorted(rows, key=lambda each: (rows[each]["created_at"], each))
    assert (await api.read("/tickets?escalated=true", PER))["items"] == []
    assert (await api.read(f"/tickets?due_before={timestamp(datetime.now(UTC))}", PER))["items"] == []
    for wrong in ("due_before=tomorrow", "due_before=2026-11-23T08:00:00", "sort=sla", "escalated=perhaps"):
        assert (await api.get(f"/api/v1/tickets?{wrong}")).status_code == 422
    exported = await api.get("/api/v1/tickets/export?columns=id,due_at,escalated&sort=-due_at", ADMIN)
    lines = list(csv.DictReader(io.StringIO(exported.text.removeprefix("\ufeff"))))
    assert [line["id"] for line in lines] == await pages("-due_at", ADMIN)
    assert {line["id"] for line in lines if line["escalated"] == "true"} == hot
    for_customers = await api.get("/api/v1/tickets/export?columns=id,due_at,escalated", PER)
    assert {line["due_at"] for line in csv.DictReader(io.StringIO(for_customers.text.removeprefix("\ufeff")))} == {""}


@requirement("A12.02", "A5.17")
async def test_escalated_tickets_are_counted_as_lists_show_them(api: Api) -> None:
    mine = (TicketLocked(by=BY), OwnerChanged(to=BY))
    for n, events in enumerate(
        (
            (*mine, clock(), warned()),
            (*mine, clock(), warned(), broken(), clock("set", "solution"), warned("solution")),
            (*mine, clock(), warned(), clock("kept")),
            (*mine, clock(), broken(), clock("ended")),
            (clock(), warned()),
            (*mine, clock(), warned(), clock("moved", warned=False)),
            (*mine, clock(), broken(), clock("resumed", state="broken")),
        )
    ):
        await api.happen(await api.open(f"202611231000{n:04d}", f"ticket {n}"), *events)
    assert (await api.read("/stats/mine"))["escalated"] == 3
    assert (await api.read("/stats/widgets"))["escalated"] == {"locked": 3, "mine": 4, "all": 4}
    for tab, query in (("locked", "&locked_by=me"), ("all", "")):
        found = await api.read(f"/tickets?limit=1&count=true&escalated=true{query}")
        assert found["count"]["value"] == (await api.read("/stats/widgets"))["escalated"][tab]
    assert (await api.read("/stats/mine", EVA))["escalated"] == 0


@requirement("A4.07")
async def test_a_moment_shows_the_deadlines_of_then(api: Api) -> None:
    ticket = await api.open(ONE, "It hums.")
    for at, event in (
        (0, clock()),
        (16, warned()),
        (20, broken()),
        (30, clock("ended", at=START + 30 * MINUTE, warned=True)),
    ):
        await api.happen(ticket, event, since=START + at * MINUTE)

    async def then(minutes: float) -> tuple[Any, ...]:
        as_of = timestamp(START + minutes * MINUTE).replace(":", "%3A")
        shown = await api.read(f"/tickets/{ONE}?as_of={as_of}")
        (listed,) = (await api.read(f"/tickets?as_of={as_of}"))["items"]
        assert listed["deadlines"] == shown["deadlines"]
        (deadline,) = shown["deadlines"]
        found = await api.read(f"/tickets?escalated=true&as_of={as_of}")
        assert len(found["items"]) == shown["escalated"]
        return deadline["state"], deadline["warned"], shown["escalated"], round(deadline["remaining_minutes"], 3)

    assert await then(10) == ("running", False, False, 10)
    assert await then(17) == ("running", True, True, 3)
    assert await then(21) == ("broken", True, True, 0)
    assert await then(31) == ("broken", True, False, 0)


@requirement("A21.14")
async def test_what_is_left_is_counted_with_the_calendar_that_the_event_names(api: Api) -> None:
    """Monday to Friday from 8 to 16 in the first version, at any time in the second, at no time in the third."""
    always = HOURS.model_copy(update={"hours": dict.fromkeys(HOURS.hours, (("00:00", "24:00"),))})
    never = HOURS.model_copy(update={"hours": {}})
    await saved(api, HOURS, always, never)
    ticket, later = await api.open(ONE, "It hums."), await api.open(TWO, "It smokes.")
    due = working_time(HOURS).after(START, 600 * MINUTE)
    await api.happen(ticket, clock(calendar=OFFICE, minutes=600, due_at=due))
    await api.happen(later, clock(calendar=OFFICE.model_copy(update={"version": 2}), minutes=6000, due_at=due))
    for hours, left, of_later in ((4, 360, 5760), (8, 120, 5520), (24, 120, 4560), (25, 60, 4500)):
        as_of = timestamp(START + timedelta(hours=hours)).replace(":", "%3A")
        rows = (await api.read(f"/tickets?sort=created_at&as_of={as_of}"))["items"]
        assert [row["deadlines"][0]["remaining_minutes"] for row in rows] == [left, of_later]
    versions = await api.rows.pool.fetch("SELECT id, version FROM clocks.calendars ORDER BY version")
    assert [tuple(row) for row in versions] == [(HOURS.id, 1), (HOURS.id, 2), (HOURS.id, 3)]


async def test_a_version_that_has_not_arrived_is_counted_as_the_newest_one(api: Api) -> None:
    await saved(api, HOURS)
    ticket = await api.open(ONE, "It hums.")
    unknown = OFFICE.model_copy(update={"version": 2})
    await api.happen(ticket, clock(calendar=unknown, minutes=600, due_at=START + timedelta(days=1)))
    as_of = timestamp(START + timedelta(hours=9)).replace(":", "%3A")
    (deadline,) = (await api.read(f"/tickets/{ONE}?as_of={as_of}"))["deadlines"]
    assert deadline["remaining_minutes"] == 120
    await api.rows.pool.execute(KEEP, [HOURS.id], [2], [HOURS.model_copy(update={"hours": {}}).model_dump_json()])
    (deadline,) = (await api.read(f"/tickets/{ONE}?as_of={as_of}"))["deadlines"]
    assert deadline["remaining_minutes"] == 600


@requirement("A4.07", "A21.14")
async def test_the_history_tells_the_sums_and_the_causes(api: Api) -> None:
    ticket = await api.open(ONE, "It hums.")
    office: dict[str, Any] = {"calendar": OFFICE}
    tomorrow = START + timedelta(days=1)
    await api.happen(
        ticket,
        clock(**office),
        clock("paused", at=START + 12 * MINUTE, used_minutes=12, **office),
        clock("resumed", at=tomorrow, used_minutes=12, due_at=tomorrow + 8 * MINUTE, **office),
        clock("moved", at=tomorrow, used_minutes=12.5, minutes=60, due_at=tomorrow + 47.5 * MINUTE, sla=SILVER),
        warned(),
        broken(),
        clock("ended", at=tomorrow, used_minutes=34),
        clock("kept", "solution", used_minutes=12.256),
        clock("withdrawn", "update"),
    )
    told = [each["summary"] for each in (await api.read(f"/tickets/{ONE}/history"))["items"]][2:]
    assert told == [
        "First answer set: 20 minutes of office version 1 from 08:00, due 08:20, Gold version 3",
        "First answer paused: 12 of 20 minutes used, 8 left",
        "First answer resumed: 12 of 20 minutes used, due 08:08",
        "First answer moved: 60 minutes from Monday 08:00, 12.5 used, due 08:47, Silver version 3",
        "First answer nearly over: due 08:20, Gold version 3",
        "First answer broken: was due 08:20, Gold version 3",
        "First answer ended late: 34 of 20 minutes used",
        "Solution kept: 12.26 of 20 minutes used",
        "Update withdrawn: no service level promises it any more",
    ]


@requirement("A9.02")
async def test_what_a_rule_did_has_its_name_and_version(api: Api) -> None:
    await seed(api.rows.app_url, Trigger(id=TRIGGER, slug="hurry", name="Hurry up", on=("opened",)))
    ticket = await api.open(ONE, "It hums.")
    rule, by = Actor("rule", f"{TRIGGER}/4"), PersonRef(id=TRIGGER, name="Hurry")
    note = NoteAdded(by=by, message=Message(id=uuid7(), channel="note", text="hurry"))
    left_out = RuleActionLeftOut(
        rule=RuleRef(id=TRIGGER, name="Hurry", version=4), action="move", reason="it is in this queue already"
    )
    nothing = left_out.model_copy(update={"action": RuleActionLeftOut.ALL_ACTIONS, "reason": "it is late"})
    known = len(api.log.events)
    api.log.add(ticket, PriorityChanged(to=5, was=3, by=by), note, left_out, nothing)
    done = [replace(each, actor=rule) for each in api.log.events[known:]]
    api.log.events[known:] = done
    await api.rows.show(done)
    entries = (await api.read(f"/tickets/{ONE}/history"))["items"][-4:]
    shown = {"kind": "rule", "id": str(TRIGGER), "name": "Hurry up", "version": 4}
    assert [each["actor"] for each in entries] == [shown] * 4
    assert [each["summary"] for each in entries] == [
        "Priority changed from 3 normal to 5 immediate by Hurry",
        "Hurry wrote an internal note",
        "The rule 'Hurry' version 4 could not do 'move': it is in this queue already",
        "The rule 'Hurry' version 4 did nothing: it is late",
    ]
    written = (await api.read(f"/tickets/{ONE}/articles"))["items"][-1]
    assert (written["sender"], written["author"], written["internal"]) == ("system", "Hurry", True)


@requirement("A9.02")
async def test_customers_do_not_learn_the_name_of_the_rule_that_wrote_to_them(api: Api) -> None:
    ticket = await api.open(ONE, "It hums.")
    by = PersonRef(id=TRIGGER, name="Hurry")
    message = Message(id=uuid7(), channel="note", text="We are looking into it.")
    api.log.add(ticket, NoteAdded(by=by, message=message, internal=False))
    await api.rows.show([replace(api.log.events[-1], actor=Actor("rule", f"{TRIGGER}/4"))])
    for who, author in ((ADMIN, "Hurry"), (PER, None)):
        article = (await api.read(f"/tickets/{ONE}/articles", who))["items"][-1]
        assert (article["text"], article["sender"], article["author"]) == (message.text, "system", author)


@requirement("A4.07", "A21.14")
async def test_a_rebuild_gives_the_same_rows(api: Api) -> None:
    for n in range(6):
        ticket = await api.open(f"202611231000{n:04d}", "hums")
        await api.happen(ticket, clock(), warned(), clock("paused"), clock("resumed"), broken(), clock(name="solution"))
    for which in projection_sets(ZONE).values():
        other = await sets.begin(api.rows.owner, which, api.rows.app_url)
        handler = next(iter(which.handlers(other).values()))
        deliveries = [
            Delivered(Position("helpdesk.tickets.v1", 0, n), each.stream, encode(each), each)
            for n, each in enumerate(api.log.events)
        ]
        async with api.rows.pool.acquire() as connection, connection.transaction():
            assert await handler.work(connection, deliveries, set()) == []
        found = await sets.differences(api.rows.owner, which, 1, other)
        assert not any(found.values()), (which.name, found)
