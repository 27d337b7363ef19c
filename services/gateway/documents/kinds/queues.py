"""Queues: what is valid beyond single fields, and who sees one."""

from services.gateway import document_rows
from services.gateway.documents.kind import kind
from shared.contracts.directory import Queue, State
from shared.database import Connection
from shared.http import story
from shared.http.problems import FieldError
from shared.rules.access import Identity, rights
from shared.rules.states import SELECTABLE

DEEPEST = 20


async def check(queue: Queue, _was: Queue | None, connection: Connection) -> list[FieldError]:
    errors: list[FieldError] = []
    if queue.address is not None:
        taken = await document_rows.holder(connection, "address", queue.address, queue.id)
        if taken:
            errors.append(FieldError("/address", f"The queue {taken} has this address."))
    if queue.follow_up_days is not None and queue.follow_up != "reopen":
        errors.append(FieldError("/follow_up_days", "Only the follow-up `reopen` can have days."))
    next_state = await document_rows.find(connection, "state", queue.next_state_after_reply)
    state = next_state.document if next_state is not None and not next_state.retired else None
    if not isinstance(state, State) or state.type not in SELECTABLE:
        errors.append(FieldError("/next_state_after_reply", "No such state, or not one that a reply can lead to."))
    return errors + await _check_parents(queue, connection)


async def _check_parents(queue: Queue, connection: Connection) -> list[FieldError]:
    parent = queue.parent
    for _ in range(DEEPEST):
        above = await document_rows.find(connection, "queue", parent) if parent is not None else None
        if above is None:
            return []
        if above.id == queue.id:
            return [FieldError("/parent", "A queue cannot be a sub-queue of itself.")]
        assert isinstance(above.document, Queue)
        parent = above.document.parent
    return [FieldError("/parent", f"Queues can be at most {DEEPEST} levels deep.")]


def visible(who: Identity, queue: Queue) -> bool:
    """Agents see the queues on which they have any right (A19.02)."""
    return bool(rights(who, queue.members))


KIND = kind(
    Queue,
    "queues",
    visible,
    check=check,
    example=story.QUEUE
    | {
        "address": "it@help.example.org",
        "display_name": "IT support",
        "salutation": "polite",
        "signature": "it",
        "lock_timeout_minutes": 60.0,
        "members": [{"person": story.AGENT["id"], "rights": ["read", "note", "work"]}],
    },
)
