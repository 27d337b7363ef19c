"""States and priorities of tickets."""

from services.gateway.documents.kind import everybody, kind
from shared.contracts.directory import Priority, State
from shared.database import Connection
from shared.http.problems import FieldError
from shared.rules.access import Identity
from shared.rules.states import SELECTABLE, STANDARD


async def check_state(state: State, was: State | None, _: Connection) -> list[FieldError]:
    errors: list[FieldError] = []
    if was is not None and was.type != state.type:
        errors.append(FieldError("/type", "The type cannot be changed, because tickets may be in this state."))
    standard = STANDARD.get(state.slug)
    if was is None and state.type not in SELECTABLE and (standard is None or standard.type != state.type):
        errors.append(FieldError("/type", f"Must be one of {', '.join(sorted(SELECTABLE))}."))
    if state.close_after_hours is not None and not state.type.startswith("pending"):
        errors.append(FieldError("/close_after_hours", "Only pending states can have this."))
    return errors


async def check_priority(priority: Priority, _was: Priority | None, _: Connection) -> list[FieldError]:
    if priority.slug != str(priority.number):
        return [FieldError("/slug", "Must be the number of the priority.")]
    return []


def visible_priority(who: Identity, priority: Priority) -> bool:
    """Customers see the priorities that are offered to them (A4.07)."""
    return who.is_agent or priority.offered_to_customers


STATE = kind(
    State,
    "states",
    everybody,
    check=check_state,
    example={
        "slug": "pending-supplier",
        "name": "waits for the supplier",
        "type": "pending_reminder",
        "close_after_hours": 72.0,
    },
)
PRIORITY = kind(
    Priority,
    "priorities",
    visible_priority,
    check=check_priority,
    example={"slug": "3", "name": "3 normal", "number": 3},
)
