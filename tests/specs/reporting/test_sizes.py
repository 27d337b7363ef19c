"""The history does not repeat what a message's article holds, however long the message is."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import orjson
import pytest

from services.reporting.tickets.events.fold import fold
from shared.contracts.event import REGISTRY
from shared.contracts.parts import Address, Message
from shared.contracts.routing import TicketSplit
from shared.contracts.topics import TICKETS
from shared.testing.samples import sample, sample_event

MESSAGES = sorted(
    name
    for name, cls in REGISTRY.items()
    if cls.TOPIC == TICKETS and "message" in cls.model_fields and cls is not TicketSplit
)
"""All events with a message but the split: its message is an article of the new ticket only."""


def message(size: int) -> Message:
    text = "x" * size
    return Message(
        id=UUID(int=50),
        channel="email",
        subject=text,
        sender=Address(email="per@acme.example", name=text),
        to=(Address(email="it@help.example", name=text),),
        text=text,
        new_text=f"{text}!",
        html=f"<p>{text}</p>",
        reading_notes=(text,),
    )


def history_bytes(name: str, size: int) -> int:
    cls = REGISTRY[name]
    payload = cls.model_validate(sample(cls)).model_copy(update={"message": message(size)})
    data: dict[str, Any] = orjson.loads(payload.model_dump_json(exclude_defaults=True))
    (entry,) = fold(None, replace(sample_event(cls), payload=payload, data=data)).history
    return len(orjson.dumps(entry.data))


@pytest.mark.parametrize("name", MESSAGES)
def test_a_longer_message_does_not_make_the_history_larger(name: str) -> None:
    assert history_bytes(name, 10_000) == history_bytes(name, 10)
