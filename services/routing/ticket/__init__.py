"""A ticket's life at the desk, as pure functions: `initial`, `evolve` (state), `decide`."""

from services.routing.ticket.decide import decide
from services.routing.ticket.state import Ticket, evolve, initial

__all__ = ["Ticket", "decide", "evolve", "initial"]
