"""The facts of a ticket are the newest, in whatever order and how often its events arrive."""

import random
from dataclasses import replace
from uuid import UUID, uuid4

from services.notify.read_models import ticket_facts
from services.notify.read_models.ticket_facts import TicketFacts
from shared.contracts.envelope import Recorded
from shared.contracts.event import Event
from shared.contracts.parts import Address, CustomerRef, PersonRef, QueueRef, TicketRef
from shared.contracts.routing import (
    CustomerAnswered,
    CustomerChanged,
    MergeUndone,
    OwnerChanged,
    ResponsibleChanged,
    StateChanged,
    TicketMerged,
    TicketMoved,
    TicketRenamed,
)
from shared.rules.states import NEW, OPEN
from tests.services.notify.desk import Notify
from tests.specs.notify.tickets import IT, KARI, NUMBER, PER, TITLE, opened, queued, recorded, replied
from tests.specs.requirement import requirement

HR = QueueRef(id=UUID(int=12), slug="hr", name="People")
PIA = CustomerRef(id=UUID(int=21), email="pia@customer.example", name="Pia")
OLA = PersonRef(id=UUID(int=2), name="Ola")
PAST: list[Event] = [
    queued(title="It hums"),
    OwnerChanged(to=KARI),
    TicketMoved(to=HR, was=IT),
    OwnerChanged(to=None, was=KARI),
    TicketRenamed(to="It hums loudly", was="It hums"),
    TicketMoved(to=IT, was=HR),
    OwnerChanged(to=OLA),
    ResponsibleChanged(to=KARI, by=OLA),
    CustomerAnswered(article=UUID(int=9), message_id="<second@customer.example>"),
    CustomerChanged(to=PIA, was=PER),
    StateChanged(to=OPEN, was=NEW),
]
NOW = TicketFacts(NUMBER, "It hums loudly", IT, OLA, KARI, PIA, "<second@customer.example>", state="open")


def told(ticket: UUID) -> list[Recorded]:
    return [replace(recorded(payload), stream=ticket, version=n) for n, payload in enumerate(PAST, 1)]


async def recalled(desk: Notify, ticket: UUID) -> TicketFacts | None:
    async with desk.pool.acquire() as connection:
        return (await ticket_facts.load(connection, [ticket])).get(ticket)


async def test_batches_of_any_size_and_order_give_the_same_facts(desk: Notify) -> None:
    chance = random.Random(7)
    for _ in range(20):
        ticket = uuid4()
        events = [*told(ticket), *chance.sample(told(ticket), 3)]
        chance.shuffle(events)
        async with desk.pool.acquire() as connection:
            while events:
                some = chance.randint(1, 3)
                batch, events = events[:some], events[some:]
                await ticket_facts.save(connection, batch)
        assert await recalled(desk, ticket) == NOW


async def test_a_ticket_whose_owner_was_removed_has_none(desk: Notify) -> None:
    ticket = uuid4()
    async with desk.pool.acquire() as connection:
        for event in told(ticket)[:4]:
            await ticket_facts.save(connection, [event])
    assert await recalled(desk, ticket) == TicketFacts(NUMBER, "It hums", HR, None, customer=PER, state="new")


async def test_a_ticket_that_routing_has_not_queued_is_unknown(desk: Notify) -> None:
    ticket = uuid4()
    async with desk.pool.acquire() as connection:
        await ticket_facts.save(connection, told(ticket)[1:])
    assert await recalled(desk, ticket) is None


async def test_facts_say_whether_a_machine_opened_the_ticket(desk: Notify) -> None:
    agents = opened(receipt=False, opened_by=KARI, channel="phone")
    for payload, machines in ((opened(receipt=False), True), (opened(), False), (agents, False)):
        ticket = uuid4()
        first = replace(recorded(payload), stream=ticket)
        async with desk.pool.acquire() as connection:
            await ticket_facts.save(connection, [*told(ticket), first])
            await ticket_facts.save(connection, told(ticket)[:1])
        assert await recalled(desk, ticket) == replace(NOW, by_machine=machines)


async def test_facts_say_whether_the_title_is_proven_and_where_mails_are_wanted(desk: Notify) -> None:
    home = Address(email="per@home.example", name="Per")
    wish = queued(answers_to=(home,))
    for first, proven in ((opened(), False), (opened(proven=True), True), (replied(), True)):
        ticket = uuid4()
        events = [replace(recorded(each), stream=ticket, version=n) for n, each in enumerate((wish, first), 1)]
        async with desk.pool.acquire() as connection:
            for event in events:
                await ticket_facts.save(connection, [event])
        expected = TicketFacts(NUMBER, TITLE, IT, customer=PER, proven=proven, state="new", answers_to=(home,))
        assert await recalled(desk, ticket) == expected
        later = replace(recorded(CustomerAnswered(article=UUID(int=9), answers_to=())), stream=ticket, version=3)
        async with desk.pool.acquire() as connection:
            await ticket_facts.save(connection, [later])
            await ticket_facts.save(connection, events)
        assert await recalled(desk, ticket) == replace(expected, answers_to=())


@requirement("A7.19")
async def test_the_facts_of_a_merged_ticket_are_those_of_its_target(desk: Notify) -> None:
    one, two, three = uuid4(), uuid4(), uuid4()
    into = {ticket: TicketRef(id=ticket) for ticket in (two, three)}
    versions = dict.fromkeys((one, two, three), 0)

    async def happens(ticket: UUID, payload: Event) -> None:
        versions[ticket] += 1
        event = replace(recorded(payload), stream=ticket, version=versions[ticket])
        async with desk.pool.acquire() as connection:
            await ticket_facts.save(connection, [event])

    async def title(ticket: UUID) -> str:
        found = await recalled(desk, ticket)
        assert found is not None
        return found.title

    for ticket, name in ((one, "one"), (two, "two"), (three, "three")):
        await happens(ticket, queued(title=name))
    await happens(one, TicketMerged(into=into[two], was=NEW, by=KARI))
    await happens(two, TicketMerged(into=into[three], was=NEW, by=KARI))
    assert [await title(each) for each in (one, two, three)] == ["three"] * 3
    await happens(two, MergeUndone(into=into[three], state=NEW, by=KARI))
    assert [await title(each) for each in (one, two, three)] == ["two", "two", "three"]
    await happens(one, MergeUndone(into=into[two], state=NEW, by=KARI))
    assert await title(one) == "one"
