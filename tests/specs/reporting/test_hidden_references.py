"""The history hides references to other tickets and queues (A19.02), wherever they are in any event."""

import json
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.reporting.tickets.hidden_references import tickets_named, without_hidden
from shared.contracts.event import REGISTRY, data_of
from shared.contracts.parts import QueueRef, TicketRef
from shared.contracts.topics import TICKETS
from shared.testing.samples import sample
from tests.specs.requirement import requirement

EVENTS = sorted(name for name, cls in REGISTRY.items() if cls.TOPIC == TICKETS)


def names(part: Any) -> set[str]:
    """The numbers, titles and names of all tickets and queues in a payload, found by type."""
    found: set[str] = set()
    if isinstance(part, TicketRef):
        found |= {part.number, part.title, str(part.id)}
    elif isinstance(part, QueueRef):
        found |= {part.name, part.slug}
    elif hasattr(part, "model_fields_set"):
        for name in type(part).model_fields:
            found |= names(getattr(part, name))
    elif isinstance(part, list | tuple):
        for each in part:
            found |= names(each)
    return found - {""}


@requirement("A19.02")
@pytest.mark.parametrize("type_name", EVENTS)
def test_no_event_shows_a_hidden_ticket_or_queue(type_name: str) -> None:
    event = _distinct(REGISTRY[type_name].model_validate(sample(REGISTRY[type_name])))
    data = json.loads(data_of(event))
    shown = json.dumps(without_hidden(data, (), ()))
    assert not [name for name in names(event) if name in shown]


def _distinct(part: Any) -> Any:
    """The same event, with different names for each ticket and queue."""
    if isinstance(part, TicketRef):
        return TicketRef(id=uuid4(), number=f"N{uuid4().hex}", title=f"T{uuid4().hex}")
    if isinstance(part, QueueRef):
        return QueueRef(id=uuid4(), slug=f"s{uuid4().hex}", name=f"Q{uuid4().hex}")
    if isinstance(part, tuple):
        return tuple(map(_distinct, part))
    if hasattr(part, "model_fields_set"):
        return part.model_copy(update={name: _distinct(getattr(part, name)) for name in type(part).model_fields})
    return part


ONE, TWO = UUID(int=1), UUID(int=2)


def test_references_that_may_be_seen_stay() -> None:
    data: dict[str, Any] = {
        "also_opened": [{"id": str(ONE), "number": "1", "title": "a"}, {"id": str(TWO), "number": "2"}],
        "queue": {"id": str(ONE), "slug": "it", "name": "IT"},
        "form": {"topic": {"id": str(TWO), "slug": "t", "name": "Topic"}},
        "by": {"id": str(TWO), "name": "Kari"},
    }
    assert set(tickets_named(data)) == {ONE, TWO}
    assert without_hidden(data, {ONE, TWO}, {ONE}) == data
    assert without_hidden(data, {ONE}, {ONE}) == data | {"also_opened": data["also_opened"][:1]}


@pytest.mark.parametrize("field", ["values", "fields"])
def test_custom_fields_are_not_references(field: str) -> None:
    data: dict[str, Any] = {field: {"id": "B 214", "number": 7, "title": "chief"}}
    assert list(tickets_named(data)) == []
    assert without_hidden(data, (), ()) == data


def test_parts_that_only_look_like_references_stay() -> None:
    data: dict[str, Any] = {"was": {"id": "B 214"}, "into": "the hall"}
    assert list(tickets_named(data)) == []
    assert without_hidden(data, (), ()) == data
