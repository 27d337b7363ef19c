"""Decisions about clocks alone: their time has come, or what is promised has changed."""

from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from services.routing.ticket.clocks.counting import late, recount
from services.routing.ticket.clocks.promises import Slas, TicketKind
from services.routing.ticket.clocks.timeline import Timeline
from shared.contracts.event import Event
from shared.contracts.routing import AnyClock


@dataclass(frozen=True, slots=True)
class ClockIsDue:
    """The time has come at which a clock warns, or is over."""

    clock: AnyClock
    fired_at: datetime


@dataclass(frozen=True, slots=True)
class CountAnew:
    """An SLA or a calendar has changed. `slas`: those that hold from now on."""

    slas: Slas
    at: datetime


Command = ClockIsDue | CountAnew


def decide(command: Command, timeline: Timeline, kind: TicketKind | None) -> list[Event]:
    """`kind` is what SLAs look at; None for a ticket that is not in a queue."""
    match command:
        case ClockIsDue():
            known = timeline.deadlines.get(command.clock)
            return [] if known is None else list(late(known, timeline.moment(command.fired_at)))
        case CountAnew():
            if kind is None or timeline.opened_at is None:
                return []
            return list(recount(timeline, command.slas.choose(kind), timeline.moment(command.at)))
        case _:
            assert_never(command)
