"""A reply may quote the last message of a participant, in whatever order and how often events arrive."""

import random
from dataclasses import replace
from typing import Any
from uuid import uuid4

from services.notify.read_models import last_messages
from shared.contracts.intake import CustomerMessageReceived
from shared.contracts.parts import Address, Message
from tests.services.notify.desk import Notify
from tests.specs.notify.tickets import NUMBER, PER, opened, recorded


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


async def test_the_last_message_of_a_participant_is_kept_whatever_the_order(desk: Notify) -> None:
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
                await last_messages.save(connection, [event])
            await last_messages.save(connection, events)
            found = (await last_messages.load(connection, [ticket]))[ticket]
    assert (found.text, found.writer, found.message_id) == ("Louder!", "Per Hansen", "<third@customer.example>")
    assert found.readers == {"per@customer.example", "it@help.example.org"}
