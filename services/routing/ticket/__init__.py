"""A ticket at the desk as pure functions: `initial`, `evolve` (events to state) and `decide` (commands to events)."""

from services.routing.ticket.decide import Command, decide
from services.routing.ticket.state import Ticket, evolve, initial

__all__ = ["Command", "Ticket", "decide", "evolve", "initial"]
