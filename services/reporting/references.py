"""Other tickets, and queues, that an event of a ticket's history names: a reader gets those that they may see (requirements A19.02, A19.03).

They are known by their shape (`TicketRef`, `QueueRef`), so that events of tomorrow are covered too.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any
from uuid import UUID

TICKET = frozenset(("id", "number", "title"))
QUEUE = frozenset(("id", "slug", "name"))
BY_ID = ("into",)
"""Fields that name a ticket by its id alone: the one that a split made."""
OF_A_SPLIT = ("into", "title", "queue", "customer", "message", "note")
"""What the event of a split tells of the ticket that it made."""


def tickets_named(data: Mapping[str, Any]) -> Iterator[UUID]:
    """The ids of all tickets in an event's data."""
    yield from (UUID(value) for name in BY_ID if isinstance(value := data.get(name), str))
    yield from (UUID(part["id"]) for part in _parts(data) if _is_ticket(part))


def without_hidden(data: Mapping[str, Any], tickets: Collection[UUID], queues: Collection[UUID]) -> dict[str, Any]:
    """The data without tickets and queues that are not among those that may be seen: null where one stood, nothing in a list."""
    hidden = {name for name in BY_ID if isinstance(value := data.get(name), str) and UUID(value) not in tickets}
    if "into" in hidden and "articles" in data:
        hidden |= set(OF_A_SPLIT)
    return {name: None if name in hidden else _shown(value, name, tickets, queues) for name, value in data.items()}


def _shown(value: Any, name: str, tickets: Collection[UUID], queues: Collection[UUID]) -> Any:
    if isinstance(value, list):
        shown = [_shown(each, name, tickets, queues) for each in value]
        return [each for each, before in zip(shown, value, strict=True) if each is not None or before is None]
    if not isinstance(value, dict):
        return value
    if _is_ticket(value):
        return value if UUID(value["id"]) in tickets else None
    if name != "topic" and value.keys() == QUEUE:
        return value if UUID(value["id"]) in queues else None
    return {key: _shown(each, key, tickets, queues) for key, each in value.items()}


def _is_ticket(part: Mapping[str, Any]) -> bool:
    return "id" in part and part.keys() <= TICKET


def _parts(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, list):
        for each in value:
            yield from _parts(each)
    elif isinstance(value, dict):
        yield value
        for each in value.values():
            yield from _parts(each)
