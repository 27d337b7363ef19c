"""What came in for one ticket, as pure functions: `initial`, `evolve` (state), `decide`."""

from services.intake.ticket.rules import Ticket, decide, evolve, initial

__all__ = ["Ticket", "decide", "evolve", "initial"]
