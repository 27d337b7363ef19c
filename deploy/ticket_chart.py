"""Writes the chart of a ticket's states in docs/ticket-life.md from the rules: `python -m deploy.ticket_chart`.

With `--check` it changes nothing and fails if the chart is out of date. Every command is tried on a ticket of every
type of state; the chart shows what the rules decide.
"""

import sys
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from services.routing import ticket
from services.routing.ticket import Command, Ticket
from services.routing.ticket.articles import AddNote, RecordCall, Reply
from services.routing.ticket.context import Actor, CommandContext
from services.routing.ticket.customer_messages import TakeCustomerMessage
from services.routing.ticket.lifecycle import Close, NextState, PendingIsOver, Reopen, SetState
from services.routing.ticket.ownership import Lock
from services.routing.ticket.properties import SetPriority
from services.routing.ticket.queueing import Move
from services.routing.ticket.relations import Absorb, MergeInto, Remove, Unmerge
from shared.contracts.event import Event
from shared.contracts.parts import CustomerRef, Message, QueueRef, StateRef, TicketRef
from shared.contracts.routing import StateChanged, TicketMerged, TicketQueued, TicketRemoved
from shared.rules.rejected import Rejected
from shared.rules.states import CLOSED_SUCCESSFUL, NEW, OPEN, PENDING_AUTO_CLOSE, PENDING_REMINDER

GUIDE = Path(__file__).parent.parent / "docs" / "ticket-life.md"
BEGIN, END = "<!-- drawn from the rules: begin -->\n", "<!-- drawn from the rules: end -->\n"

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
CONTEXT = CommandContext(Actor("agent", UUID(int=1), ""), NOW)
QUEUE, ELSEWHERE = (QueueRef(id=UUID(int=n), slug="", name="") for n in (2, 3))
OTHER = TicketRef(id=UUID(int=4))
MESSAGE = Message(id=UUID(int=5), channel="email")
QUEUED = TicketQueued(
    number="", title="", queue=QUEUE, customer=CustomerRef(id=UUID(int=6), email="c@example.org"), state=NEW,
    priority=3, channel="email",
)  # fmt: skip

PASTS: dict[str, list[Event]] = {
    "new": [],
    "open": [StateChanged(to=OPEN, was=NEW)],
    "pending_reminder": [StateChanged(to=PENDING_REMINDER, was=OPEN, pending_until=LATER)],
    "pending_auto_close": [StateChanged(to=PENDING_AUTO_CLOSE, was=OPEN, pending_until=LATER)],
    "closed": [StateChanged(to=CLOSED_SUCCESSFUL, was=OPEN, at=NOW)],
    "merged": [TicketMerged(into=OTHER, was=OPEN, by=CONTEXT.actor.reference)],
    "removed": [TicketRemoved(because="split undone", was=NEW)],
}
"""How a ticket gets into each type of state."""


def _customer_writes(*, closes: bool = False) -> TakeCustomerMessage:
    return TakeCustomerMessage(MESSAGE, NOW, UUID(int=7), UUID(int=8), closes=closes)


def _set_state(state: StateRef) -> SetState:
    return SetState(CONTEXT, NextState(state, LATER if state.type.startswith("pending") else None))


COLUMNS = 4
"""Types of states in each table at most, so that its lines have at most 120 characters."""

COMMANDS: dict[str, Command] = {
    "the customer writes": _customer_writes(),
    "the customer writes and closes": _customer_writes(closes=True),
    "reply": Reply(CONTEXT, MESSAGE),
    "note": AddNote(CONTEXT, MESSAGE),
    "call": RecordCall(CONTEXT, MESSAGE, "in"),
    "lock": Lock(CONTEXT),
    "move": Move(CONTEXT, ELSEWHERE),
    "set-priority": SetPriority(CONTEXT, 4),
    "set-state open": _set_state(OPEN),
    "set-state pending-reminder": _set_state(PENDING_REMINDER),
    "set-state pending-auto-close": _set_state(PENDING_AUTO_CLOSE),
    "close": Close(CONTEXT),
    "reopen": Reopen(CONTEXT),
    "the pending date is reached": PendingIsOver(LATER, LATER),
    "merge": MergeInto(CONTEXT, OTHER),
    "merge another into it": Absorb(CONTEXT, OTHER),
    "undo of its merge": Unmerge(CONTEXT, OTHER, UUID(int=9)),
    "undo of the split that made it": Remove(CONTEXT),
}


def _ticket(past: list[Event]) -> Ticket:
    state = ticket.initial()
    for event in [QUEUED, *past]:
        state = ticket.evolve(state, event)
    return state


def outcome(command: Command, before: Ticket) -> str | None:
    """The type of the state that a command leads to; None if the rules say no."""
    try:
        events = ticket.decide(command, before)
    except Rejected:
        return None
    after = before
    for event in events:
        after = ticket.evolve(after, event)
    return after.state.type


def drawn() -> str:
    """The chart, and tables of every command on every type of state."""
    edges: dict[tuple[str, str], list[str]] = defaultdict(list)
    cells: dict[tuple[str, str], str] = {}
    tickets = {name: _ticket(past) for name, past in PASTS.items()}
    for label, command in COMMANDS.items():
        for name, before in tickets.items():
            after = outcome(command, before)
            if after is not None and after != name:
                edges[name, after].append(label)
            cells[label, name] = "refused" if after is None else "-" if after == name else f"**{after}**"
    lines = ["```mermaid", "stateDiagram-v2", "    [*] --> new: opened"]
    lines += [f"    {before} --> {after}: {', '.join(labels)}" for (before, after), labels in edges.items()]
    lines += ["    removed --> [*]", "```"]
    for first in range(0, len(tickets), COLUMNS):
        names = list(tickets)[first : first + COLUMNS]
        lines += ["", f"| | {' | '.join(names)} |", f"| --- |{' --- |' * len(names)}"]
        lines += [f"| {label} | {' | '.join(cells[label, name] for name in names)} |" for label in COMMANDS]
    return "\n".join(lines) + "\n"


def text(guide: str) -> str:
    """The guide with today's chart in it."""
    before, _, rest = guide.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + drawn() + END + after


def main() -> int:
    guide = GUIDE.read_text("utf-8")
    wanted = text(guide)
    if "--check" in sys.argv[1:]:
        if guide == wanted:
            return 0
        print("docs/ticket-life.md is out of date: run `python -m deploy.ticket_chart`", file=sys.stderr)
        return 1
    GUIDE.write_text(wanted, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
