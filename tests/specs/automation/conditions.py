"""Conditions, their API types and the facts that they look at, for the specs beside."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from hypothesis import strategies as st
from pydantic import TypeAdapter

from shared.automation.conditions import WholeCondition
from shared.automation.facts import Facts
from shared.contracts.parts import CustomerRef

KARI, NILS, PIA = (UUID(int=n) for n in (1, 2, 3))
CONDITION: TypeAdapter[Any] = TypeAdapter(WholeCondition)
NOW = datetime(2026, 11, 30, 9, tzinfo=UTC)  # a Monday


def facts(**more: Any) -> Facts:
    known: dict[str, Any] = {
        "queue": "desk",
        "state": "new",
        "state_type": "new",
        "priority": 4,
        "channel": "phone",
        "title": "Blue screen, room 7",
        "actor": "agent",
        "at": NOW,
        "customer": CustomerRef(id=PIA, email="pia@example.org", name="Pia", company="acme"),
        "company": "acme",
        "topic": "broken",
        "tags": ("laptop",),
        "fields": {"room": "B 214", "floor": 2, "urgent": True},
        "text": "It burns. STRASSE.",
        "sender": "pia@example.org",
    }
    return Facts(**known | more)


def has(field: str, *values: Any) -> dict[str, Any]:
    return {"field": field, "is": list(values)}


def says(field: str, *parts: str) -> dict[str, Any]:
    return {"field": field, "contains": list(parts)}


def empty(field: str, *, is_empty: bool = True) -> dict[str, Any]:
    return {"field": field, "empty": is_empty}


LEAVES = st.sampled_from(
    [
        has("queue", "desk"),
        has("queue", "other"),
        has("priority", 1, 4),
        has("priority", 3),
        has("tag", "laptop"),
        says("title", "BLUE"),
        says("text", "nothing of the kind"),
        empty("owner"),
        empty("company"),
        has("fields.room", "B 214"),
        has("escalated", True),
    ]
)
CONDITIONS = st.recursive(
    LEAVES,
    lambda below: (
        st.builds(lambda each: {"all": each}, st.lists(below, max_size=3))
        | st.builds(lambda each: {"any": each}, st.lists(below, max_size=3))
        | st.builds(lambda each: {"not": each}, below)
    ),
    max_leaves=12,
)
FACTS = st.builds(
    facts,
    queue=st.sampled_from(["desk", "other"]),
    priority=st.integers(1, 5),
    owner=st.sampled_from([None, KARI]),
    tags=st.sampled_from([(), ("laptop",), ("laptop", "desktop")]),
    escalated=st.booleans(),
)
