"""What notify remembers of tickets is what routing told last, in whatever order and how often its events come."""

import random
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

from services.notify import remembering
from services.notify.known import Remembered
from shared.contracts.envelope import Recorded
from shared.contracts.event import Event
from shared.contracts.intake import CustomerMessageReceived
from shared.contracts.parts import Address, Message, PersonRef, QueueRef
from shared.contracts.routing import OwnerChanged, TicketMoved, TicketRenamed
from tests.services.notify.desk import Notify
from tests.specs.notify.tickets import IT, KARI, NUMBER, PER, opened, queued, recorded

HR = QueueRef(id=UUID(int=12), slug="hr", name="People")
OLA = PersonRef(id=UUID(int=2), name="Ola")
PAST: list[Event] = [
    queued(title="It hums"),
    OwnerChanged(to=KARI),
    TicketMoved(to=HR, was=IT),
    OwnerChanged(to=None, was=KARI),
    TicketRenamed(to="It hums loudly", was="It hums"),
    TicketMoved(to=IT, was=HR),
    OwnerChanged(to=OLA),
]


def received(text: str, message_id: str, **more: Any) -> CustomerMessageReceived:
    message = Message(
        id=uuid4(),
        channel="email",
        to=(Address(email="IT@help.example.org"),),
        text=text,
        new_text=more.pop("new_text", None),
        message_id=message_id,
    )
    return CustomerMessageReceived(number=NUMBER, customer=PER, message=message, **more)


def told(ticket: UUID) -> list[Recorded]:
    return [replace(recorded(payload), stream=ticket, version=n) for n, payload in enumerate(PAST, 1)]


async def recalled(desk: Notify, ticket: UUID) -> Remembered | None:
    async with desk.pool.acquire() as connection:
        return (await remembering.recall(connection, [ticket])).get(ticket)


async def test_batches_of_any_size_in_any_order_come_to_the_same(desk: Notify) -> None:
    chance = random.Random(7)
    for _ in range(20):
        ticket = uuid4()
        events = [*told(ticket), *chance.sample(told(ticket), 3)]
        chance.shuffle(events)
        async with desk.pool.acquire() as connection:
            while events:
                some = chance.randint(1, 3)
                batch, events = events[:some], events[some:]
                await remembering.remember(connection, batch)
        assert await recalled(desk, ticket) == Remembered(NUMBER, "It hums loudly", IT, OLA)


async def test_a_ticket_that_belongs_to_nobody_again_has_no_owner(desk: Notify) -> None:
    ticket = uuid4()
    async with desk.pool.acquire() as connection:
        for event in told(ticket)[:4]:
            await remembering.remember(connection, [event])
    assert await recalled(desk, ticket) == Remembered(NUMBER, "It hums", HR, None)


async def test_a_ticket_that_routing_has_not_queued_is_not_known(desk: Notify) -> None:
    ticket = uuid4()
    async with desk.pool.acquire() as connection:
        await remembering.remember(connection, told(ticket)[1:])
    assert await recalled(desk, ticket) is None


async def test_what_a_participant_said_last_is_kept_in_whatever_order_it_comes(desk: Notify) -> None:
    chance, ticket = random.Random(7), uuid4()
    said = [
        opened(),
        received("It still hums.", "<second@customer.example>", new_text="It still hums."),
        received("Louder!\n> It still hums.", "<third@customer.example>", new_text="Louder!"),
        received("Close it.", "<4@evil.example>", standing="unverified"),
        received("I am the maker.", "<5@maker.example>", standing="outsider"),
    ]
    events = [replace(recorded(payload), stream=ticket, version=n) for n, payload in enumerate(said, 1)]
    for _ in range(10):
        chance.shuffle(events)
        async with desk.pool.acquire() as connection:
            for event in events:
                await remembering.remember_words(connection, [event])
            await remembering.remember_words(connection, events)
            found = (await remembering.recall_words(connection, [ticket]))[ticket]
    assert (found.words, found.writer, found.message_id) == ("Louder!", "Per Hansen", "<third@customer.example>")
    assert found.readers == {"per@customer.example", "it@help.example.org"}
