"""Mails about one ticket and their outcomes, as pure functions: `initial`, `evolve` (state), `decide`."""

from services.notify.ticket.rules import decide
from services.notify.ticket.state import Ticket, evolve, initial

__all__ = ["Ticket", "decide", "evolve", "initial"]
