"""What customers may know of events: these types, and of their data these fields. Everything else is left out.

A new type or field is unknown to customers until it stands here (requirement A19.03).
"""

from collections.abc import Mapping
from typing import Any

Allowed = Mapping[str, Any]
"""Field -> `WHOLE`, or the allowed fields of its value. A list is treated item by item."""

WHOLE: Allowed = {}
ADDRESS: Allowed = {"email": WHOLE, "name": WHOLE}
REFERENCE: Allowed = {"id": WHOLE, "slug": WHOLE, "name": WHOLE}
STATE: Allowed = {"slug": WHOLE, "name": WHOLE, "type": WHOLE}
MESSAGE: Allowed = {
    "id": WHOLE, "channel": WHOLE, "sender": ADDRESS, "to": ADDRESS, "cc": ADDRESS, "subject": WHOLE, "text": WHOLE,
    "new_text": WHOLE, "written_at": WHOLE,
    "attachments": {"id": WHOLE, "name": WHOLE, "blob": {"size": WHOLE, "type": WHOLE}},
}  # fmt: skip
OF_ARTICLES = ("message",)
"""Fields with the content of an article. They are left out if the article is internal."""
TYPES: Mapping[str, Allowed] = {
    "helpdesk.TicketOpened.v1": {
        "number": WHOLE, "title": WHOLE, "queue": REFERENCE, "channel": WHOLE, "priority": WHOLE, "message": MESSAGE,
        "customer": {"id": WHOLE, "email": WHOLE, "name": WHOLE, "company": WHOLE}, "fields": WHOLE, "form": WHOLE,
    },
    "helpdesk.TicketQueued.v1": {
        "number": WHOLE, "title": WHOLE, "queue": REFERENCE, "state": STATE, "priority": WHOLE, "channel": WHOLE,
        "fields": WHOLE,
    },
    "helpdesk.CustomerMessageReceived.v1": {"number": WHOLE, "message": MESSAGE},
    "helpdesk.AgentReplied.v1": {"number": WHOLE, "title": WHOLE, "by": {"name": WHOLE}, "message": MESSAGE},
    "helpdesk.StateChanged.v1": {"to": STATE, "was": STATE, "pending_until": WHOLE},
    "helpdesk.PriorityChanged.v1": {"to": WHOLE, "was": WHOLE},
    "helpdesk.TicketMoved.v1": {"to": REFERENCE},
    "helpdesk.TicketRenamed.v1": {"to": WHOLE, "was": WHOLE},
    "helpdesk.FieldsChanged.v1": {"values": WHOLE, "was": WHOLE},
    "helpdesk.TicketMerged.v1": {"into": {"id": WHOLE, "number": WHOLE, "title": WHOLE}},
    "helpdesk.MergeUndone.v1": {"state": STATE, "pending_until": WHOLE},
}  # fmt: skip
ALWAYS = frozenset(("helpdesk.TicketOpened.v1",))
"""Types that are shown even if their article is internal: an agent may split off a note as a ticket."""


def shown_to_customers(type_name: str, article_is_internal: bool | None) -> bool:
    """Whether customers may know of an event. `article_is_internal`: of its article; None: it has none."""
    return type_name in TYPES and (not article_is_internal or type_name in ALWAYS)


def data_for_customers(type_name: str, data: Mapping[str, Any], article_is_internal: bool | None) -> dict[str, Any]:
    """What customers may know of the data of an event that they may know of."""
    allowed = TYPES[type_name]
    if article_is_internal is not False:
        allowed = {field: part for field, part in allowed.items() if field not in OF_ARTICLES}
    found: dict[str, Any] = _part(data, allowed)
    return found


def _part(value: Any, allowed: Allowed) -> Any:
    if allowed is WHOLE:
        return value
    if isinstance(value, list):
        return [_part(each, allowed) for each in value]
    if isinstance(value, Mapping):
        return {field: _part(value[field], part) for field, part in allowed.items() if field in value}
    return value
