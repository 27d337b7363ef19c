"""The decider of what comes in for one ticket: the pure functions `initial`, `evolve` and `decide`."""

from services.intake.ticket.rules import Ticket, decide, evolve, initial

__all__ = ["Ticket", "decide", "evolve", "initial"]
