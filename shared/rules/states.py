"""The standard states of a ticket."""

from shared.contracts.parts import StateRef

NEW = StateRef(slug="new", name="new", type="new")
OPEN = StateRef(slug="open", name="open", type="open")
PENDING_REMINDER = StateRef(slug="pending-reminder", name="pending reminder", type="pending_reminder")
PENDING_AUTO_CLOSE = StateRef(slug="pending-auto-close", name="pending auto close", type="pending_auto_close")
CLOSED_SUCCESSFUL = StateRef(slug="closed-successful", name="closed successful", type="closed")
CLOSED_UNSUCCESSFUL = StateRef(slug="closed-unsuccessful", name="closed unsuccessful", type="closed")
MERGED = StateRef(slug="merged", name="merged", type="merged")
REMOVED = StateRef(slug="removed", name="removed", type="removed")

STANDARD = {
    state.slug: state
    for state in (NEW, OPEN, PENDING_REMINDER, PENDING_AUTO_CLOSE, CLOSED_SUCCESSFUL, CLOSED_UNSUCCESSFUL, MERGED)
}
SELECTABLE = frozenset(("open", "pending_reminder", "pending_auto_close", "closed"))
"""The types of states that a command can set. `new`, `merged` and `removed` are set by the system."""

OVER = frozenset(("closed", "merged", "removed"))
"""The types of states of a ticket that is over: no clock runs, it is not idle, and it is nobody's work."""

PRIORITIES = {1: "1 very low", 2: "2 low", 3: "3 normal", 4: "4 high", 5: "5 immediate"}
