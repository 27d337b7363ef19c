"""Numbers that screens show beside lists: they are those of the lists themselves."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.reporting.tickets import ticket_list, tickets_api
from shared.contracts.directory import Member, Person, Queue
from shared.contracts.intake import CustomerMessageReceived, TicketOpened
from shared.contracts.parts import Address, CustomerRef, Message, PersonRef, QueueRef, TicketRef
from shared.contracts.routing import (
    AgentReplied,
    MergeUndone,
    NoteAdded,
    OwnerChanged,
    ReminderReached,
    ResponsibleChanged,
    StateChanged,
    TicketLocked,
    TicketMerged,
    TicketMoved,
    TicketQueued,
    TicketRemoved,
    TicketUnlocked,
)
from shared.rules.access import Identity
from shared.rules.states import CLOSED_SUCCESSFUL, NEW, OPEN, PENDING_REMINDER
from shared.testing.documents import seed
from tests.services.reporting import test_reading_api as reading
from tests.services.reporting.reporting_database import START, ZONE
from tests.services.reporting.test_reading_api import ADMIN, BY, EVA, IT, KARI, LISE, OLA, PER, PLACE, Api
from tests.specs.requirement import requirement

api = reading.api
HR = Queue(
    id=UUID(int=11),
    slug="hr",
    name="HR",
    members=(
        Member(person=KARI.person_id, rights=("read", "work")),
        Member(person=EVA.person_id, rights=("read", "work")),
    ),
)
SECRET = Queue(id=UUID(int=12), slug="secret", name="Secret", members=())
KARI_FOLLOWS_IT = Person(
    id=KARI.person_id, login="kari", name="Kari", email="kari@help.example", roles=("agent",), follows=(IT.id,)
)
EVA_NAMED = PersonRef(id=EVA.person_id, name="Eva")
NONE = {"owned": 0, "locked": 0, "responsible": 0, "reminders": 0, "escalated": 0, "notices": 0}
REACHED = ReminderReached(due_at=START, fired_at=START)
PENDING = StateChanged(to=PENDING_REMINDER, was=NEW)
CLOSED = StateChanged(to=CLOSED_SUCCESSFUL, was=OPEN)
WIDGETS = {"reminders": "reminder_due=true", "new": "state_type=new", "open": "state_type=open"}
TABS = {"locked": "&locked_by=me", "mine": "&mine=true", "all": ""}


async def desk(api: Api) -> None:
    """Tickets of every kind in three queues, of which Kari may read two and follows one."""
    await seed(api.rows.app_url, HR, SECRET, KARI_FOLLOWS_IT)
    await api.directory.load()
    hr, secret = (QueueRef(id=each.id, slug=each.slug, name=each.name) for each in (HR, SECRET))
    mine = (TicketLocked(by=BY), OwnerChanged(to=BY))
    to_open = StateChanged(to=OPEN, was=NEW)
    work: list[tuple[Any, ...]] = [
        (),
        mine,
        (*mine, to_open),
        (*mine, to_open, TicketUnlocked(was=BY)),
        (OwnerChanged(to=BY), ResponsibleChanged(to=OLA), PENDING, REACHED),
        (*mine, PENDING, REACHED, StateChanged(to=OPEN, was=PENDING_REMINDER)),
        (*mine, PENDING, REACHED),
        (*mine, PENDING, REACHED, TicketMoved(to=hr, was=PLACE)),
        (*mine, TicketMoved(to=secret, was=PLACE)),
        (ResponsibleChanged(to=BY),),
        (ResponsibleChanged(to=BY), ResponsibleChanged(to=None, was=BY)),
        (ResponsibleChanged(to=BY), *mine, to_open, CLOSED),
        (*mine, PENDING, REACHED, TicketRemoved(because="spam", was=PENDING_REMINDER)),
        (TicketLocked(by=EVA_NAMED), to_open, TicketMoved(to=hr, was=PLACE)),
        (TicketMoved(to=secret, was=PLACE),),
    ]
    for n, events in enumerate(work):
        await api.happen(await api.open(f"202611231000{n:04d}", f"ticket {n}"), *events)


async def count(api: Api, query: str, who: Identity = KARI) -> int:
    found = await api.read(f"/tickets?limit=1&count=true&{query}", who)
    assert found["count"]["exact"]
    return int(found["count"]["value"])


@requirement("A6.07", "A12.02")
async def test_the_counters_of_the_menu_bar_are_those_of_the_lists(api: Api) -> None:
    await desk(api)
    live = "&".join(f"state_type={each}" for each in ("new", "open", "pending_reminder", "pending_auto_close"))
    for who in (KARI, EVA, ADMIN):
        expected = {
            name: await count(api, f"{live}&{query}", who)
            for name, query in (
                ("owned", "owner=me"),
                ("locked", "locked_by=me"),
                ("responsible", "responsible=me"),
                ("reminders", "owner=me&reminder_due=true"),
            )
        }
        assert await api.read("/stats/mine", who) == NONE | expected
    assert await api.read("/stats/mine") == NONE | {"owned": 7, "locked": 5, "responsible": 1, "reminders": 3}
    assert await api.read("/stats/mine", PER) == NONE, "a customer owns nothing"


@requirement("A12.02", "A12.03")
async def test_the_tabs_of_the_widgets_count_their_rows(api: Api) -> None:
    await desk(api)
    for who in (KARI, EVA, ADMIN):
        expected = {
            widget: {tab: await count(api, rows + narrowed, who) for tab, narrowed in TABS.items()}
            for widget, rows in WIDGETS.items()
        }
        found = await api.read("/stats/widgets", who)
        assert found == expected | {"escalated": {"locked": 0, "mine": 0, "all": 0}}
    kari = await api.read("/stats/widgets")
    assert kari["reminders"] == {"locked": 2, "mine": 2, "all": 3} and kari["new"]["all"] == 4
    nothing = dict.fromkeys(TABS, 0)
    assert await api.read("/stats/widgets", PER) == dict.fromkeys((*WIDGETS, "escalated"), nothing)


@requirement("A12.04")
async def test_a_row_of_a_widget_has_number_title_and_when_it_was_opened(api: Api) -> None:
    await api.open("2026112310000001", "hums")
    (row,) = (await api.read("/tickets?state_type=new&mine=true&limit=5"))["items"]
    assert (row["number"], row["title"]) == ("2026112310000001", "hums")
    assert datetime.fromisoformat(row["created_at"]) == START


@requirement("A12.05")
async def test_the_last_seven_days_end_today(api: Api) -> None:
    """Days are those of the desk's time zone, in order, with those on which nothing happened."""
    noon = datetime.now(ZONE).replace(hour=12)
    ticket = await api.open("2026112310000001", "hums")
    await api.happen(ticket, StateChanged(to=OPEN, was=NEW), CLOSED, since=noon - timedelta(days=6))
    await api.happen(ticket, StateChanged(to=OPEN, was=CLOSED_SUCCESSFUL), CLOSED, CLOSED, since=noon)
    days = (await api.read("/stats/days"))["items"]
    assert [each["day"] for each in days] == [(noon - timedelta(days=n)).date().isoformat() for n in range(6, -1, -1)]
    assert [each["closed"] for each in days] == [1, 0, 0, 0, 0, 0, 2]
    assert [each["closed"] for each in (await api.read("/stats/days?days=1"))["items"]] == [2]
    assert {each["closed"] for each in (await api.read("/stats/days", EVA))["items"]} == {0}


@requirement("A6.07")
async def test_a_merge_leaves_the_counters_and_its_undoing_brings_it_back(api: Api) -> None:
    ticket = await api.open("2026112310000001", "hums")
    other = await api.open("2026112310000002", "hums too")
    await api.happen(ticket, OwnerChanged(to=BY), PENDING, REACHED)
    assert await api.read("/stats/mine") == NONE | {"owned": 1, "reminders": 1}
    into = TicketRef(id=other, number="2026112310000002", title="hums too")
    await api.happen(ticket, TicketMerged(into=into, was=PENDING_REMINDER, by=BY))
    assert await api.read("/stats/mine") == NONE
    await api.happen(ticket, MergeUndone(into=into, state=OPEN, by=BY))
    assert await api.read("/stats/mine") == NONE | {"owned": 1}, "the desk's row has no reminder now either"


@requirement("A13.04")
async def test_the_archive_and_what_is_open_are_counted(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    tickets = [await api.open(f"202611231000{n:04d}", f"ticket {n}") for n in range(5)]
    for ticket in tickets[:4]:
        await api.happen(ticket, StateChanged(to=OPEN, was=NEW), CLOSED)
    assert await count(api, "mine=true&state_type=new&state_type=open") == 1
    first = await api.read("/tickets?mine=true&state_type=closed&limit=3&count=true")
    assert (len(first["items"]), first["count"]) == (3, {"value": 4, "exact": True})
    following = await api.read(f"/tickets?mine=true&state_type=closed&limit=3&cursor={first['next_cursor']}")
    assert len(following["items"]) == 1 and "count" not in following, "a page may be read without counting again"
    assert await count(api, "state_type=closed", EVA) == 0
    for module in (ticket_list, tickets_api):
        monkeypatch.setattr(module, "MOST_COUNTED", 3)
    assert (await api.read("/tickets?state_type=closed&count=true"))["count"] == {"value": 3, "exact": False}


@requirement("A7.31")
async def test_one_click_on_an_address_counts_and_lists_its_tickets(api: Api) -> None:
    """By address and by company, with how many are open and closed."""
    acme = CustomerRef(id=UUID(int=40), email="liv@acme.example", name="Liv", company="acme")
    for n, (customer, events) in enumerate(
        ((acme, (CLOSED,)), (acme, ()), (reading.SOMEBODY, ()), (acme, (StateChanged(to=OPEN, was=NEW),)))
    ):
        opened = TicketOpened(
            number=f"{n}", title="x", queue=PLACE, customer=customer, channel="email",
            message=Message(id=uuid4(), channel="email", text="x"),
        )  # fmt: skip
        queued = TicketQueued(
            number=f"{n}", title="x", queue=PLACE, customer=customer, state=NEW, priority=3, channel="email"
        )
        await api.happen(uuid4(), opened, queued, *events)
    for who in ("customer=liv@acme.example", "customer=Liv@ACME.example", f"customer={acme.id}", "company=acme"):
        assert await count(api, f"{who}&state_type=new&state_type=open") == 2
        assert await count(api, f"{who}&state_type=closed") == 1
        assert await count(api, who) == 3
    assert await count(api, "customer=liv@acme.example", EVA) == 0, "her queues have none of them"
    assert await count(api, "customer=liv@acme.example", PER) == 0, "a customer learns nothing of another"


async def test_a_list_of_ids_shows_those_that_one_may_see(api: Api) -> None:
    one, two, three = [await api.open(f"202611231000{n:04d}", "x") for n in range(3)]
    asked = f"/tickets?id={one}&id={three}&id={uuid4()}&count=true"
    found = await api.read(asked)
    assert {each["id"] for each in found["items"]} == {str(one), str(three)} and found["count"]["value"] == 2
    assert (await api.read(asked, EVA))["items"] == [] == (await api.read(asked, LISE))["items"]
    assert {each["id"] for each in (await api.read(asked, PER))["items"]} == {str(one), str(three)}
    assert str(two) not in str(await api.read(f"{asked}&state_type=new"))
    wrong = await api.get("/api/v1/tickets?id=x")
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "/query/id/0")
    many = "&".join(f"id={uuid4()}" for _ in range(201))
    assert (await api.get(f"/api/v1/tickets?{many}")).status_code == 422


@requirement("A13.06", "A14.05")
async def test_a_list_shows_the_newest_message_and_when_it_was_answered(api: Api) -> None:
    ticket = await api.open("2026112310000001", "hums")

    async def listed(who: Identity = KARI) -> dict[str, Any]:
        (found,) = (await api.read("/tickets", who))["items"]
        return {"message": found["last_message"], "answered": found["last_answer_at"]}

    opened = await listed()
    assert opened["message"]["from"] == {"email": "per@acme.example", "name": "Per"}
    assert opened["message"]["subject"] == "hums" and opened["answered"] is None
    again = Message(
        id=uuid4(), channel="email", text="Still.", subject="Re: hums", sender=Address(email="pia@acme.example")
    )
    await api.happen(
        ticket,
        AgentReplied(
            number="2026112310000001",
            title="hums",
            queue=PLACE,
            customer=reading.CUSTOMER,
            by=BY,
            message=Message(id=uuid4(), channel="email", text="Restart it."),
        ),
        CustomerMessageReceived(
            number="1", customer=CustomerRef(id=UUID(int=22), email="pia@acme.example"), message=again
        ),
    )
    now = await listed()
    assert now["message"] == {
        "from": {"email": "pia@acme.example", "name": ""},
        "subject": "Re: hums",
        "at": now["message"]["at"],
    }
    assert opened["message"]["at"] < now["answered"] < now["message"]["at"]
    unproven = again.model_copy(update={"id": uuid4(), "subject": "Who is this?"})
    await api.happen(
        ticket,
        CustomerMessageReceived(
            number="1",
            customer=CustomerRef(id=UUID(int=23), email="x@y.example"),
            message=unproven,
            standing="unverified",
        ),
        NoteAdded(message=Message(id=uuid4(), channel="note", text="Hm."), by=BY),
    )
    assert await listed() == now == await listed(PER), "what customers must not know changes nothing"
