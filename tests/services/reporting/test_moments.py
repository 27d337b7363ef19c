"""`as_of`: every read shows what it showed at that moment, to those who may see the ticket today."""

import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from httpx2 import ASGITransport, AsyncClient, Response
from uuid_utils.compat import uuid7

from services.reporting.generations.projection_sets import projection_sets
from services.reporting.notices.notice_list import NoticeList
from services.reporting.stats import api as stats_api
from services.reporting.tickets import articles_api, tickets_api
from services.reporting.tickets.read_model.former_rows import SNAPSHOT_EVENTS
from services.reporting.tickets.ticket_reader import TicketReader
from shared.blobs.store import BlobStore
from shared.contracts.directory import Member, Person, Queue
from shared.contracts.envelope import Recorded
from shared.contracts.envelope import encode as encode_event
from shared.contracts.event import Event
from shared.contracts.intake import AutomaticMailReceived, FailedRecipient, TicketOpened
from shared.contracts.notify import NotificationFailed, NotificationRequested, NotificationSent
from shared.contracts.parts import CustomerRef, Message, PersonRef, QueueRef, TicketRef
from shared.contracts.routing import (
    AgentReplied,
    CustomerChanged,
    MergeUndone,
    NoteAdded,
    OwnerChanged,
    PriorityChanged,
    ReminderReached,
    ResponsibleChanged,
    StateChanged,
    TagsAdded,
    TagsRemoved,
    TicketLocked,
    TicketMerged,
    TicketMoved,
    TicketQueued,
    TicketRemoved,
    TicketRenamed,
    TicketsLinked,
    TicketUnlocked,
    TimeAccounted,
)
from shared.contracts.topics import TICKETS
from shared.directory.copy import DirectoryCopy
from shared.http.headers.consistency import HEADER as TOKEN
from shared.http.headers.consistency import Written, encode
from shared.http.identity import HEADER, sign
from shared.http.serving.application import application
from shared.http.serving.health import Health
from shared.messaging.consuming.delivery import Delivered
from shared.messaging.consuming.projection import Position
from shared.projections import sets
from shared.rules.access import Identity
from shared.rules.states import CLOSED_SUCCESSFUL, NEW, OPEN, PENDING_REMINDER
from shared.testing.documents import seed
from shared.testing.keys import KEYS, SIGNING
from shared.testing.samples import sample
from shared.timestamps import timestamp
from tests.services.reporting.reporting_database import START, ZONE, Log, Reporting, reporting_with_a_live_desk
from tests.specs.requirement import requirement

KARI = Identity(
    person_id=UUID(int=1), kind="agent", login="kari", name="Kari", email="kari@help.example", roles=("agent",)
)
NILS = KARI.model_copy(update={"person_id": UUID(int=2), "login": "nils", "email": "nils@help.example"})
ADMIN = KARI.model_copy(update={"person_id": UUID(int=9), "kind": "admin", "login": "admin", "roles": ("admin",)})
PER = Identity(
    person_id=UUID(int=20), kind="customer", login="per", name="Per", email="per@acme.example", roles=("customer",)
)
IT, HR = (
    Queue(id=UUID(int=n), slug=slug, name=slug.upper(), members=(Member(person=who, rights=("read", "note", "work")),))
    for n, slug, who in ((10, "it", KARI.person_id), (11, "hr", NILS.person_id))
)
PLACES = [QueueRef(id=each.id, slug=each.slug, name=each.name) for each in (IT, HR)]
BY, OLA = PersonRef(id=KARI.person_id, name="Kari"), PersonRef(id=UUID(int=3), name="Ola")
CUSTOMERS = [
    CustomerRef(id=PER.person_id, email=PER.email, name="Per", company="acme"),
    CustomerRef(id=UUID(int=21), email="lise@other.example", name="Lise"),
]
PEOPLE = tuple(
    Person(id=each.id, login=each.name.lower(), name=each.name, email=f"{each.name.lower()}@help.example", roles=roles)
    for each, roles in ((BY, ("agent",)), (OLA, ("agent",)), (PersonRef(id=PER.person_id, name="Per"), ("customer",)))
)
REQUESTED = NotificationRequested.model_validate(sample(NotificationRequested))
LISTS = (
    "",
    *(f"sort={sort}" for sort in ("created_at", "-created_at", "updated_at", "-updated_at", "priority", "-priority")),
    "queue=it", "queue=hr&queue=it", "state=open", "state_type=new&state_type=open", "owner=kari", "responsible=kari",
    "locked=true", "locked=false", "locked_by=kari", "available=true", "customer=per@help.example", "company=acme",
    "customer=lise@other.example", "priority=5", "tag=fan", "tag=fan&queue=hr", "reminder_due=true", "mine=true",
    "owner=kari&owner=ola", "responsible=ola&responsible=kari", "locked_by=kari&locked_by=ola", f"id={UUID(int=5)}",
    "updated_from=2026-11-23T08:00:20Z", "created_to=2026-11-23T08:00:03Z", "created_from=2026-11-23T08:00:03Z",
)  # fmt: skip

PAGED = ("", "sort=-updated_at&state_type=open")


@dataclass(slots=True)
class Api:
    client: AsyncClient
    rows: Reporting

    async def get(self, path: str, who: Identity = ADMIN, **headers: str) -> Response:
        return await self.client.get(f"/api/v1{path}", headers={HEADER: sign(who, "reporting", SIGNING), **headers})

    async def read(self, path: str, who: Identity = ADMIN) -> Any:
        answer = await self.get(path, who)
        assert answer.status_code == 200, (path, answer.text)
        return answer.json()

    async def pages(self, path: str, who: Identity = ADMIN) -> list[Any]:
        """All items of a list, two to a page."""
        joined = path + ("&" if "?" in path else "?")
        items: list[Any] = []
        cursor = ""
        while True:
            found = await self.read(f"{joined}limit=2{cursor}", who)
            items += found["items"]
            if found["next_cursor"] is None:
                return items
            cursor = f"&cursor={found['next_cursor']}"

    async def refused(self, path: str, who: Identity = ADMIN, headers: Mapping[str, str] | None = None) -> None:
        answer = await self.get(path, who, **(headers or {}))
        assert answer.status_code == 422, (path, answer.text)
        assert answer.json()["errors"][0]["pointer"] == "/query/as_of"


@asynccontextmanager
async def reading(rows: Reporting, folder: Path) -> AsyncIterator[Api]:
    await seed(rows.app_url, IT, HR, *PEOPLE)
    copy = DirectoryCopy(rows.pool, rows.app_url)
    await copy.load()
    reader = TicketReader(rows.pool, copy, BlobStore(f"file://{folder}"))
    routers = [
        tickets_api.router(reader),
        articles_api.router(reader),
        stats_api.router(stats_api.StatsReader(rows.pool, copy, ZONE, NoticeList(rows.pool, rows.pool, copy, ZONE))),
    ]
    app = application(Health("reporting", "api"), keys=KEYS, routers=routers)
    async with AsyncClient(transport=ASGITransport(app), base_url="http://reporting") as client:
        yield Api(client, rows)


@pytest.fixture
async def api(live_desk: Reporting, tmp_path: Path) -> AsyncIterator[Api]:
    async with reading(live_desk, tmp_path) as made:
        yield made


def opened(number: str, place: QueueRef = PLACES[0], customer: CustomerRef = CUSTOMERS[0]) -> TicketOpened:
    message = Message(id=uuid7(), channel="email", text=f"{number} hums.")
    return TicketOpened(
        number=number, title=f"hums {number}", queue=place, customer=customer, channel="email", message=message
    )


def queued(number: str, place: QueueRef = PLACES[0], priority: int = 3) -> TicketQueued:
    return TicketQueued(
        number=number,
        title="hums",
        queue=place,
        customer=CUSTOMERS[0],
        state=NEW,
        priority=priority,
        channel="email",
    )


def note(text: str) -> NoteAdded:
    return NoteAdded(by=BY, message=Message(id=uuid7(), channel="note", text=text))


def replied(text: str) -> tuple[Event, ...]:
    """An answer, its mail, and two reports that it came back, one before it was recorded as sent."""
    message = Message(id=uuid7(), channel="email", text=text)
    mail = REQUESTED.mail.model_copy(update={"message_id": f"<{message.id}@help.example>"})
    report = AutomaticMailReceived(
        number="0",
        kind="failure",
        about=mail.message_id,
        recipients=(FailedRecipient(recipient="a@x.example"),),
        message=Message(id=uuid7(), channel="email"),
    )
    requested = {"kind": "answer", "article": message.id, "notification": message.id, "mail": mail}
    return (
        AgentReplied(number="0", title="x", queue=PLACES[0], customer=CUSTOMERS[0], by=BY, message=message),
        REQUESTED.model_copy(update=requested),
        report,
        NotificationSent(notification=message.id, transport="smtp"),
        report.model_copy(update={"message": Message(id=uuid7(), channel="email")}),
    )


def receipt(last: str) -> tuple[Event, ...]:
    """A mail that nobody wrote: an article of its own."""
    requested = REQUESTED.model_copy(update={"kind": "receipt", "article": uuid7(), "notification": uuid7()})
    sent = NotificationSent(notification=requested.notification, transport="smtp")
    failed = NotificationFailed.model_validate(sample(NotificationFailed))
    failed = failed.model_copy(update={"notification": requested.notification})
    return (requested, sent if last == "sent" else failed)


def busy_log(chance: random.Random, *, tickets: int = 5, steps: int = 45) -> list[Recorded]:
    """What happens on a few tickets, mixed, a second apart."""
    log = Log()
    ids = [uuid7() for _ in range(tickets)]
    numbers = [f"202611231000{n:04d}" for n in range(tickets)]
    for ticket, number in zip(ids, numbers, strict=True):
        log.add(ticket, opened(number, chance.choice(PLACES), chance.choice(CUSTOMERS)))
    for _ in range(steps):
        n, m = chance.sample(range(tickets), 2)
        other = TicketRef(id=ids[m], number=numbers[m])
        possible: list[tuple[Event, ...]] = [
            (queued(numbers[n], chance.choice(PLACES), chance.choice((1, 3, 5))),),
            (TicketMoved(to=PLACES[0], was=PLACES[1], by=BY),),
            (TicketMoved(to=PLACES[1], was=PLACES[0], by=BY),),
            (TicketLocked(by=BY), OwnerChanged(to=BY, was=None)),
            (TicketLocked(by=OLA), OwnerChanged(to=OLA, was=BY), ResponsibleChanged(to=BY, was=None, by=OLA)),
            (TicketUnlocked(was=BY),),
            (StateChanged(to=OPEN, was=NEW, by=BY),),
            (StateChanged(to=CLOSED_SUCCESSFUL, was=OPEN, by=BY), TicketUnlocked(was=BY)),
            (StateChanged(to=PENDING_REMINDER, was=OPEN, by=BY), ReminderReached(due_at=START, fired_at=START)),
            (PriorityChanged(to=5, was=3, by=BY),),
            (TagsAdded(tags=("fan", "vip"), by=BY),),
            (TagsRemoved(tags=("fan",), by=BY),),
            (CustomerChanged(to=CUSTOMERS[0], was=CUSTOMERS[1], by=BY),),
            (CustomerChanged(to=CUSTOMERS[1], was=CUSTOMERS[0], by=BY),),
            (TicketRenamed(to=f"renamed {chance.random()}", was="hums", by=BY),),
            (TicketsLinked(kind="related", other=other, by=BY),),
            (TicketMerged(into=other, was=OPEN, by=BY),),
            (MergeUndone(into=other, state=OPEN, by=BY),),
            (TimeAccounted(by=BY, units=1.5),),
            (note("Per always says that."),),
            replied("We are looking."),
            receipt("sent"),
            receipt("failed"),
        ]
        log.add(ids[n], *chance.choice(possible))
    return log.events


def until(events: Sequence[Recorded], moment: datetime) -> list[Recorded]:
    """The events of each ticket before the first that is later."""
    over: set[UUID] = set()
    found = []
    for event in events:
        if event.time > moment:
            over.add(event.stream)
        if event.stream not in over:
            found.append(event)
    return found


async def picture(api: Api, tickets: Sequence[UUID], as_of: str = "", who: Identity = ADMIN) -> dict[str, Any]:
    """Everything that takes `as_of`, but for `allowed`."""
    of, also = (f"?as_of={as_of}", f"&as_of={as_of}") if as_of else ("", "")
    shown: dict[str, Any] = {}
    for name in (*LISTS, f"id={tickets[0]}&id={tickets[1]}"):
        found = await api.read(f"/tickets?limit=200&count=true&{name}{also}", who)
        assert found["count"] == {"value": len(found["items"]), "exact": True}, (name, as_of)
        shown[name] = found["items"]
    for name in PAGED:
        shown[f"{name} in pages"] = await api.pages(f"/tickets?{name}{also}", who)
    for listed in shown.values():
        for ticket in listed:
            ticket["allowed"] = []
    for ticket in tickets:
        for path in ("", "/articles", "/history"):
            answer = await api.get(f"/tickets/{ticket}{path}{of}", who)
            shown[f"{ticket}{path}"] = answer.json() if answer.status_code == 200 else answer.status_code
        if isinstance(shown[f"{ticket}"], dict):
            shown[f"{ticket}"]["allowed"] = []
    shown["counts"] = await api.read(f"/stats/queues{of}", who)
    return shown


async def shown_anew(api: Api, events: Sequence[Recorded]) -> None:
    """A desk with these events and no others."""
    for which in projection_sets(ZONE).values():
        tables = [table for table in which.tables if "customer" not in table and "public" not in table]
        await api.rows.owner.execute(f"TRUNCATE {', '.join(f'{which.schema(1)}.{table}' for table in tables)}")
    await api.rows.show(events)


def with_clocks_apart(events: Sequence[Recorded], chance: random.Random) -> list[Recorded]:
    """The same log with clocks that are up to three seconds apart, and with several events at one time.

    The tickets were opened an hour before: none is named before it exists.
    """
    apart = {producer: timedelta(seconds=chance.choice((0, 1, 3))) for producer in ("intake", "routing", "notify")}
    step = timedelta(seconds=3)
    return [
        replace(event, time=event.time - timedelta(hours=1))
        if isinstance(event.payload, TicketOpened)
        else replace(event, time=START + (event.time - START) // step * step - apart[event.producer])
        for event in events
    ]


def assert_equal(then: dict[str, Any], expected: dict[str, Any]) -> None:
    for name, value in expected.items():
        assert then[name] == value, name


@requirement("A7.21", "A7.22")
@pytest.mark.parametrize("seed", range(2))
async def test_a_moment_shows_what_the_desk_showed_when_its_last_event_was_that_one(
    api: Api, postgres: Any, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    events = busy_log(chance)
    tickets = sorted({event.stream for event in events})
    await api.rows.show(events)
    async for rows in reporting_with_a_live_desk(postgres):
        async with reading(rows, tmp_path) as before:
            for n in sorted(chance.sample(range(len(events)), 8)):
                await shown_anew(before, events[: n + 1])
                expected = await picture(before, tickets)
                assert_equal(await picture(api, tickets, str(events[n].id)), expected)
                at = timestamp(events[n].time + timedelta(milliseconds=chance.choice((0, 999))))
                assert_equal(await picture(api, tickets, at), expected)


@requirement("A7.21")
@pytest.mark.parametrize("seed", range(2))
async def test_clocks_that_are_apart_leave_out_no_event_before_one_that_is_shown(
    api: Api, postgres: Any, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    events = with_clocks_apart(busy_log(chance), chance)
    tickets = sorted({event.stream for event in events})
    await api.rows.show(events)
    async for rows in reporting_with_a_live_desk(postgres):
        async with reading(rows, tmp_path) as before:
            for n in sorted(chance.sample(range(len(events)), 5)):
                event = events[n]
                await shown_anew(before, until(events, event.time))
                assert_equal(await picture(api, tickets, timestamp(event.time)), await picture(before, tickets))
                own = [e for e in events[: n + 1] if e.stream == event.stream]
                others = [e for e in until(events, event.time) if e.stream != event.stream]
                await shown_anew(before, sorted(own + others, key=events.index))
                assert_equal(await picture(api, tickets, str(event.id)), await picture(before, tickets))


async def _opened(api: Api, log: Log, number: str, place: QueueRef = PLACES[0]) -> UUID:
    ticket = uuid7()
    log.add(ticket, opened(number, place), queued(number, place))
    await api.rows.show(log.events[-2:])
    return ticket


async def _happens(api: Api, log: Log, ticket: UUID, *events: Event) -> list[str]:
    """The ids of the events."""
    log.add(ticket, *events)
    await api.rows.show(log.events[-len(events) :])
    return [str(event.id) for event in log.events[-len(events) :]]


ONE, TWO = "2026112310000001", "2026112310000002"


async def test_the_rights_are_those_of_today(api: Api) -> None:
    log = Log()
    ticket, other = await _opened(api, log, ONE), await _opened(api, log, TWO)
    before = str(log.events[-1].id)
    (moved,) = await _happens(api, log, ticket, TicketMoved(to=PLACES[1], was=PLACES[0], by=BY))
    for path in ("", "/articles", "/history"):
        assert (await api.get(f"/tickets/{ticket}{path}?as_of={before}", KARI)).status_code == 404
        assert (await api.get(f"/tickets/{ticket}{path}?as_of={moved}", KARI)).status_code == 404
        await api.refused(f"/tickets/{ticket}{path}?as_of={before}", NILS)  # an event of a ticket that he may not see
    at = timestamp(log.events[3].time)
    assert [t["id"] for t in (await api.read(f"/tickets?as_of={at}", KARI))["items"]] == [str(other)]
    then = (await api.read(f"/tickets?as_of={at}", NILS))["items"]
    assert [(t["id"], t["queue"], t["allowed"]) for t in then] == [(str(ticket), None, [])]
    assert (await api.read(f"/tickets?as_of={at}&queue=it&count=true", NILS))["count"]["value"] == 0
    assert (await api.read(f"/tickets?as_of={at}&queue=it", NILS))["items"] == []
    assert (await api.read(f"/tickets/{ticket}?as_of={moved}", NILS))["queue"]["slug"] == "hr"
    counts = {row["queue"]["slug"]: row["new"] for row in (await api.read(f"/stats/queues?as_of={at}", KARI))["items"]}
    assert counts == {"it": 1}
    assert (await api.read(f"/stats/queues?as_of={at}"))["items"][1]["new"] == 2
    await api.refused(f"/tickets?as_of={moved}", KARI)
    one = await api.read(f"/tickets/{ticket}?as_of={at}", NILS)
    assert (one["allowed"], one["queue"]) == ([], None)
    for who in (ADMIN, PER):
        assert (await api.read(f"/tickets/{ticket}?as_of={at}", who))["queue"]["slug"] == "it"
        listed = (await api.read(f"/tickets?as_of={at}&queue=it", who))["items"]
        assert {t["id"] for t in listed} == {str(ticket), str(other)}


@requirement("A19.04")
async def test_a_customer_sees_of_a_moment_what_customers_may_know(api: Api) -> None:
    log = Log()
    ticket = await _opened(api, log, ONE)
    events = await _happens(
        api, log, ticket, note("Per always says that."), TicketLocked(by=BY), TagsAdded(tags=("fan",), by=BY),
        ResponsibleChanged(to=BY, was=None, by=BY), TimeAccounted(by=BY, units=2), TicketRenamed(to="x", was="y", by=BY),
    )  # fmt: skip
    for as_of in (events[3], events[4], timestamp(log.events[-2].time)):
        (listed,) = (await api.read(f"/tickets?as_of={as_of}", PER))["items"]
        one = await api.read(f"/tickets/{ticket}?as_of={as_of}", PER)
        for shown in (listed, one):
            assert (shown["tags"], shown["lock"]["locked"], shown["responsible"], shown["article_count"]) == (
                [], False, None, 1,
            )  # fmt: skip
            assert (shown["title"], shown["time_units"], shown["allowed"]) == (f"hums {ONE}", 0, [])
        for hidden in ("tag=fan", "locked=true", "locked_by=kari", "responsible=kari"):
            assert (await api.read(f"/tickets?{hidden}&as_of={as_of}", PER))["items"] == []
            assert len((await api.read(f"/tickets?{hidden}&as_of={as_of}"))["items"]) == 1
        articles = (await api.read(f"/tickets/{ticket}/articles?as_of={as_of}", PER))["items"]
        assert [article["text"] for article in articles] == [f"{ONE} hums."]
        assert (await api.get(f"/tickets/{ticket}/history?as_of={as_of}", PER)).status_code == 403


@requirement("A19.04")
async def test_a_customer_does_not_learn_whose_ticket_it_was_before(api: Api) -> None:
    log, ticket = Log(), uuid7()
    before = CUSTOMERS[1].model_copy(update={"company": "globex"})
    log.add(ticket, opened(ONE, customer=before), queued(ONE))
    await api.rows.show(log.events)
    at = str(log.events[-1].id)
    (changed,) = await _happens(api, log, ticket, CustomerChanged(to=CUSTOMERS[0], was=before, by=BY))
    await _happens(api, log, ticket, PriorityChanged(to=5, was=3, by=BY))
    for as_of in (at, changed):
        (listed,) = (await api.read(f"/tickets?as_of={as_of}", PER))["items"]
        for shown in (listed, await api.read(f"/tickets/{ticket}?as_of={as_of}", PER)):
            assert (shown["customer"]["id"], shown["customer"]["company"]) == (str(PER.person_id), "acme")
    for asked in (f"customer={before.id}", f"customer={before.email}", "company=globex"):
        assert (await api.read(f"/tickets?{asked}&as_of={at}&count=true", PER))["count"]["value"] == 0
        assert (await api.read(f"/tickets?{asked}&as_of={at}", PER))["items"] == []
        assert len((await api.read(f"/tickets?{asked}&as_of={at}", KARI))["items"]) == 1
    assert (await api.read(f"/tickets/{ticket}?as_of={at}", KARI))["customer"]["company"] == "globex"
    assert len((await api.read(f"/tickets?company=acme&as_of={changed}", PER))["items"]) == 1


async def test_a_removed_ticket_is_shown_as_it_was_to_administrators_only(api: Api) -> None:
    log = Log()
    ticket = await _opened(api, log, ONE)
    at = timestamp(log.events[-1].time)
    await _happens(api, log, ticket, TicketRemoved(was=NEW, by=BY, because="asked for"))
    assert (await api.get(f"/tickets/{ticket}?as_of={at}", KARI)).status_code == 404
    assert (await api.get(f"/tickets/{ticket}?as_of={at}", PER)).status_code == 404
    for who, number in ((KARI, 0), (PER, 0), (ADMIN, 1)):
        assert len((await api.read(f"/tickets?as_of={at}", who))["items"]) == number
    assert (await api.read(f"/tickets/{ticket}?as_of={at}"))["state"]["slug"] == "new"
    assert (await api.read(f"/stats/queues?as_of={at}", KARI))["mine"]["new"] == 0


async def test_a_ticket_is_not_found_before_it_was_opened(api: Api) -> None:
    log = Log()
    one = await _opened(api, log, ONE)
    first = str(log.events[0].id)
    two = await _opened(api, log, TWO)
    for path in ("", "/articles", "/history"):
        assert (await api.get(f"/tickets/{two}{path}?as_of={first}")).status_code == 404
        assert (await api.get(f"/tickets/{one}{path}?as_of=2026-11-23T07:59:59Z")).status_code == 404
        assert (await api.get(f"/tickets/{one}{path}?as_of={first}")).status_code == 200
    assert (await api.read("/tickets?as_of=2026-11-23T07:59:59Z"))["items"] == []


@pytest.mark.parametrize(
    "as_of",
    [
        "", "yesterday", "2026-11-23", "2026-11-23T08:00:00", "2026-13-23T08:00:00Z", "9999-12-31T23:59:59Z", "-1",
        "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00%2B14:00", "1764403200", "2026-W48-1T00:00:00Z", "null",
        "00000000-0000-7000-8000-000000000000", "00000000000070008000000000000000", "%E2%80%8B", "2026-11-23T08:00:60Z",
        "2026-11-23T08%3A00%3A00.0000000000001Z", "٢٠٢٦-11-23T08:00:00Z",
    ],
)  # fmt: skip
async def test_what_is_no_moment_is_refused(api: Api, as_of: str) -> None:
    log = Log()
    ticket = await _opened(api, log, ONE)
    for path in ("/tickets", f"/tickets/{ticket}", f"/tickets/{ticket}/articles", f"/tickets/{ticket}/history"):
        await api.refused(f"{path}?as_of={as_of}")
    await api.refused(f"/stats/queues?as_of={as_of}")


async def test_the_future_and_a_consistency_token_are_refused(api: Api) -> None:
    log = Log()
    ticket = await _opened(api, log, ONE)
    now = datetime.now(UTC)
    await api.refused(f"/tickets/{ticket}?as_of={timestamp(now + timedelta(minutes=1))}")
    assert (await api.get(f"/tickets/{ticket}?as_of={timestamp(now)}")).status_code == 200
    token = {TOKEN: encode([Written("routing", ticket, 1)])}
    for path in ("/tickets", f"/tickets/{ticket}", "/stats/queues"):
        await api.refused(f"{path}?as_of={timestamp(now)}", headers=token)
    await api.refused("/tickets?as_of=" + "1" * 65)


async def test_a_cursor_belongs_to_its_moment(api: Api) -> None:
    log = Log()
    ticket = await _opened(api, log, ONE)
    await _opened(api, log, TWO)
    await _happens(api, log, ticket, note("a"), note("b"))
    one, other = (timestamp(log.events[n].time) for n in (-1, -2))
    for path in ("/tickets", f"/tickets/{ticket}/articles", f"/tickets/{ticket}/history"):
        cursor = (await api.read(f"{path}?limit=1&as_of={one}"))["next_cursor"]
        assert (await api.get(f"{path}?limit=1&as_of={one}&cursor={cursor}")).status_code == 200
        for of in (f"&as_of={other}", ""):
            answer = await api.get(f"{path}?limit=1{of}&cursor={cursor}")
            assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/query/cursor")


async def test_a_long_history_is_folded_from_its_last_snapshot(api: Api) -> None:
    """The same whether the events come one by one or at once; and the snapshot is what a fold from the start gives."""
    log = Log()
    ticket = await _opened(api, log, ONE)
    count = 2 * SNAPSHOT_EVENTS + 7
    for n in range(2, count):
        await _happens(api, log, ticket, TimeAccounted(by=BY, units=1) if n % 2 else TagsAdded(tags=(f"{n}",), by=BY))
    assert await api.rows.pool.fetchval("SELECT count(*) FROM desk.snapshots") == 2
    for n in (SNAPSHOT_EVENTS - 1, SNAPSHOT_EVENTS, SNAPSHOT_EVENTS + 1, 2 * SNAPSHOT_EVENTS, count - 1):
        shown = await api.read(f"/tickets/{ticket}?as_of={log.events[n - 1].id}")
        tags = [str(even) for even in range(2, n, 2)]
        assert (sum(shown["versions"].values()), shown["time_units"], shown["tags"]) == (n, (n - 2) // 2, tags)
    # Former rows and snapshots are the same if all events come at once.
    which = projection_sets(ZONE)["desk"]
    built = await sets.begin(api.rows.owner, which, api.rows.app_url)
    delivered = [Delivered(Position(TICKETS, 0, 0), e.stream, encode_event(e), e) for e in log.events]
    async with api.rows.pool.acquire() as connection, connection.transaction():
        assert await which.handlers(built)[TICKETS].work(connection, delivered, set()) == []
    await api.rows.owner.execute(f"UPDATE {which.schema(1)}.history SET position = 0")
    assert set((await sets.differences(api.rows.owner, which, 1, built)).values()) == {0}
