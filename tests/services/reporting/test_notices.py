"""The list of a person's notices: who has which, what they may read of it, what they have seen (A10.01, A10.05)."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from httpx2 import ASGITransport, AsyncClient, Response

from services.reporting.generations.projection_sets import projection_sets
from services.reporting.notices import notices_api
from services.reporting.notices.notice_list import DAYS, NoticeList
from services.reporting.notices.sentences import SENTENCES, Notice, sentence
from services.reporting.stats import api as stats_api
from shared.blobs.store import BlobStore
from shared.contracts.directory import Member
from shared.contracts.envelope import Actor, encode
from shared.contracts.event import Event
from shared.contracts.notify import NoticeGiven, NotificationKind
from shared.contracts.parts import QueueRef, RuleRef, SlaRef
from shared.contracts.routing import (
    DeadlineBroken,
    DeadlineWarned,
    OwnerChanged,
    ReminderReached,
    ResponsibleChanged,
    RuleNotified,
    TicketMoved,
    TicketRemoved,
    TicketUnlocked,
)
from shared.contracts.topics import TICKETS
from shared.database import connect
from shared.directory.copy import DirectoryCopy
from shared.http.identity import HEADER, sign
from shared.http.serving.application import application
from shared.http.serving.health import Health
from shared.languages.known import LOCALES
from shared.languages.translator import Translator
from shared.messaging.consuming.delivery import Delivered
from shared.messaging.consuming.projection import Position
from shared.projections import sets
from shared.rules.access import Identity
from shared.rules.states import NEW
from shared.testing.documents import seed
from shared.testing.keys import KEYS, SIGNING
from tests.described import CHECKED
from tests.services.reporting.reporting_database import ZONE, Log, Reporting
from tests.services.reporting.test_reading_api import (
    ADMIN,
    BY,
    CUSTOMER,
    EVA,
    IT,
    KARI,
    ONE,
    PEOPLE,
    PER,
    PLACE,
    TWO,
    Api,
)
from tests.specs.requirement import requirement

NOW = datetime.now(UTC)
BOTH = IT.model_copy(
    update={"members": tuple(Member(person=each.person_id, rights=("read", "work")) for each in (KARI, EVA))}
)
HR = QueueRef(id=UUID(int=11), slug="hr", name="HR")
GOLD = SlaRef(id=UUID(int=50), slug="gold", name="Gold", version=1)
RULE = RuleRef(id=UUID(int=51), name="Night watch", version=4)


class Bell(Api):
    """The API, and tickets with notices."""

    async def told(
        self, ticket: UUID, payload: Event, kind: NotificationKind, *people: Identity, at: datetime = NOW, **more: Any
    ) -> UUID:
        """Something happens, and these people have a notice of it."""
        known = len(self.log.events)
        self.log.add(ticket, payload, since=at)
        if (actor := more.pop("actor", None)) is not None:
            self.log.events[-1] = replace(self.log.events[-1], actor=actor)
        notice = uuid4()
        given = NoticeGiven(
            notice=notice,
            kind=kind,
            people=tuple(each.person_id for each in people),
            cause=self.log.events[-1].id,
            **more,
        )
        self.log.add(ticket, given, since=at)
        await self.rows.show(self.log.events[known:])
        return notice

    async def items(self, who: Identity = KARI, query: str = "") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.read(f"/notices{query}", who))["items"]
        return found

    async def seen(self, until: object, who: Identity = KARI) -> Response:
        headers = {HEADER: sign(who, "reporting", SIGNING)}
        return await self.client.post("/api/v1/notices/seen", json={"until": str(until)}, headers=headers)

    async def unseen(self, who: Identity = KARI) -> int:
        return int((await self.read("/stats/mine", who))["notices"])


@pytest.fixture
async def bell(live_desk: Reporting, tmp_path: Path) -> AsyncIterator[Bell]:
    oslo = PEOPLE[0].model_copy(update={"timezone": "Europe/Oslo"})
    await seed(live_desk.app_url, BOTH, oslo, *PEOPLE[1:])
    copy = DirectoryCopy(live_desk.pool, live_desk.app_url)
    await copy.load()
    notices = NoticeList(live_desk.pool, live_desk.pool, copy, ZONE)
    routers = [
        notices_api.router(notices),
        stats_api.router(stats_api.StatsReader(live_desk.pool, copy, ZONE, notices)),
    ]
    app = application(Health("reporting", "api"), keys=KEYS, routers=routers)
    async with AsyncClient(transport=ASGITransport(app), base_url="http://reporting", event_hooks=CHECKED) as client:
        yield Bell(client, live_desk, BlobStore(f"file://{tmp_path}"), Log(), copy)


REMINDER = ReminderReached(due_at=NOW, fired_at=NOW)


@requirement("A10.01", "A10.05")
async def test_a_person_sees_their_notices_newest_first_and_nobody_elses(bell: Bell) -> None:
    one, two = await bell.open(ONE, "hums"), await bell.open(TWO, "burns")
    first = await bell.told(one, REMINDER, "reminder", KARI)
    last = await bell.told(two, REMINDER, "reminder", KARI, EVA)
    items = await bell.items()
    assert [(each["id"], each["kind"], each["seen"]) for each in items] == [
        (str(last), "reminder", False),
        (str(first), "reminder", False),
    ]
    assert items[0]["ticket"] == {"id": str(two), "number": TWO, "title": "burns"}
    assert items[0].keys() == {"id", "at", "kind", "ticket", "text", "seen"}
    assert items[0]["at"] > items[1]["at"]
    assert [each["id"] for each in await bell.items(EVA)] == [str(last)]
    for other in (ADMIN, PER):
        assert (await bell.items(other), await bell.unseen(other)) == ([], 0)
    assert (await bell.unseen(), await bell.unseen(EVA)) == (2, 1)


async def test_pages_lead_from_one_to_the_next_while_notices_come(bell: Bell) -> None:
    ticket = await bell.open(ONE, "hums")
    ids = [str(await bell.told(ticket, REMINDER, "reminder", KARI)) for _ in range(5)]
    first = await bell.read("/notices?limit=2")
    await bell.told(ticket, REMINDER, "reminder", KARI)
    second = await bell.read(f"/notices?limit=2&cursor={first['next_cursor']}")
    third = await bell.read(f"/notices?limit=2&cursor={second['next_cursor']}")
    assert [each["id"] for page in (first, second, third) for each in page["items"]] == ids[::-1]
    assert third["next_cursor"] is None
    refused = await bell.get(f"/api/v1/notices?cursor={first['next_cursor']}", EVA)
    assert refused.status_code == 422
    assert (await bell.get("/api/v1/notices?colour=red")).status_code == 422


async def test_notices_are_seen_by_oneself_up_to_one_of_them(bell: Bell) -> None:
    ticket = await bell.open(ONE, "hums")
    ids = [await bell.told(ticket, REMINDER, "reminder", KARI, EVA) for _ in range(3)]
    assert (await bell.seen(ids[1])).status_code == 204
    assert [each["seen"] for each in await bell.items()] == [False, True, True]
    assert [each["seen"] for each in await bell.items(EVA)] == [False] * 3
    assert (await bell.unseen(), await bell.unseen(EVA)) == (1, 3)
    for _ in range(2):
        assert (await bell.seen(ids[2])).status_code == 204
    assert (await bell.seen(ids[0])).status_code == 204
    assert await bell.unseen() == 0
    await bell.told(ticket, REMINDER, "reminder", KARI)
    assert [each["seen"] for each in await bell.items()] == [False, True, True, True]
    # A notice that reaches the list late is not taken for one that was seen, though it is older than that.
    await bell.told(ticket, REMINDER, "reminder", KARI, at=NOW - timedelta(days=1))
    assert [each["seen"] for each in await bell.items()] == [False, True, True, True, False]


async def test_what_is_no_notice_of_mine_cannot_be_seen(bell: Bell) -> None:
    ticket = await bell.open(ONE, "hums")
    others = await bell.told(ticket, REMINDER, "reminder", EVA)
    for until in (others, uuid4()):
        answer = await bell.seen(until)
        assert answer.status_code == 422
        assert [each["pointer"] for each in answer.json()["errors"]] == ["/until"]
    assert (await bell.seen("soon")).status_code == (await bell.seen(others, PER)).status_code == 422


@requirement("A19.02")
async def test_rights_are_those_of_the_moment_of_reading(bell: Bell) -> None:
    ticket = await bell.open(ONE, "hums")
    await bell.told(ticket, REMINDER, "reminder", KARI, ADMIN)
    await bell.happen(ticket, TicketMoved(to=HR, was=PLACE))
    assert (await bell.items(), await bell.unseen()) == ([], 0)
    assert len(await bell.items(ADMIN)) == 1
    await bell.happen(ticket, TicketMoved(to=PLACE, was=HR))
    assert (len(await bell.items()), await bell.unseen()) == (1, 1)
    await bell.happen(ticket, TicketRemoved(because="split undone", was=NEW))
    assert (await bell.items(), await bell.unseen()) == ([], 0)
    assert len(await bell.items(ADMIN)) == 1


async def test_old_notices_are_not_listed_and_their_marks_go(bell: Bell) -> None:
    ticket = await bell.open(ONE, "hums")
    old = await bell.told(ticket, REMINDER, "reminder", KARI, at=NOW - timedelta(days=DAYS, seconds=10))
    new = await bell.told(ticket, REMINDER, "reminder", KARI, at=NOW - timedelta(days=DAYS - 1))
    assert [each["id"] for each in await bell.items()] == [str(new)]
    assert (await bell.seen(old)).status_code == 422
    owner = await connect(bell.rows.owner_url)
    await owner.execute(
        "INSERT INTO projections.notices_seen VALUES ($1, $2, now() - interval '100 days')", KARI.person_id, old
    )
    await owner.close()
    assert (await bell.seen(new)).status_code == 204
    marks = await bell.rows.pool.fetch("SELECT notice FROM projections.notices_seen")
    assert [row["notice"] for row in marks] == [new]


DUE = datetime(2026, 11, 29, 9, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "payload", "actor", "text"),
    [
        ("moved", TicketMoved(to=PLACE, was=HR), Actor("agent", str(PEOPLE[1].id)), "Ola moved this ticket here."),
        ("moved", TicketMoved(to=PLACE, was=HR), None, "This ticket was moved here."),
        ("assigned", OwnerChanged(to=BY), Actor("agent", str(PEOPLE[1].id)), "Ola gave you this ticket."),
        ("assigned", OwnerChanged(to=BY), Actor("system"), "You own this ticket now."),
        ("assigned", ResponsibleChanged(to=BY), None, "You are responsible for this ticket now."),
        ("lock_expired", TicketUnlocked(was=BY, because="expired"), None, "Your lock on this ticket has expired."),
        ("reminder", REMINDER, None, "The time until which this ticket was to wait has come."),
        (
            "deadline_warned",
            DeadlineWarned(clock="first_answer", due_at=DUE, sla=GOLD, warn_at=DUE, fired_at=DUE),
            None,
            "The first answer is due by 29 November 2026, 10:20 CET.",
        ),
        (
            "deadline_broken",
            DeadlineBroken(clock="solution", due_at=DUE, sla=GOLD, fired_at=DUE),
            None,
            "The solution was due by 29 November 2026, 10:20 CET. That time is over.",
        ),
        (
            "rule",
            RuleNotified(
                rule=RULE, to=("owner",), template="x", number=ONE, title="hums", queue=PLACE, customer=CUSTOMER
            ),
            None,
            "The rule Night watch sent you a mail.",
        ),
        ("of_tomorrow", REMINDER, None, None),
    ],
)
async def test_a_notice_is_a_sentence(
    bell: Bell, kind: NotificationKind, payload: Event, actor: Actor | None, text: str | None
) -> None:
    ticket = await bell.open(ONE, "hums")
    more: dict[str, Any] = {"actor": actor} if actor is not None else {}
    await bell.told(ticket, payload, kind, KARI, **more)
    (item,) = await bell.items()
    assert item["text"].endswith(".")
    if text is not None:
        assert item["text"] == text


async def test_the_notices_of_a_message_and_of_a_suspended_rule(bell: Bell) -> None:
    ticket = await bell.open(ONE, "hums")
    opened = bell.log.events[0].id
    await bell.happen(
        ticket, NoticeGiven(notice=uuid4(), kind="new_ticket", people=(KARI.person_id,), cause=opened), since=NOW
    )
    await bell.happen(
        ticket,
        NoticeGiven(notice=uuid4(), kind="rule_suspended", people=(ADMIN.person_id,), cause=uuid4(), rule=RULE),
        since=NOW,
    )
    (item,) = await bell.items()
    assert item["text"] == "Per opened this ticket."
    (item,) = await bell.items(ADMIN)
    assert item["text"] == "The rule Night watch was switched off: it could not do on this ticket what it says."


async def test_a_rebuild_gives_the_same_notices_and_what_was_seen_stays(bell: Bell) -> None:
    ticket = await bell.open(ONE, "hums")
    ids = [await bell.told(ticket, REMINDER, "reminder", KARI, EVA) for _ in range(3)]
    await bell.seen(ids[0])
    before = await bell.items()
    desk = projection_sets(ZONE)["desk"]
    owner = await connect(bell.rows.owner_url)
    generation = await sets.begin(owner, desk, bell.rows.app_url)
    delivered = [
        Delivered(Position(TICKETS, 0, n), each.stream, encode(each), each) for n, each in enumerate(bell.log.events)
    ]
    for first in range(0, len(delivered), 2):
        await work(bell, desk, generation, delivered[first : first + 2])
    await work(bell, desk, generation, delivered)  # everything comes again
    assert set((await sets.differences(owner, desk, 1, generation)).values()) == {0}
    await sets.promote(owner, desk, generation, bell.rows.app_url)
    await owner.close()
    assert await bell.items() == before
    assert [each["seen"] for each in before] == [False, False, True]


async def work(bell: Bell, desk: sets.ProjectionSet, generation: int, delivered: Sequence[Delivered]) -> None:
    async with bell.rows.pool.acquire() as connection, connection.transaction():
        assert await desk.handlers(generation)[TICKETS].work(connection, delivered, set()) == []


@requirement("A21.06")
@pytest.mark.parametrize("kind", SENTENCES)
def test_a_notice_is_in_its_readers_language(kind: str) -> None:
    event = {"clock": "solution", "due_at": "2026-11-29T09:20:00+00:00", "was": {"id": "x", "name": "Ola"}}
    for data in (event, {}):
        for actor, rule in (("Ola", "Night watch"), ("", "")):
            notice = Notice(kind, KARI.person_id, "OwnerChanged", data, actor, rule)
            told = {sentence(notice, Translator(language, ZoneInfo("Europe/Oslo"))) for language in LOCALES}
            assert len(told) == len(LOCALES) and all(each.endswith(".") and "{" not in each for each in told)


@requirement("A21.06")
async def test_the_language_is_that_of_the_readers_record(bell: Bell) -> None:
    ticket = await bell.open(ONE, "hums")
    await bell.told(ticket, REMINDER, "reminder", KARI, EVA)
    await bell.rows.pool.execute(
        'UPDATE directory.documents SET document = document || \'{"language": "nn"}\' WHERE id = $1', KARI.person_id
    )
    (mine,), (evas,) = await bell.items(), await bell.items(EVA)
    assert mine["text"] == "Tiden som denne saken skulle vente til, er kommet."
    assert evas["text"] == "The time until which this ticket was to wait has come."
