"""Hides the tickets and queues in a ticket's history that its reader may not see (requirements A19.02, A19.03).

References are recognised by their shape (`TicketRef`, `QueueRef`), so that events of later versions are covered too.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any
from uuid import UUID

TICKET_KEYS = frozenset(("id", "number", "title"))
QUEUE_KEYS = frozenset(("id", "slug", "name"))
NEW_TICKET = "into"
"""The field that names the ticket that a split made, by its id alone."""
SPLIT_FIELDS = frozenset((NEW_TICKET, "title", "queue", "customer", "message", "note"))
"""The fields of a split's event that describe the ticket that it made."""
FREE_FIELDS = frozenset(("values", "fields"))
"""Fields whose names and values the desk chooses freely: never references, whatever they look like."""


def tickets_named(data: Mapping[str, Any]) -> Iterator[UUID]:
    """The ids of all tickets in an event's data."""
    named = (data.get(NEW_TICKET), *(part["id"] for part in _parts(data) if _ticket_in(part) is not None))
    yield from (found for each in named if (found := _id(each)) is not None)


def without_hidden(data: Mapping[str, Any], tickets: Collection[UUID], queues: Collection[UUID]) -> dict[str, Any]:
    """The data without tickets and queues other than these. A hidden one becomes null, and is left out of a list."""
    made = _id(data.get(NEW_TICKET))
    hidden: Collection[str] = ()
    if made is not None and made not in tickets:
        hidden = SPLIT_FIELDS if "articles" in data else (NEW_TICKET,)
    return {name: None if name in hidden else _shown(value, name, tickets, queues) for name, value in data.items()}


def _shown(value: Any, name: str, tickets: Collection[UUID], queues: Collection[UUID]) -> Any:
    if isinstance(value, list):
        shown = [_shown(each, name, tickets, queues) for each in value]
        return [each for each, before in zip(shown, value, strict=True) if each is not None or before is None]
    if not isinstance(value, dict) or name in FREE_FIELDS:
        return value
    if (ticket := _ticket_in(value)) is not None:
        return value if ticket in tickets else None
    if name != "topic" and value.keys() == QUEUE_KEYS:
        return value if _id(value["id"]) in queues else None
    return {key: _shown(each, key, tickets, queues) for key, each in value.items()}


def _ticket_in(part: Mapping[str, Any]) -> UUID | None:
    """The id of the ticket that a part refers to; None if the part is no reference to a ticket."""
    return _id(part.get("id")) if part.keys() <= TICKET_KEYS else None


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
            if name not in FREE_FIELDS:
                yield from _parts(each)
