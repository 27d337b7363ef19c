"""Triggers and macros (A8.06, A9.02)."""

from collections.abc import Mapping, Sequence
from typing import Any

from services.gateway import document_rows
from services.gateway.documents.kind import administrators, agents, kind
from shared.contracts.directory import Macro, State, Trigger
from shared.database import Connection
from shared.http import story
from shared.http.problems import FieldError
from shared.rules.states import SELECTABLE


async def check_trigger(trigger: Trigger, _was: Trigger | None, connection: Connection) -> list[FieldError]:
    errors: list[FieldError] = []
    if "idle" in trigger.on and trigger.idle_minutes is None:
        errors.append(FieldError("/idle_minutes", "`idle` needs the minutes after which it happens."))
    if "idle" not in trigger.on and trigger.idle_minutes is not None:
        errors.append(FieldError("/idle_minutes", "Only `idle` can have minutes."))
    return errors + await _check_states(trigger.then, connection)


async def check_macro(macro: Macro, _was: Macro | None, connection: Connection) -> list[FieldError]:
    return await _check_states(macro.then, connection)


async def _check_states(actions: Sequence[Mapping[str, Any]], connection: Connection) -> list[FieldError]:
    """What is wrong with the states that actions set. States that do not exist are refused elsewhere."""
    errors: list[FieldError] = []
    for n, action in enumerate(actions):
        named, dated = action.get("state"), action.get("pending_until") is not None
        row = await document_rows.find(connection, "state", named) if named is not None else None
        state = row.document if row is not None else None
        if isinstance(state, State) and state.type not in SELECTABLE:
            errors.append(FieldError(f"/then/{n}/state", "A ticket cannot be set to this state."))
            continue
        pending = isinstance(state, State) and state.type.startswith("pending")
        if dated and not pending:
            errors.append(FieldError(f"/then/{n}/pending_until", "Only a pending state has a date."))
        if isinstance(state, State) and pending and not dated and state.close_after_hours is None:
            errors.append(
                FieldError(
                    f"/then/{n}/pending_until",
                    "A pending state needs a date, or a document that has close_after_hours.",
                )
            )
    return errors


TRIGGER = kind(
    Trigger,
    "triggers",
    administrators,
    check=check_trigger,
    example={
        "slug": "escalate",
        "name": "Escalate broken deadlines",
        "order": 10,
        "on": ["deadline-broken"],
        "when": {"all": [{"field": "queue", "is": [story.QUEUE["slug"]]}, {"not": {"field": "priority", "is": [5]}}]},
        "then": [{"do": "set-priority", "priority": 5}, {"do": "note", "text": "A deadline was broken."}],
    },
)
MACRO = kind(
    Macro,
    "macros",
    agents,
    check=check_macro,
    by_queue=True,
    example={
        "slug": "known-issue",
        "name": "Known issue",
        "queues": [story.QUEUE["slug"]],
        "then": [{"do": "tag", "tags": ["known-issue"]}, {"do": "reply", "template": "restart"}],
    },
)
