"""The states that forms name, by the desk's documents, and the dates of pending ones (requirements A5.02 to A5.07)."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from services.routing.api.bodies import StateBody, StateFields
from services.routing.ticket.lifecycle import NextState
from shared.contracts.directory import Queue, State
from shared.contracts.parts import StateRef
from shared.http import problems
from shared.rules.states import OPEN, STANDARD

CLOSE_AFTER_HOURS = 24.0
"""How long "done, awaiting auto-close" waits where its document does not say (A5.07)."""
FOR_FORMS = frozenset(("open", "pending_reminder", "pending_auto_close", "closed"))
"""The types of states that forms lead to; one of tomorrow is for the forms of tomorrow."""
LONGEST = timedelta(days=3_653)


def named(slug: str, documents: Mapping[str, State], pointer: str = "/state") -> StateRef:
    """The state that a form names. Its type is one that forms lead to."""
    found = documents.get(slug)
    state = StateRef(slug=found.slug, name=found.name, type=found.type) if found is not None else STANDARD.get(slug)
    if state is None or state.type not in FOR_FORMS or (documents and found is None):
        raise problems.invalid(pointer, "names no state that a ticket can be set to")
    return state


def asked(body: StateFields | StateBody, documents: Mapping[str, State]) -> NextState | None:
    """What a form asks for: a pending state needs its date, which lies in the next ten years (A5.04), unless its document says how long it waits
    (A5.07)."""
    if body.state is None:
        if body.pending_until is not None:
            raise problems.invalid("/pending_until", "belongs to a pending state")
        return None
    state = named(body.state, documents)
    document = documents.get(body.state)
    now = datetime.now(UTC)
    if not state.type.startswith("pending"):
        if body.pending_until is not None:
            raise problems.invalid("/pending_until", "belongs to a pending state")
        return NextState(state)
    if body.pending_until is None:
        if document is None or document.close_after_hours is None:
            raise problems.invalid("/pending_until", "is missing: a pending state waits for a date")
        return NextState(state, now + timedelta(hours=document.close_after_hours))
    until = body.pending_until.astimezone(UTC)
    if not now < until <= now + LONGEST:
        raise problems.invalid("/pending_until", "must lie in the next ten years")
    return NextState(state, until)


def after_reply(queue: Queue | None, documents: Mapping[str, State]) -> NextState:
    """The state that an answer leads to when the form names none: the queue's (A5.03), with the date that its document gives it."""
    slug = queue.next_state_after_reply if queue is not None else OPEN.slug
    document = documents.get(slug)
    if document is not None and document.type not in FOR_FORMS:
        document = None
    state = (
        StateRef(slug=document.slug, name=document.name, type=document.type) if document else STANDARD.get(slug, OPEN)
    )
    if not state.type.startswith("pending"):
        return NextState(state)
    hours = document.close_after_hours if document is not None else None
    return NextState(state, datetime.now(UTC) + timedelta(hours=hours if hours is not None else CLOSE_AFTER_HOURS))
