"""Routing's events in intake, on real PostgreSQL: splits become tickets, messages follow merges, and all of it may come
twice."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from uuid_utils.compat import uuid7

from services.intake.policies import DeskNews
from services.intake.records.numbers import Numbers
from services.intake.records.receipts import Receipts
from services.intake.records.records import Records
from services.intake.records.tickets import TicketRow
from services.intake.schema import MIGRATIONS
from shared.contracts.envelope import Actor, Recorded, encode
from shared.contracts.event import Event
from shared.contracts.intake import TicketOpened
from shared.contracts.parts import CustomerRef, Message, PersonRef, QueueRef, TicketRef, Writer
from shared.contracts.routing import (
    CustomerChanged,
    MergeUndone,
    StateChanged,
    TicketMerged,
    TicketMoved,
    TicketReleased,
    TicketRemoved,
    TicketSplit,
)
from shared.contracts.topics import TICKETS
from shared.database import Pool, connect_pool
from shared.eventstore.migrations import migrate
from shared.eventstore.store import Store, utc_now
from shared.messaging.consuming.delivery import Delivered, Parked
from shared.messaging.consuming.projection import Position
from shared.rules.states import NEW, OPEN, REMOVED
from shared.runtime import failpoints
from shared.runtime.failpoints import FailpointRaised
from tests.specs.requirement import requirement

IT, HR = (QueueRef(id=UUID(int=n), slug=s, name=s) for n, s in ((10, "it"), (11, "hr")))
PER = CustomerRef(id=UUID(int=20), email="per@customer.example", name="Per")
KARI = PersonRef(id=UUID(int=1), name="Kari")


@dataclass
class News:
    """Feeds routing's events to intake's handler."""

    pool: Pool
    store: Store
    records: Records
    handler: DeskNews
    versions: dict[UUID, int] = field(default_factory=dict)

    async def ticket(self, number: str) -> UUID:
        """Opens a ticket in intake."""
        made = uuid7()
        await self.pool.execute(
            "INSERT INTO intake.tickets (ticket_id, number, customer_id) VALUES ($1, $2, $3)", made, number, PER.id
        )
        return made

    def events(self, stream: UUID, *payloads: Event) -> list[Recorded]:
        made = []
        for payload in payloads:
            version = self.versions[stream] = self.versions.get(stream, 0) + 1
            at = utc_now()
            made.append(
                Recorded(uuid4(), payload.TYPE, "/services/routing", stream, version, at, at, uuid4(), None, Actor("agent"), None, payload)
            )  # fmt: skip
        return made

    async def feed(self, events: Sequence[Recorded]) -> None:
        assert await self.work(events) == []

    async def work(self, events: Sequence[Recorded]) -> list[Parked]:
        deliveries = [Delivered(Position(TICKETS, 0, n), e.stream, encode(e), e) for n, e in enumerate(events)]
        async with self.pool.acquire() as connection, connection.transaction():
            return await self.handler.work(connection, deliveries, set())

    async def tell(self, stream: UUID, *payloads: Event) -> list[Recorded]:
        events = self.events(stream, *payloads)
        await self.feed(events)
        return events

    async def living(self, ticket: UUID) -> UUID:
        return (await self.place(ticket)).ticket_id

    async def place(self, ticket: UUID) -> TicketRow:
        """Where messages for a ticket go."""
        way = await self.records.tickets.resolve(ticket_id=ticket)
        assert way is not None
        return way.target


@pytest.fixture
async def news(postgres: Any) -> AsyncIterator[News]:
    owner, url = postgres.database("intake")
    await migrate(owner, url, *MIGRATIONS)
    pool = await connect_pool(url)
    store = Store(pool, "intake")
    yield News(pool, store, Records(pool, store), DeskNews(store, Numbers(pool, ZoneInfo("UTC")), Receipts(2, 0)))
    failpoints.arm("")
    await pool.close()


def merged(into: UUID) -> TicketMerged:
    return TicketMerged(into=TicketRef(id=into), was=NEW, by=KARI)


def undone(into: UUID) -> MergeUndone:
    return MergeUndone(into=TicketRef(id=into), state=NEW, by=KARI)


def split(into: UUID, origin: UUID, *, by: PersonRef | None = KARI, message_id: str | None = None) -> TicketSplit:
    words = Message(id=uuid4(), channel="email", text="And my chair squeaks.", message_id=message_id)
    return TicketSplit(
        articles=(words.id,), into=into, title="Chair", queue=HR, customer=PER, message=words, origin=TicketRef(id=origin), by=by
    )  # fmt: skip


async def test_messages_on_closed_tickets_get_only_so_many_receipts_a_day(news: News) -> None:
    """Each becomes its own ticket. This stops a program that answers every receipt and hides that it is a program."""
    origin = await news.ticket("1")
    made = [uuid4() for _ in range(4)]
    for into in made:
        await news.tell(origin, split(into, origin, by=None))
    opened = [(await news.store.load(into))[0].payload for into in made]
    assert [each.receipt for each in opened if isinstance(each, TicketOpened)] == [True, True, False, False]


@requirement("A7.19")
async def test_messages_follow_a_chain_of_merges_and_its_undo(news: News) -> None:
    one, two, three = [await news.ticket(str(n)) for n in range(3)]
    first = await news.tell(one, merged(two))
    await news.tell(two, merged(three))
    assert [await news.living(each) for each in (one, two, three)] == [three] * 3
    found = await news.records.matches.find(
        digest=None, email="x@y.example", name="", tickets=[], message_ids=[], numbers=["0"]
    )
    assert (found.ticket_id, found.number, found.threaded_by) == (three, "2", "subject")
    await news.tell(two, undone(three))
    assert [await news.living(each) for each in (one, two)] == [two, two]
    await news.tell(one, undone(two))
    assert await news.living(one) == one
    await news.feed(first)  # what comes again changes nothing
    assert await news.living(one) == one


@requirement("A7.19")
async def test_a_circle_of_merges_ends_at_the_first_repeated_ticket(news: News) -> None:
    """The desk makes no such circle, but the undo of one ticket may arrive after the next merge of the other."""
    one, two = await news.ticket("0"), await news.ticket("1")
    await news.tell(one, merged(two))
    await news.tell(two, merged(one))
    assert [await news.living(each) for each in (one, two)] == [one, two]


@requirement("A7.19")
async def test_a_merge_the_other_way_round_after_an_undo_counts_whatever_comes_first(news: News) -> None:
    one, two = await news.ticket("0"), await news.ticket("1")
    there = await news.tell(one, merged(two))
    back, other_way = news.events(one, undone(two)), news.events(two, merged(one))
    await news.feed(other_way)
    await news.feed(back)
    for again in (there, other_way, back, there):
        await news.feed(again)
    assert [await news.living(each) for each in (one, two)] == [one, one]


@requirement("A7.19")
async def test_two_merges_into_one_are_taken_back_one_by_one(news: News) -> None:
    one, two, into = [await news.ticket(str(n)) for n in range(3)]
    await news.tell(one, merged(into))
    await news.tell(two, merged(into))
    await news.tell(one, undone(into))
    assert [await news.living(each) for each in (one, two)] == [one, into]


async def test_news_of_a_ticket_that_intake_never_opened_are_parked_with_all_that_follows(news: News) -> None:
    known, other, stranger = await news.ticket("0"), await news.ticket("1"), uuid7()
    events = [
        *news.events(stranger, merged(known), undone(known)),
        *news.events(known, merged(stranger), TicketMoved(to=HR, was=IT)),
        *news.events(other, merged(known)),
    ]
    aside = await news.work(events)
    assert [(each.delivery.key, each.new) for each in aside] == [
        (stranger, True), (stranger, False), (known, True), (known, False),
    ]  # fmt: skip
    assert str(stranger) in aside[0].reason
    assert [await news.living(each) for each in (known, other)] == [known, known]


async def test_other_events_of_the_desk_cost_no_look_at_the_tickets(news: News) -> None:
    assert await news.work(news.events(uuid7(), TicketReleased(other=TicketRef(id=uuid4()), by=KARI))) == []


@requirement("A7.16", "A1.27")
async def test_a_split_becomes_a_ticket_once(news: News) -> None:
    origin, into = await news.ticket("0"), uuid7()
    events = news.events(origin, split(into, origin))
    await news.feed(events)
    await news.feed(events)
    (opened,) = await news.store.load(into)
    assert isinstance(opened.payload, TicketOpened)
    payload = opened.payload
    assert (payload.title, payload.queue, payload.receipt, payload.opened_by) == ("Chair", HR, False, KARI)
    assert (payload.split_from, opened.causation_id) == (TicketRef(id=origin), events[0].id)
    way = await news.records.tickets.resolve(number=payload.number)
    assert way is not None
    assert way.named.ticket_id == into
    await news.tell(into, TicketRemoved(because="split undone", was=NEW))
    assert await news.living(into) == origin  # what still comes for it is not lost


async def test_a_customers_mail_that_became_a_ticket_leads_there(news: News) -> None:
    origin, into = await news.ticket("0"), uuid7()
    await news.pool.execute(
        "INSERT INTO intake.message_ids VALUES (sha256(convert_to('<again@customer.example>', 'UTF8')), $1)", origin
    )
    await news.tell(origin, split(into, origin, by=None, message_id="<again@customer.example>"))
    found = await news.records.matches.find(
        digest=None, email=PER.email, name="", tickets=[], message_ids=["<again@customer.example>"], numbers=[]
    )
    assert found.ticket_id == into


@requirement("A5.10", "A2.09")
async def test_who_goes_on_in_their_own_mail_writes_to_the_ticket_that_it_became(news: News) -> None:
    """Its references also name the closed ticket, by a Message-ID of the desk's; the nearest reference counts."""
    origin, into = await news.ticket("0"), uuid7()
    await news.tell(origin, split(into, origin, by=None, message_id="<again@customer.example>"))
    found = await news.records.matches.find(
        digest=None, email=PER.email, name="", numbers=["0"],
        message_ids=["<again@customer.example>", "<ld.ours@help.example>"], tickets=[None, origin],
    )  # fmt: skip
    assert (found.ticket_id, found.threaded_by) == (into, "message-id")
    answered = await news.records.matches.find(
        digest=None, email=PER.email, name="", numbers=[],
        message_ids=["<ld.ours@help.example>", "<again@customer.example>"], tickets=[origin, None],
    )  # fmt: skip
    assert (answered.ticket_id, answered.threaded_by) == (origin, "reference")


async def test_a_process_that_dies_in_a_split_leaves_it_to_be_done_once(news: News) -> None:
    origin, into = await news.ticket("0"), uuid7()
    events = news.events(origin, split(into, origin))
    failpoints.arm("intake.split=raise")
    with pytest.raises(FailpointRaised):
        await news.feed(events)
    failpoints.arm("")
    await news.feed(events)
    assert len(await news.store.load(into)) == 1
    assert await news.pool.fetchval("SELECT count(*) FROM intake.tickets") == 2


@requirement("A7.28")
async def test_moves_and_customers_are_known_for_who_may_write(news: News) -> None:
    ticket = await news.ticket("0")
    lise = CustomerRef(id=uuid4(), email="lise@acme.example", company="acme")
    await news.tell(ticket, TicketMoved(to=HR, was=IT), CustomerChanged(to=lise, was=PER))
    place = await news.place(ticket)
    assert (place.queue_id, place.customer_id, place.company) == (HR.id, lise.id, "acme")
    await news.tell(ticket, CustomerChanged(to=PER, was=lise))
    place = await news.place(ticket)
    assert (place.queue_id, place.customer_id, place.company) == (HR.id, PER.id, None)


@requirement("A7.10", "A7.16")
async def test_what_was_split_off_for_the_desk_alone_is_opened_so(news: News) -> None:
    origin, into = await news.ticket("1"), uuid4()
    note = Message(id=uuid4(), channel="note", text="He never pays.")
    taken = split(into, origin).model_copy(
        update={"internal": True, "writer": Writer(kind="agent", name="Kari"), "note": note}
    )
    await news.tell(origin, taken)
    (opened,) = [event.payload for event in await news.store.load(into)]
    assert isinstance(opened, TicketOpened)
    assert (opened.internal, opened.writer, opened.note, opened.receipt) == (True, taken.writer, note, False)


async def test_messages_find_a_ticket_that_came_back_after_its_split_was_undone(news: News) -> None:
    origin, into = await news.ticket("1"), uuid4()
    await news.tell(origin, split(into, origin))
    await news.tell(into, TicketRemoved(because="split undone", was=NEW))
    assert await news.living(into) == origin
    await news.tell(into, StateChanged(to=OPEN, was=REMOVED))
    assert await news.living(into) == into
