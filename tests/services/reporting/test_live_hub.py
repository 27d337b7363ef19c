"""The hub over a real read model: each stream is told every change after its place once, whatever happens meanwhile."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest

from services.reporting.feed.feed import Feed
from services.reporting.feed.follower import Follower
from services.reporting.feed.place import Place
from services.reporting.feed.sealed_places import SealedPlaces
from services.reporting.live import hub as hub_module
from services.reporting.live.hub import Hub
from services.reporting.live.presence import CHANNEL, NOTIFY, OLDEST, Doing, Presence
from services.reporting.live.subscriptions import Link
from services.reporting.notices.notice_list import NoticeList
from shared.contracts.directory import Member, Queue
from shared.contracts.notify import NoticeGiven
from shared.contracts.parts import QueueRef
from shared.contracts.routing import NoteAdded, TagsAdded, TicketMoved
from shared.directory.copy import DirectoryCopy
from shared.http.live_link import Frame, FrameReader
from shared.projections import sets
from shared.rules.access import Identity
from shared.testing.documents import seed
from shared.testing.progress import until
from shared.testing.samples import sample
from tests.services.reporting.reporting_database import ZONE, Log, Reporting
from tests.services.reporting.test_feed import DESK, Topic
from tests.services.reporting.test_projections_and_lists import HR, IT, opened, queued
from tests.specs.requirement import requirement

KARI, EVA = (
    Identity(person_id=UUID(int=n), kind="agent", login=name, name=name.title(), email=f"{name}@x.example",
             roles=("agent",), expires=int(time.time()) + 1000)
    for n, name in ((1, "kari"), (2, "eva"))
)  # fmt: skip
PER = KARI.model_copy(update={"person_id": UUID(int=20), "kind": "customer", "login": "per", "roles": ("customer",)})
TICKETS = tuple(UUID(int=1000 + n) for n in range(5))
NUMBERS = tuple(f"202611271000{n:04}" for n in range(5))


@dataclass
class Client:
    """A gateway process with streams. Asks for more of the past by itself if `reads`."""

    hub: Hub
    link: Link = field(default_factory=Link)
    frames: list[Frame] = field(default_factory=list)
    reads: bool = True

    async def run(self) -> None:
        reader = FrameReader()
        self.hub.add(self.link)
        while data := await self.link.unsent():
            self.link.was_sent()
            for frame in reader.frames(data):
                self.frames.append(frame)
                if frame["op"] == "page" and self.reads:
                    self.hub.more(self.link, frame["s"])

    def open(self, number: int, who: Identity = KARI, after: str | None = None, tickets: tuple[UUID, ...] = ()) -> None:
        self.hub.identify(self.link, who.person_id.int, who)
        self.hub.open(self.link, number, self.link.listeners[who.person_id.int], after, tickets)

    def of(self, number: int, op: str = "") -> list[Frame]:
        """The frames for a stream."""
        mine = [each for each in self.frames if each.get("s") == number or number in each.get("to", ())]
        return [each for each in mine if not op or each["op"] == op]

    def told(self, number: int, event: str = "ticket") -> list[tuple[str, dict[str, Any]]]:
        """The places and data of its messages."""
        return [(each["id"], orjson.loads(each["data"])) for each in self.of(number) if each.get("event") == event]

    def versions(self, number: int) -> Counter[tuple[str, int]]:
        """Which versions of routing it was told of each ticket. Every event here is a message of its own."""
        return Counter(
            (data["id"], data["versions"]["routing"]) for _, data in self.told(number) if "routing" in data["versions"]
        )

    async def joined(self, number: int) -> str:
        """Waits until the stream gets what is new; returns its first place."""
        await until(lambda: _true(bool(self.of(number, "joined"))))
        return str(self.of(number, "opened")[0]["id"])


async def _true(value: bool) -> bool:
    return value


@dataclass
class Stage:
    desk: Reporting
    directory: DirectoryCopy
    topic: Topic
    log: Log
    hub: Hub
    places: SealedPlaces
    clients: list[Client] = field(default_factory=list)
    tasks: list[asyncio.Task[Any]] = field(default_factory=list)

    def client(self, **options: Any) -> Client:
        made = Client(self.hub, **options)
        self.tasks.append(asyncio.create_task(made.run()))
        return made

    async def happen(self, ticket: UUID, *payloads: Any) -> None:
        """Events are recorded, and shown by the lists."""
        before = len(self.log.events)
        self.log.add(ticket, *payloads)
        self.topic.add(*self.log.events[before:])
        await self.topic.apply(1)


def queue(reference: QueueRef, *members: UUID) -> Queue:
    readers = tuple(Member(person=each, rights=("read", "work")) for each in members)
    return Queue(id=reference.id, slug=reference.slug, name=reference.name, address=None, members=readers)


@pytest.fixture
async def stage(live_desk: Reporting) -> AsyncIterator[Stage]:
    await seed(live_desk.app_url, queue(IT, KARI.person_id), queue(HR, EVA.person_id))
    directory = DirectoryCopy(live_desk.pool, live_desk.app_url)
    await directory.load()
    feed = Feed(live_desk.pool)
    follower = Follower(feed, live_desk.app_url)
    places, presence = SealedPlaces(bytes(32)), Presence(live_desk.pool, live_desk.app_url, bytes(32))
    hub = Hub(
        live_desk.pool,
        directory,
        feed,
        follower,
        places,
        presence,
        NoticeList(live_desk.pool, live_desk.pool, directory, ZONE),
    )
    made = Stage(live_desk, directory, Topic(live_desk), Log(), hub, places)
    made.tasks = [asyncio.create_task(each.run()) for each in (follower, presence, hub)]
    for ticket, number in zip(TICKETS, NUMBERS, strict=True):
        await made.happen(ticket, opened(number), queued(number))
    yield made
    for task in made.tasks:
        task.cancel()
    await asyncio.gather(*made.tasks, return_exceptions=True)


@requirement("A13.08")
async def test_streams_join_what_is_new_without_a_gap_while_tickets_change(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "PAST_PAGE", 7)
    client = stage.client()
    client.open(1)
    await client.joined(1)

    async def change() -> None:
        for n in range(60):
            await stage.happen(TICKETS[n % 5], TagsAdded(tags=(str(n),)))

    changing = asyncio.create_task(change())
    opened_at: dict[int, str] = {}

    async def begin(number: int, after: str) -> None:
        opened_at[number] = after
        client.open(number, after=after)
        await client.joined(number)

    number = 1
    while not changing.done():
        seen = client.told(1)
        if seen:
            number += 1
            await begin(number, seen[len(seen) // 2][0])
        await asyncio.sleep(0)
    await changing
    assert number > 3
    await until(lambda: _true(client.versions(1).total() == 60))
    whole = [(place, data["id"], data["versions"]["routing"]) for place, data in client.told(1)]
    for each, after in opened_at.items():
        position = next(n for n, (place, _, _) in enumerate(whole) if place == after)
        expected = Counter((ticket, version) for _, ticket, version in whole[position + 1 :])
        await until(lambda each=each, expected=expected: _true(client.versions(each) >= expected))  # type: ignore[misc]
        assert client.versions(each) == expected


@requirement("A13.08")
async def test_every_message_is_a_place_to_resume_at(stage: Stage) -> None:
    client = stage.client()
    client.open(1)
    start = await client.joined(1)
    for n in range(6):
        await stage.happen(TICKETS[n % 5], TagsAdded(tags=(str(n),)), NoteAdded.model_validate(sample(NoteAdded)))
    await until(lambda: _true(len(client.told(1)) >= 6))
    told = client.told(1)
    for n, after in enumerate([start, *(place for place, _ in told)]):
        client.open(10 + n, after=after)
        await client.joined(10 + n)
        assert [data["id"] for _, data in client.told(10 + n)] == [data["id"] for _, data in told[n:]]


def notice(*people: Identity) -> NoticeGiven:
    return NoticeGiven(
        notice=uuid4(), kind="reminder", people=tuple(each.person_id for each in people), cause=UUID(int=77)
    )


@requirement("A10.01")
async def test_a_notice_reaches_those_who_have_it_and_may_read_the_ticket(stage: Stage) -> None:
    client = stage.client()
    for number, who in ((1, KARI), (2, EVA), (3, PER)):
        client.open(number, who)
        await client.joined(number)
    given = notice(KARI, EVA)
    await stage.happen(TICKETS[0], given)
    await stage.happen(TICKETS[0], TagsAdded(tags=("x",)))
    await until(lambda: _true(len(client.told(1)) == 2))
    ((place, row),) = client.told(1, "notice")
    assert row | {"at": ""} == {
        "id": str(given.notice),
        "at": "",
        "kind": "reminder",
        "ticket": {"id": str(TICKETS[0]), "number": NUMBERS[0], "title": row["ticket"]["title"]},
        "text": "The time until which this ticket was to wait has come.",
        "seen": False,
    }
    assert client.told(2, "notice") == client.told(3, "notice") == []
    # It comes before the message of its ticket: a client that got no more than the notice misses nothing.
    client.open(4, after=place)
    await client.joined(4)
    types = [each for _, data in client.told(4) for each in data["types"]]
    assert types == ["helpdesk.NoticeGiven.v1", "helpdesk.TagsAdded.v1"]
    assert [each["id"] for _, each in client.told(4, "notice")] == [str(given.notice)]


@requirement("A10.01")
async def test_a_stream_is_told_the_notices_that_it_missed(stage: Stage) -> None:
    client = stage.client()
    client.open(1)
    start = await client.joined(1)
    given = [notice(KARI), notice(EVA), notice(KARI)]
    for n, each in enumerate(given):
        await stage.happen(TICKETS[n], each)
    await until(lambda: _true(len(client.told(1)) == 3))
    client.open(2, after=start)
    await client.joined(2)
    expected = [str(given[0].notice), str(given[2].notice)]
    for number in (1, 2):
        assert [each["id"] for _, each in client.told(number, "notice")] == expected
    client.open(3, after=client.told(1)[-1][0])
    await client.joined(3)
    assert client.told(3, "notice") == []


@requirement("A13.08")
async def test_the_past_waits_for_a_client_that_does_not_read(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "PAST_PAGE", 3)
    first = stage.client()
    first.open(1)
    start = await first.joined(1)
    slow = stage.client(reads=False)
    for n in range(5):
        await stage.happen(TICKETS[n], TagsAdded(tags=(str(n),)))
    slow.open(2, after=start)
    await until(lambda: _true(bool(slow.of(2, "page"))))
    await until(lambda: _true(len(first.told(1)) == 5))
    assert len(slow.told(2)) <= 3
    assert not slow.of(2, "joined")
    slow.hub.more(slow.link, 2)
    await until(lambda: _true(len(slow.told(2)) > 3 or len(slow.of(2, "page")) > 1))


@requirement("A13.08")
async def test_an_unknown_place_and_one_too_far_behind_are_reset(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    client = stage.client()
    client.open(1)
    start = await client.joined(1)
    other = stage.places.seal(Place(UUID(int=99), (0,) * 12))
    for number, after in ((2, "nonsense"), (3, other)):
        client.open(number, after=after)
        await client.joined(number)
        assert client.of(number, "opened")[0]["reset"] is True
    monkeypatch.setattr(hub_module, "MOST_BEHIND", 3)
    for n in range(5):
        await stage.happen(TICKETS[n], TagsAdded(tags=(str(n),)))
    await until(lambda: _true(len(client.told(1)) == 5))
    client.open(4, after=start)
    await client.joined(4)
    assert client.of(4, "opened")[0]["reset"] is True
    await stage.happen(TICKETS[0], TagsAdded(tags=("later",)))
    await until(lambda: _true(all(len(client.told(number)) >= 1 for number in (2, 3, 4))))
    assert len(client.told(4)) == 1


@requirement("A13.08", "A19.02")
async def test_rights_are_those_of_the_moment_of_sending(stage: Stage) -> None:
    client = stage.client()
    for number, who in ((1, KARI), (2, EVA), (3, PER)):
        client.open(number, who)
        await client.joined(number)
    await stage.happen(TICKETS[0], TicketMoved(was=IT, to=HR))
    await until(lambda: _true(all(client.told(n) for n in (1, 2))))
    assert client.told(1)[0][1] == {"id": str(TICKETS[0]), "gone": True}
    assert client.told(2)[0][1]["was_queue"] is None  # Eva may not know of it
    assert client.told(2)[0][1]["queue"]["slug"] == HR.slug
    await seed(stage.desk.app_url, queue(IT, EVA.person_id))
    await stage.directory.load()
    await stage.happen(TICKETS[1], TagsAdded(tags=("x",)))
    await until(lambda: _true(len(client.told(2)) == 2))
    assert len(client.told(1)) == 1
    assert [data["types"] for _, data in client.told(3)] == [["helpdesk.TicketMoved.v1"]]  # the tickets are Per's


@requirement("A13.08")
async def test_a_failure_of_the_database_leaves_no_gap(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    client = stage.client()
    client.open(1)
    await client.joined(1)
    whole, failures = stage.hub.updates.of, [OSError("gone"), OSError("gone")]

    async def failing(*arguments: Any, **options: Any) -> Any:
        if failures:
            raise failures.pop()
        return await whole(*arguments, **options)

    monkeypatch.setattr(stage.hub.updates, "of", failing)
    for n in range(5):
        await stage.happen(TICKETS[n], TagsAdded(tags=(str(n),)))
    await until(lambda: _true(client.versions(1).total() == 5))
    assert not failures
    assert set(client.versions(1).values()) == {1}


@requirement("A13.08")
async def test_a_promotion_of_a_rebuilt_read_model_is_not_noticed(stage: Stage) -> None:
    client = stage.client()
    client.open(1)
    start = await client.joined(1)
    await stage.happen(TICKETS[0], TagsAdded(tags=("before",)))
    await until(lambda: _true(client.versions(1).total() == 1))
    generation = await sets.begin(stage.desk.owner, DESK, stage.desk.app_url)
    await stage.topic.apply(generation)
    await sets.promote(stage.desk.owner, DESK, generation, stage.desk.app_url)
    before = len(stage.log.events)
    stage.log.add(TICKETS[1], TagsAdded(tags=("after",)))
    stage.topic.add(*stage.log.events[before:])
    await stage.topic.apply(generation)
    await until(lambda: _true(client.versions(1).total() == 2))
    client.open(2, after=start)
    await client.joined(2)
    assert client.versions(2) == client.versions(1)
    assert not client.told(1, "reset")


@requirement("A13.08")
async def test_a_person_nobody_vouches_for_any_more_is_told_nothing(stage: Stage) -> None:
    client = stage.client()
    client.open(1)
    client.open(2, EVA)
    await client.joined(1)
    client.hub.identify(client.link, KARI.person_id.int, KARI.model_copy(update={"expires": int(time.time()) - 1}))
    await stage.happen(TICKETS[0], TagsAdded(tags=("x",)))
    await until(lambda: _true(bool(client.of(1, "refused"))))
    assert client.told(1) == []


@requirement("A13.08")
async def test_presence_is_told_to_agents_of_the_ticket_only(stage: Stage) -> None:
    client = stage.client()
    for number, who in ((1, KARI), (2, EVA), (3, PER)):
        client.open(number, who, tickets=(TICKETS[0], UUID(int=5)))
        await client.joined(number)
    await stage.hub.presence.announce(TICKETS[0], KARI.person_id, "Kari", "viewing")
    await until(lambda: _true(bool(client.told(1, "presence"))))
    people = [{"id": str(KARI.person_id), "name": "Kari", "doing": "viewing"}]
    assert client.told(1, "presence")[0][1] == {"ticket": str(TICKETS[0]), "people": people}
    client.open(4, KARI, tickets=(TICKETS[0],))
    await until(lambda: _true(bool(client.told(4, "presence"))))
    await stage.hub.presence.announce(TICKETS[0], KARI.person_id, "Kari", None)
    await until(lambda: _true(len(client.told(1, "presence")) == 2))
    assert client.told(1, "presence")[1][1]["people"] == []
    assert not client.told(2, "presence") and not client.told(3, "presence")


def test_presence_ends_after_30_seconds_and_is_bounded() -> None:
    now = 0.0
    clock: Callable[[], float] = lambda: now  # noqa: E731
    presence = Presence(None, "", bytes(32), clock)  # type: ignore[arg-type]

    def heard(ticket: int, person: int, doing: Doing | None = "viewing") -> None:
        presence.heard(presence.sealed(UUID(int=ticket), UUID(int=person), "Kari", doing))

    heard(1, 1)
    assert presence.news() == {UUID(int=1)}
    now = 20.0
    heard(1, 1)
    assert presence.news() == set()  # nothing has changed
    heard(1, 1, "replying")
    assert presence.news() == {UUID(int=1)}
    now = 49.0
    assert presence.news() == set()
    now = 50.0
    assert presence.news() == {UUID(int=1)}
    assert presence.people(UUID(int=1)) == []
    for ticket in range(100):
        heard(ticket, 1)
    assert sum(bool(presence.people(UUID(int=ticket))) for ticket in range(100)) == 20


async def test_nobody_else_can_send_or_read_presence(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every role of the database can listen and notify, that of analysts too."""
    presence = stage.hub.presence
    said = {"ticket": str(TICKETS[0]), "person": str(KARI.person_id), "name": "Kari", "doing": "viewing"}
    true = presence.sealed(TICKETS[0], KARI.person_id, "Kari", "viewing")
    foreign = Presence(presence.pool, presence.database_url, bytes(31) + b"x")
    for forged in ("", "nonsense", "AAAA", orjson.dumps(said).decode(), true[:-4], f"AAAA{true[4:]}"):
        presence.heard(forged)
    presence.heard(foreign.sealed(TICKETS[0], KARI.person_id, "Kari", "viewing"))
    assert presence.people(TICKETS[0]) == []
    assert "Kari" not in true and str(TICKETS[0]) not in true
    with monkeypatch.context() as later:
        later.setattr(time, "time", lambda now=time.time(): now + OLDEST + 1)
        presence.heard(true)  # somebody has heard it, and sends it again
    assert presence.people(TICKETS[0]) == []
    await presence.pool.execute(NOTIFY, CHANNEL, true)
    await until(lambda: _true(bool(presence.people(TICKETS[0]))))
