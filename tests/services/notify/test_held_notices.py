"""Notices of one ticket within a minute are one mail, sent once, whatever dies meanwhile (A10.01, A10.05; decision 0116)."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from prometheus_client import REGISTRY

from services.notify import app
from services.notify.app import builder_of
from services.notify.deciding.handler import TicketHandler
from services.notify.deciding.held_notices import HeldNotices
from services.notify.settings import MailSettings
from shared.contracts.directory import Absence
from shared.contracts.envelope import encode
from shared.contracts.event import Event
from shared.contracts.intake import CustomerMessageReceived
from shared.contracts.notify import NoticeGiven, NotificationRequested
from shared.contracts.parts import Message, PersonRef
from shared.contracts.routing import OwnerChanged, StateChanged
from shared.contracts.topics import TICKETS
from shared.database import connect
from shared.directory.copy import DirectoryCopy
from shared.messaging.consuming.delivery import Delivered
from shared.messaging.consuming.projection import Position
from shared.rules.states import CLOSED_SUCCESSFUL, OPEN
from shared.testing.documents import seed
from shared.testing.progress import until
from tests.services.notify.desk import MailServer, Notify
from tests.services.notify.test_crash import process
from tests.specs.notify.tickets import KARI, MOMENT, NUMBER, PER, TITLE, person, queued, recorded, team
from tests.specs.requirement import requirement

KARI_PERSON, OLA = person(1, "Kari"), person(2, "Ola")
OWNED = (queued(), OwnerChanged(to=KARI))
MAIL = MailSettings(b"mail key", "help.example.org", ZoneInfo("UTC"))


class Desk:
    """Notify with a queue and its team; other services' events arrive by hand."""

    def __init__(self, one: Notify, copy: DirectoryCopy) -> None:
        self.one, self.copy = one, copy
        self.versions: dict[tuple[UUID, str], int] = {}

    async def happens(self, ticket: UUID, *payloads: Event, actor: str | None = None) -> None:
        """Events arrive in one batch."""
        handler = app.handlers(self.one.store, self.copy, MAIL)[TICKETS]
        assert isinstance(handler, TicketHandler)
        deliveries = []
        for payload in payloads:
            key = (ticket, payload.OWNER)
            self.versions[key] = self.versions.get(key, 0) + 1
            event = replace(recorded(payload, actor=actor), id=uuid4(), stream=ticket, version=self.versions[key])
            deliveries.append(Delivered(Position(TICKETS, 0, 0), ticket, encode(event), event))
        async with self.one.pool.acquire() as connection, connection.transaction():
            assert await handler.work(connection, deliveries, set()) == []

    def held(self) -> HeldNotices:
        return HeldNotices(self.one.store, builder_of(self.copy, MAIL), MAIL.notices_wait, lambda: None)

    async def passes(self, time: timedelta) -> None:
        """Only the tables' owner can change what is held."""
        owner = await connect(self.one.owner_url)
        await owner.execute(
            "UPDATE notify.held_notices SET mail_at = mail_at - $1::interval, given_at = given_at - $1::interval",
            time,
        )
        await owner.close()

    async def mails(self, ticket: UUID) -> list[NotificationRequested]:
        events = [event.payload for event in await self.one.events(ticket)]
        return [each for each in events if isinstance(each, NotificationRequested)]


@pytest.fixture
async def team_of_two(desk: Notify) -> Desk:
    return await with_documents(desk, team(KARI_PERSON, OLA), KARI_PERSON, OLA)


async def with_documents(desk: Notify, *documents: Any) -> Desk:
    await seed(desk.url, *documents)
    copy = DirectoryCopy(desk.pool, desk.url)
    await copy.load()
    return Desk(desk, copy)


def wrote(text: str) -> CustomerMessageReceived:
    return CustomerMessageReceived(number=NUMBER, customer=PER, message=Message(id=uuid4(), channel="email", text=text))


async def test_operators_see_how_late_the_first_mail_is(team_of_two: Desk) -> None:
    ticket, held = uuid4(), team_of_two.held()
    await held.measure()
    assert REGISTRY.get_sample_value("ledgerdesk_notices_late_seconds") == 0
    await team_of_two.happens(ticket, *OWNED, wrote("It hums."))
    await held.measure()
    assert REGISTRY.get_sample_value("ledgerdesk_notices_late_seconds") == 0  # it waits, and is not late
    await team_of_two.passes(timedelta(minutes=3))
    await held.measure()
    assert (REGISTRY.get_sample_value("ledgerdesk_notices_late_seconds") or 0) >= 120
    await held.request_due()
    await held.measure()
    assert REGISTRY.get_sample_value("ledgerdesk_notices_late_seconds") == 0


@requirement("A10.01", "A10.05")
async def test_notices_within_a_minute_are_one_mail(team_of_two: Desk) -> None:
    ticket, held = uuid4(), team_of_two.held()
    await team_of_two.happens(ticket, *OWNED, wrote("It hums."))
    await team_of_two.passes(timedelta(seconds=50))
    assert await held.request_due() == 0
    await team_of_two.happens(ticket, wrote("It hums loudly."))
    await team_of_two.passes(timedelta(seconds=11))
    assert await held.request_due() == 2
    (mail,) = await team_of_two.mails(ticket)
    assert [to.email for to in mail.mail.to] == [KARI_PERSON.email]
    assert mail.mail.subject == f"[Ticket#{NUMBER}] New message: {TITLE}"
    assert mail.mail.text.index("It hums.") < mail.mail.text.index("It hums loudly.")
    assert mail.mail.text.count(TITLE) == 1
    await team_of_two.happens(ticket, wrote("Still."))
    assert await held.request_due() == 0
    await team_of_two.passes(timedelta(seconds=61))
    assert await held.request_due() == 1
    assert len(await team_of_two.mails(ticket)) == 2


async def test_each_person_and_ticket_has_mails_of_their_own(team_of_two: Desk) -> None:
    one, two = uuid4(), uuid4()
    await team_of_two.happens(one, *OWNED, wrote("One."))
    await team_of_two.happens(two, queued(), OwnerChanged(to=PersonRef(id=OLA.id, name="Ola")), wrote("Two."))
    await team_of_two.passes(timedelta(seconds=61))
    while await team_of_two.held().request_due():
        pass
    for ticket, reader, text in ((one, KARI_PERSON, "One."), (two, OLA, "Two.")):
        (mail,) = await team_of_two.mails(ticket)
        assert [to.email for to in mail.mail.to] == [reader.email]
        assert text in mail.mail.text


async def test_a_mail_says_how_the_ticket_stands_when_it_leaves(team_of_two: Desk) -> None:
    ticket = uuid4()
    await team_of_two.happens(ticket, *OWNED, wrote("It hums."))
    await team_of_two.happens(ticket, StateChanged(to=CLOSED_SUCCESSFUL, was=OPEN, by=KARI), actor=str(KARI.id))
    await team_of_two.passes(timedelta(seconds=61))
    await team_of_two.held().request_due()
    (mail,) = await team_of_two.mails(ticket)
    assert "The ticket is closed by now." in mail.mail.text


async def test_a_clock_that_is_set_back_holds_no_mail(team_of_two: Desk) -> None:
    ticket = uuid4()
    await team_of_two.happens(ticket, *OWNED, wrote("It hums."))
    await team_of_two.passes(timedelta(hours=-3))
    assert await team_of_two.held().request_due() == 1


async def test_many_workers_request_a_mail_once(team_of_two: Desk) -> None:
    tickets = [uuid4() for _ in range(20)]
    for ticket in tickets:
        await team_of_two.happens(ticket, *OWNED, wrote("It hums."), wrote("Loudly."))
    await team_of_two.passes(timedelta(seconds=61))

    async def work() -> int:
        held, done = team_of_two.held(), 0
        while found := await held.request_due():
            done += found
        return done

    assert sum(await asyncio.gather(*(work() for _ in range(4)))) + await work() == 40
    assert [len(await team_of_two.mails(ticket)) for ticket in tickets] == [1] * 20
    assert len(await team_of_two.one.waiting()) == 20


async def test_a_mail_that_cannot_be_written_holds_up_no_other(team_of_two: Desk) -> None:
    broken, whole = uuid4(), uuid4()
    await team_of_two.happens(broken, *OWNED, wrote("It hums."))
    await team_of_two.happens(whole, *OWNED, wrote("It hums."))
    owner = await connect(team_of_two.one.owner_url)
    await owner.execute(
        """UPDATE notify.held_notices SET details = '{"time": {"due": "soon"}}' WHERE ticket_id = $1""", broken
    )
    await owner.close()
    await team_of_two.passes(timedelta(seconds=61))
    while await team_of_two.held().request_due():
        pass
    assert (len(await team_of_two.mails(broken)), len(await team_of_two.mails(whole))) == (0, 1)


async def test_somebody_who_has_left_gets_no_mail_and_holds_nothing(team_of_two: Desk) -> None:
    ticket = uuid4()
    await team_of_two.happens(ticket, *OWNED, wrote("It hums."))
    await team_of_two.one.pool.execute("DELETE FROM directory.documents WHERE id = $1", KARI_PERSON.id)
    await team_of_two.passes(timedelta(seconds=61))
    assert await team_of_two.held().request_due() == 1
    assert await team_of_two.mails(ticket) == []


async def test_hundreds_of_notices_are_one_mail_of_a_bounded_size(team_of_two: Desk) -> None:
    ticket = uuid4()
    await team_of_two.happens(ticket, *OWNED, *(wrote("æ" * 5_000) for _ in range(120)))
    await team_of_two.passes(timedelta(seconds=61))
    assert await team_of_two.held().request_due() == 120
    (mail,) = await team_of_two.mails(ticket)
    assert "There are 100 more notices." in mail.mail.text


async def test_notices_of_a_later_version_wait_for_it(team_of_two: Desk) -> None:
    ticket = uuid4()
    await team_of_two.happens(ticket, *OWNED, wrote("It hums."))
    owner = await connect(team_of_two.one.owner_url)
    await owner.execute("UPDATE notify.held_notices SET wording = 'of tomorrow/'")
    await owner.close()
    await team_of_two.passes(timedelta(seconds=61))
    assert await team_of_two.held().request_due() == 0
    assert await team_of_two.one.pool.fetchval("SELECT count(*) FROM notify.held_notices") == 1


@requirement("A21.01")
async def test_the_substitute_of_somebody_who_is_away_is_told_too(desk: Notify) -> None:
    away = KARI_PERSON.model_copy(
        update={
            "absence": Absence(
                active=True, first_day=MOMENT.date(), last_day=MOMENT.date().replace(year=9999), substitute=OLA.id
            )
        }
    )
    made = await with_documents(desk, team(KARI_PERSON, OLA), away, OLA)
    ticket = uuid4()
    await made.happens(ticket, *OWNED, wrote("It hums."))
    given = [each.payload for each in await desk.events(ticket) if isinstance(each.payload, NoticeGiven)]
    assert [(each.kind, each.people, each.substitutes_for) for each in given] == [
        ("assigned", (away.id, OLA.id), (away.id,)),
        ("follow_up", (away.id, OLA.id), (away.id,)),
    ]
    await made.passes(timedelta(seconds=61))
    await made.held().request_due()
    assert [[to.email for to in mail.mail.to] for mail in await made.mails(ticket)] == [[away.email], [OLA.email]]


@pytest.mark.parametrize("point", ["notices.taken", "append.before_commit", "append.after_commit", "notices.requested"])
async def test_a_crash_loses_and_doubles_no_mail(team_of_two: Desk, server: MailServer, point: str) -> None:
    ticket = uuid4()
    await team_of_two.happens(ticket, *OWNED, wrote("It hums."), wrote("Loudly."))
    await team_of_two.passes(timedelta(seconds=61))
    async with process(team_of_two.one, server, f"{point}=exit") as first:
        assert await asyncio.wait_for(first.wait(), 30) < 0
    async with process(team_of_two.one, server):
        await until_sent(team_of_two, ticket)
    assert len(await team_of_two.mails(ticket)) == 1
    assert len(server.received) == 1


async def until_sent(made: Desk, ticket: UUID) -> None:
    async def sent() -> bool:
        return await made.one.outcome(ticket) is not None

    await until(sent)
