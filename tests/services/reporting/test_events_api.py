"""`GET /events`: whole events in log order, only those that the caller may see, and waiting for them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid4

import orjson
import pytest
from httpx2 import ASGITransport, AsyncClient, Response

from services.reporting.feed import events_api
from services.reporting.feed.feed import Feed, Page
from services.reporting.feed.follower import Follower
from services.reporting.feed.for_customers import TYPES
from services.reporting.feed.place import Place
from services.reporting.feed.sealed_places import SealedPlaces
from services.reporting.feed.visible_events import VisibleEvents
from services.reporting.tickets.ticket_reader import TicketReader
from shared.blobs.store import BlobStore
from shared.contracts.catalogue import event_types
from shared.contracts.directory import Member, Queue
from shared.contracts.envelope import attributes
from shared.contracts.event import data_of
from shared.contracts.parts import Address, Blob, CustomerRef, Message, QueueRef, StateRef, TicketRef
from shared.contracts.routing import (
    AgentReplied,
    ArticleForwarded,
    CallRecorded,
    CustomerChanged,
    OwnerChanged,
    StateChanged,
    TagsAdded,
    TicketAbsorbed,
    TicketLocked,
    TicketMerged,
    TicketMoved,
    TicketQueued,
    TicketRemoved,
    TicketsLinked,
    TicketSplit,
    TimeAccounted,
)
from shared.contracts.topics import TICKETS
from shared.directory.copy import DirectoryCopy
from shared.http.identity import HEADER, sign
from shared.http.serving.application import application
from shared.http.serving.health import Health
from shared.projections import sets
from shared.rules.access import Identity
from shared.testing.documents import seed
from shared.testing.keys import KEYS, SIGNING
from shared.testing.progress import until
from shared.testing.samples import sample
from tests.described import CHECKED
from tests.services.reporting.reporting_database import Log, Reporting
from tests.services.reporting.test_feed import DESK, Topic
from tests.services.reporting.test_reading_api import (
    ADMIN,
    BY,
    CUSTOMER,
    EVA,
    IT,
    KARI,
    LISE,
    ONE,
    PEOPLE,
    PER,
    PLACE,
    SOMEBODY,
    TWO,
    Api,
    note,
)

HR = Queue(id=UUID(int=11), slug="hr", name="HR", members=(Member(person=EVA.person_id, rights=("read", "work")),))
SECRET = QueueRef(id=HR.id, slug=HR.slug, name=HR.name)
OPEN = StateRef(slug="open", name="open", type="open")
KEY = KEYS.purpose("places")


class Events(Api):
    follower: Follower
    app: Any

    async def page(self, query: str = "", who: Identity = KARI) -> Any:
        return await self.read(f"/events?{query}", who)

    async def all(self, who: Identity = KARI, *, limit: int = 200, types: str = "") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        after = ""
        while True:
            page = await self.page(f"after={quote(after)}&limit={limit}{types}", who)
            found += page["events"]
            after = page["next"]
            if page["end"]:
                return found


@asynccontextmanager
async def running(follower: Follower) -> AsyncIterator[None]:
    task = asyncio.create_task(follower.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def events(live_desk: Reporting, tmp_path: Path) -> AsyncIterator[Events]:
    await seed(live_desk.app_url, IT, HR, *PEOPLE)
    copy, blobs = DirectoryCopy(live_desk.pool, live_desk.app_url), BlobStore(f"file://{tmp_path}")
    await copy.load()
    feed = Feed(live_desk.pool)
    follower, health = Follower(feed, live_desk.app_url), Health("reporting", "api")
    health.when_draining(follower.end)
    visible = VisibleEvents(feed, TicketReader(live_desk.pool, copy, blobs))
    app = application(health, keys=KEYS, routers=[events_api.router(visible, follower, SealedPlaces(KEY))])
    async with (
        AsyncClient(transport=ASGITransport(app), base_url="http://reporting", event_hooks=CHECKED) as client,
        running(follower),
    ):
        made = Events(client, live_desk, blobs, Log(), copy)
        made.follower, made.app = follower, app
        yield made


def types_of(found: list[dict[str, Any]]) -> list[str]:
    return [event["type"].split(".")[1] for event in found]


async def test_events_are_told_as_they_were_published(events: Events) -> None:
    """Every type, as it is in the topic; only the trace context is missing."""
    ticket = await events.open(ONE, "It hums.")
    reply = Message(
        id=uuid4(), channel="email", sender=Address(email="it@help.example", name="IT"), subject="Re: It hums.",
        to=(Address(email="per@acme.example"),), bcc=(Address(email="boss@help.example"),), text="Try this.",
        text_blob=Blob(sha256="0" * 64, size=9, type="text/plain"),
    )  # fmt: skip
    answered = AgentReplied(by=BY, message=reply, number=ONE, title="hums", queue=PLACE, customer=CUSTOMER)
    of_tickets = [payload for payload in event_types().values() if payload.TOPIC == TICKETS]
    await events.happen(ticket, answered, *(payload.model_validate(sample(payload)) for payload in of_tickets))
    published = [attributes(event) | {"data": orjson.loads(data_of(event.payload))} for event in events.log.events]
    assert await events.all(ADMIN, limit=7) == published


async def test_a_split_names_the_ticket_that_it_makes(events: Events) -> None:
    """That ticket is not opened yet when the split is told: its queue decides who may know of it."""
    ticket, made = await events.open(ONE, "It hums."), uuid4()

    def split(queue: QueueRef) -> TicketSplit:
        return TicketSplit(
            articles=(uuid4(),), into=made, title="And smells.", queue=queue, customer=CUSTOMER, by=BY,
            message=Message(id=uuid4(), channel="email", text="And smells."), origin=TicketRef(id=ticket, number=ONE),
        )  # fmt: skip

    await events.happen(ticket, split(PLACE), split(SECRET))
    mine, theirs = (await events.all())[-2:]
    assert (mine["data"]["into"], mine["data"]["title"]) == (str(made), "And smells.")
    assert (theirs["data"]["into"], theirs["data"]["title"], theirs["data"]["queue"]) == (None, None, None)
    await events.happen(made, moved := TicketQueued.model_validate(sample(TicketQueued)))
    assert moved.queue.id not in (PLACE.id, SECRET.id)
    assert (await events.all())[-2]["data"]["into"] is None  # it was opened, and Kari may not see it


async def test_small_and_large_pages_tell_the_same(events: Events) -> None:
    for number in (ONE, TWO):
        ticket = await events.open(number, "It hums.")
        await events.happen(ticket, *(TagsAdded(tags=(f"t{n}",)) for n in range(20)))
    whole = await events.all()
    assert [each["id"] for each in whole] == [str(each.id) for each in events.log.events]
    assert await events.all(limit=3) == whole
    only = await events.all(limit=4, types="&type=helpdesk.TagsAdded.v1&type=helpdesk.Unheard.v9")
    assert only == [each for each in whole if each["type"] == "helpdesk.TagsAdded.v1"]


async def test_rights_are_those_of_the_moment(events: Events) -> None:
    """Who may not read the ticket's queue now gets none of its events, not even earlier ones; who may gets all."""
    moved, removed = await events.open(ONE, "It hums."), await events.open(TWO, "Split by mistake.")
    assert len(await events.all()) == 4
    await events.happen(moved, TicketMoved(to=SECRET, was=PLACE))
    await events.happen(removed, TicketRemoved(because="split undone", was=OPEN))
    assert await events.all() == []
    assert len(await events.all(EVA)) == 3
    assert len(await events.all(ADMIN)) == 6
    assert await events.all(LISE) == []
    # an agent who may not read HR does not learn of its tickets through one of theirs
    other = await events.open("2026112310000003", "Mine.")
    hidden = TicketRef(id=moved, number=ONE, title="It hums.")
    await events.happen(other, TicketsLinked(kind="related", other=hidden), TicketMoved(to=PLACE, was=SECRET))
    ((linked, back),) = [(await events.all())[-2:]]
    assert (linked["data"].get("other"), back["data"].get("was")) == (None, None)
    assert back["data"]["to"]["slug"] == "it"
    assert ONE not in str(await events.all()) and str(HR.id) not in str(await events.all())


async def test_customers_get_what_they_may_know_and_nothing_else(events: Events) -> None:
    ticket = await events.open(ONE, "It hums.")
    foreign = TicketRef(id=uuid4(), number=TWO, title="somebody else's")
    words = Message(
        id=uuid4(), channel="email", text="Try this.", html="<p>Try this.</p>", bcc=(Address(email="x@secret.example"),)
    )
    inside = Message(id=uuid4(), channel="note", text="secret")
    await events.happen(
        ticket,
        note("secret"), note("public", internal=False), TagsAdded(tags=("secret",)), TimeAccounted(by=BY, units=1),
        TicketLocked(by=BY), OwnerChanged(to=BY), CallRecorded(by=BY, message=inside, direction="in"),
        AgentReplied(by=BY, message=words, number=ONE, title="hums", queue=PLACE, customer=CUSTOMER),
        ArticleForwarded(
            by=BY, message=inside, article=words.id, original=words, number=ONE, title="hums", queue=PLACE,
            customer=CUSTOMER,
        ),
        CustomerChanged(to=CUSTOMER, was=CustomerRef(id=uuid4(), email="foreign@secret.example")),
        TicketAbsorbed(other=foreign, by=BY),
        StateChanged(to=OPEN, was=OPEN, by=BY),
        TicketMerged(into=foreign, was=OPEN, by=BY),
    )  # fmt: skip
    found = await events.all(PER)
    assert types_of(found) == [
        "TicketOpened", "TicketQueued", "AgentReplied", "StateChanged", "TicketMerged",
    ]  # fmt: skip
    assert found[2]["data"]["message"]["text"] == "Try this."
    assert found[4]["data"] == {"into": None}
    assert found[0]["data"]["queue"]["slug"] == "it"
    for secret in ("secret", foreign.number, str(foreign.id), "bcc", str(KARI.person_id), "actor", "causationid"):
        assert secret not in str(found), secret
    assert len(await events.all()) == len(events.log.events)


async def test_a_customer_does_not_learn_whose_ticket_it_was_before(events: Events) -> None:
    ticket = await events.open(
        ONE, "It hums.", customer=CustomerRef(id=uuid4(), email="x@globex.example", company="globex")
    )
    await events.happen(ticket, CustomerChanged(to=CUSTOMER, was=CUSTOMER))
    own = await events.open(TWO, "It hums too.")
    shown = {
        e["subject"]: e["data"]["customer"] for e in await events.all(PER) if e["type"].endswith("TicketOpened.v1")
    }
    assert shown[str(ticket)] is None and shown[str(own)]["email"] == CUSTOMER.email


def test_what_customers_may_know_is_listed_by_type() -> None:
    known = event_types()
    assert TYPES.keys() <= known.keys()
    for type_name, fields in TYPES.items():
        assert fields.keys() <= known[type_name].model_fields.keys()
    for word in (
        "Note",
        "Call",
        "Forward",
        "Bounce",
        "Owner",
        "Lock",
        "Tag",
        "Time",
        "Notification",
        "Split",
        "Linked",
        "Deadline",
        "Rule",
        "Notice",
    ):
        assert not [type_name for type_name in TYPES if word in type_name], word


async def test_a_place_is_no_text_that_somebody_can_make(events: Events) -> None:
    await events.open(ONE, "It hums.")
    page = await events.page("limit=1")
    place = SealedPlaces(KEY).open(page["next"])
    ahead, other = replace(place, offsets=(99,) * 12), replace(place, incarnation=uuid4())
    foreign = SealedPlaces(bytes(64)[:32]).seal(place)
    changed = page["next"][:40] + ("A" if page["next"][40] != "A" else "B") + page["next"][41:]
    late = replace(place, late=7)
    for bad in ("nonsense", "a" * 600, "%00", changed, foreign, *map(SealedPlaces(KEY).seal, (ahead, other, late))):
        for query in (f"after={bad}", f"after={bad}&wait=1"):
            answer = await events.get(f"/api/v1/events?{query}")
            assert answer.status_code == 422, (bad, answer.text)
            assert answer.json()["errors"][0]["pointer"] == "/query/after"
    for bad in ("limit=0", "limit=201", "limit=x", "wait=26", "wait=-1", "wait=soon", "wait=nan", "colour=1"):
        assert (await events.get(f"/api/v1/events?{bad}")).status_code == 422, bad


async def test_a_place_tells_nothing(events: Events) -> None:
    """All places are equally long, and the same place is another text each time."""
    before = (await events.page("after=now"))["next"]
    ticket = await events.open(ONE, "It hums.")
    await events.happen(ticket, *(TagsAdded(tags=(f"t{n}",)) for n in range(300)))
    after = [(await events.page("after=now"))["next"] for _ in range(2)]
    assert len({len(each) for each in (before, *after)}) == 1
    assert after[0] != after[1]
    assert SealedPlaces(KEY).open(after[0]) == SealedPlaces(KEY).open(after[1])


async def test_from_now_on(events: Events) -> None:
    await events.open(ONE, "It hums.")
    now = await events.page("after=now")
    assert (now["events"], now["end"]) == ([], True)
    await events.open(TWO, "And smells.")
    assert types_of((await events.page(f"after={now['next']}"))["events"]) == ["TicketOpened", "TicketQueued"]


async def test_waiting_ends_with_the_first_event_in_sight(events: Events) -> None:
    foreign = await events.open(ONE, "It hums.")
    await events.happen(foreign, TicketMoved(to=SECRET, was=PLACE))
    mine = await events.open(TWO, "And smells.")
    now = (await events.page("after=now"))["next"]
    waiting = asyncio.create_task(events.page(f"after={now}&wait=25&type=helpdesk.NoteAdded.v1"))
    await _waits(events)
    await events.happen(foreign, note("not for Kari"))
    await events.happen(mine, TagsAdded(tags=("another type",)), note("for Kari"))
    page = await waiting
    assert [(each["subject"], each["data"]["message"]["text"]) for each in page["events"]] == [(str(mine), "for Kari")]
    assert await events.all() and (await events.page(f"after={page['next']}"))["events"] == []


async def test_waiting_passes_over_what_is_not_in_sight(events: Events) -> None:
    """Events for others do not end the wait, but the next request need not look at them again."""
    now = (await events.page("after=now"))["next"]
    waiting = asyncio.create_task(events.page(f"after={now}&wait=25", LISE))
    await _waits(events)
    await events.open(ONE, "It hums.")
    number = events.follower.number
    await until(lambda: _seen(events, number))
    assert not waiting.done()
    events.follower.end()
    page = await waiting
    assert (page["events"], page["end"]) == ([], True)
    assert SealedPlaces(KEY).open(page["next"]).offsets == await _end(events)


async def test_waiting_ends_with_the_process(events: Events) -> None:
    waiting = [asyncio.create_task(events.page("after=now&wait=25")) for _ in range(3)]
    await _waits(events)
    events.follower.end()
    assert [(page["events"], page["end"]) for page in await asyncio.gather(*waiting)] == [([], True)] * 3


async def test_a_promotion_in_the_middle_of_a_page_loses_nothing(
    events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The promoted generation does not have the page's events yet."""
    await events.open(ONE, "It hums.")
    rows, changes = events.rows, Feed.changes
    newer = await sets.begin(rows.owner, DESK, rows.app_url)

    async def overtaken(feed: Feed, after: Place, limit: int) -> Page:
        page = await changes(feed, after, limit)
        if await sets.live(rows.owner, "desk") == 1:
            await sets.promote(rows.owner, DESK, newer, rows.app_url)
        return page

    monkeypatch.setattr(Feed, "changes", overtaken)
    page = await events.page("after=")
    assert page["events"] == []
    topic = Topic(rows)
    topic.partitions[0] = list(events.log.events)
    await topic.apply(newer)
    assert types_of((await events.page(f"after={page['next']}"))["events"]) == ["TicketOpened", "TicketQueued"]


async def test_too_many_may_not_wait(events: Events) -> None:
    waiting = [asyncio.create_task(events.get("/api/v1/events?after=now&wait=25")) for _ in range(40)]

    async def refused() -> list[Response]:
        found = [each.result() for each in waiting if each.done()]
        return found if len(found) == 8 else []

    answers = await until(refused)
    assert {(answer.status_code, answer.headers["Retry-After"]) for answer in answers} == {(429, "5")}
    events.follower.end()
    assert [(await each).status_code for each in waiting].count(200) == 32


async def test_a_caller_who_has_gone_waits_no_longer(events: Events) -> None:
    """Otherwise a program that starts again and again would use up its share of places."""
    app: Any = events.app
    left = asyncio.Event()
    sent: list[Any] = []

    async def receive() -> Any:
        if not sent:
            sent.append("body")
            return {"type": "http.request", "body": b"", "more_body": False}
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "path": "/api/v1/events",
        "raw_path": b"/api/v1/events", "query_string": b"after=now&wait=25", "scheme": "http", "root_path": "",
        "headers": [(HEADER.lower().encode(), sign(KARI, "reporting", SIGNING).encode())], "client": None,
        "server": ("reporting", 80), "state": {},
    }  # fmt: skip
    waiting = asyncio.create_task(app(scope, receive, send))
    await _waits(events)
    left.set()
    async with asyncio.timeout(10):
        await waiting
    assert not events.follower.ended


async def test_somebody_who_sees_little_gets_through_the_log_in_bounded_steps(
    events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.reporting.feed.visible_events.MOST_READ", 50)
    ticket = await events.open(ONE, "It hums.")
    await events.happen(ticket, *(TagsAdded(tags=(f"t{n}",)) for n in range(300)))
    mine = await events.open(TWO, "Mine.")
    await events.happen(mine, CustomerChanged(to=SOMEBODY, was=CUSTOMER))
    somebody = LISE.model_copy(update={"person_id": SOMEBODY.id})
    after, empty = "", 0
    while True:
        page = await events.page(f"after={after}&limit=10", somebody)
        after = page["next"]
        empty += not page["events"]
        if page["events"] or page["end"]:
            break
    assert empty > 2
    assert {each["subject"] for each in page["events"]} == {str(mine)}


async def test_a_page_of_long_texts_is_short(events: Events) -> None:
    ticket = await events.open(ONE, "It hums.")
    await events.happen(ticket, *(note("a" * 60_000) for _ in range(100)))
    page = await events.page("limit=200")
    assert 2 < len(page["events"]) < 102
    assert not page["end"]
    assert len(await events.all()) == 102


async def _waits(events: Events) -> None:
    """Until a request waits and the follower follows."""

    async def follows() -> bool:
        return events.follower.number > 0

    await until(follows)


async def _seen(events: Events, number: int) -> bool:
    end = await _end(events)
    return bool(events.follower.kept) and events.follower.kept[-1].place.offsets == end


async def _end(events: Events) -> tuple[int, ...]:
    place: Place = await events.follower.feed.end()
    return place.offsets
