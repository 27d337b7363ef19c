"""How the desk's decisions are run: what every command runner of routing has in common."""

from services.routing import ticket
from services.routing.conclusions import Conclusions
from services.routing.ticket import Command, Ticket
from shared.contracts.envelope import Recorded
from shared.contracts.event import Event
from shared.contracts.routing import (
    CustomerAnswered,
    MergeUndone,
    StateChanged,
    TicketMerged,
    TicketQueued,
    TicketRemoved,
)
from shared.eventstore.runner import CommandRunner
from shared.eventstore.state_cache import StateCache
from shared.eventstore.store import Store
from shared.eventstore.unit_of_work import Record

TIMED = (TicketQueued, CustomerAnswered, StateChanged, TicketMerged, MergeUndone, TicketRemoved)
"""The events whose time clocks count from (`ticket.clocks.timeline`)."""


def runner(store: Store, conclude: Conclusions, record: Record | None = None) -> CommandRunner[Command, Ticket]:
    """Runs commands on tickets, with everything that follows from them."""
    return CommandRunner(
        store, "ticket", ticket, record=record, states=StateCache(store, ticket, timed), conclude=conclude
    )


def timed(recorded: Recorded) -> Event:
    """The payload of an event. One of an earlier version, which did not tell its time, has that of its envelope."""
    payload = recorded.payload
    if isinstance(payload, TIMED) and payload.at is None:
        return payload.model_copy(update={"at": recorded.time})
    return payload
