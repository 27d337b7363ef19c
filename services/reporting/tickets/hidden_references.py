"""Other tickets, and queues, that an event of a ticket's history names: a reader gets those that they may see (requirements A19.02, A19.03).

They are known by their shape (`TicketRef`, `QueueRef`), so that events of tomorrow are covered too.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any
from uuid import UUID

TICKET = frozenset(("id", "number", "title"))
QUEUE = frozenset(("id", "slug", "name"))
BY_ID = "into"
"""A field that names a ticket by its id alone: the one that a split made."""
OF_A_SPLIT = frozenset((BY_ID, "title", "queue", "customer", "message", "note"))
"""What the event of a split tells of the ticket that it made."""
FREE = frozenset(("values", "fields"))
"""Fields whose names and values are the desk's own: no reference, whatever they look like."""


def tickets_named(data: Mapping[str, Any]) -> Iterator[UUID]:
    """The ids of all tickets in an event's data."""
    named = (data.get(BY_ID), *(part["id"] for part in _parts(data) if _ticket_in(part) is not None))
    yield from (found for each in named if (found := _id(each)) is not None)


def without_hidden(data: Mapping[str, Any], tickets: Collection[UUID], queues: Collection[UUID]) -> dict[str, Any]:
    """The data without tickets and queues that are not among those that may be seen: null where one stood, nothing in a list."""
    made = _id(data.get(BY_ID))
    hidden: Collection[str] = ()
    if made is not None and made not in tickets:
        hidden = OF_A_SPLIT if "articles" in data else (BY_ID,)
    return {name: None if name in hidden else _shown(value, name, tickets, queues) for name, value in data.items()}


def _shown(value: Any, name: str, tickets: Collection[UUID], queues: Collection[UUID]) -> Any:
    if isinstance(value, list):
        shown = [_shown(each, name, tickets, queues) for each in value]
        return [each for each, before in zip(shown, value, strict=True) if each is not None or before is None]
    if not isinstance(value, dict) or name in FREE:
        return value
    if (ticket := _ticket_in(value)) is not None:
        return value if ticket in tickets else None
    if name != "topic" and value.keys() == QUEUE:
        return value if _id(value["id"]) in queues else None
    return {key: _shown(each, key, tickets, queues) for key, each in value.items()}


def _ticket_in(part: Mapping[str, Any]) -> UUID | None:
    """The ticket that a part refers to, if it is such a reference."""
    return _id(part.get("id")) if part.keys() <= TICKET else None


def _id(value: Any) -> UUID | None:
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _parts(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, list):
        for each in value:
            yield from _parts(each)
    elif isinstance(value, dict):
        yield value
        for name, each in value.items():
            if name not in FREE:
                yield from _parts(each)
