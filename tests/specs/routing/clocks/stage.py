"""A ticket whose commands are decided with everything that follows, at times of the test's choice."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import reduce
from typing import Any
from uuid import UUID, uuid4

from services.routing import ticket
from services.routing.conclusions import Conclusions
from services.routing.ticket import Command, Ticket
from services.routing.ticket.articles import Reply
from services.routing.ticket.clocks.commands import ClockIsDue, CountAnew
from services.routing.ticket.context import Actor, CommandContext
from services.routing.ticket.customer_messages import TakeCustomerMessage
from services.routing.ticket.lifecycle import Close, NextState, SetState
from services.routing.ticket.queueing import QueueTicket
from services.routing.ticket.undo import Undo
from shared.clocks.deadlines import Deadline
from shared.contracts.directory import Calendar, Sla
from shared.contracts.envelope import Actor as Recorder
from shared.contracts.event import Event
from shared.contracts.parts import CustomerRef, Message, StateRef
from shared.contracts.routing import DeadlineBroken, DeadlinesChanged, DeadlineWarned
from shared.directory.copy import Configuration
from shared.eventstore.store import Context, NewEvent
from shared.eventstore.unit_of_work import Decision, Following
from shared.rules.states import CLOSED_SUCCESSFUL, PENDING_REMINDER
from tests.specs.routing.desk import IT, KARI, PER

OPENED = datetime(2026, 11, 23, 9, tzinfo=UTC)
"""A Monday."""
STREAM = UUID(int=42)
CLOCKS = (DeadlinesChanged, DeadlineWarned, DeadlineBroken)
ACME = CustomerRef(id=UUID(int=21), email="pia@acme.example", name="Pia", company="acme")


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


def sla(slug: str = "gold", **more: Any) -> Sla:
    """An SLA for a first answer within 20 minutes, updates within 15, a solution within 120."""
    promised = {"first_answer_minutes": 20, "update_minutes": 15, "solution_minutes": 120}
    document = {
        "id": UUID(int=sum(map(ord, slug))),
        "slug": slug,
        "name": slug.title(),
        "pauses_in": ("pending-reminder",),
    }
    return Sla.model_validate(document | promised | more)


class Desk:
    """One ticket. Times are minutes since its opening."""

    def __init__(self, *slas: Sla, calendars: tuple[Calendar, ...] = ()) -> None:
        self.configuration = Configuration()
        self.configure(*slas, calendars=calendars)
        self.conclude = Conclusions(lambda: self.configuration)
        self.state: Ticket = ticket.initial()
        self.log: list[tuple[NewEvent, UUID | None]] = []
        """Every event, and for what follows from another one its id."""

    def configure(self, *slas: Sla, calendars: tuple[Calendar, ...] = (), version: int = 1) -> None:
        self.configuration = Configuration(
            slas={each.slug: each for each in slas},
            calendars={each.slug: each for each in calendars},
            versions={each.id: version for each in (*slas, *calendars)},
        )

    def context(self, at: float) -> CommandContext:
        return CommandContext(Actor("agent", KARI.id, KARI.name), OPENED + minutes(at))

    def decide(self, command: Command, at: float) -> list[NewEvent]:
        """Records what a command leads to; returns its events, and behind them what follows."""
        before = self.state
        decided = ticket.decide(command, before)
        events = tuple(map(NewEvent, decided))
        following: list[Following] = []
        if events:
            context = Context(Recorder("system"), time=OPENED + minutes(at))
            after = reduce(ticket.evolve, decided, before)
            following = list(self.conclude(Decision(STREAM, command, before, after, events, context)).events)
        recorded = [*events, *(NewEvent(each.payload, each.id) for each in following)]
        for new in recorded:
            self.state = ticket.evolve(self.state, new.payload)
        self.log += [(new, None) for new in events]
        self.log += [(NewEvent(each.payload, each.id), each.cause) for each in following]
        return recorded

    def open(self, **more: Any) -> "Desk":
        command = QueueTicket("2026112310000018", "It hums", IT, PER, 3, "email", None, at=OPENED)
        self.decide(replace(command, **more), 0)
        return self

    def reply(self, at: float, next_state: StateRef | None = None) -> list[NewEvent]:
        words = Message(id=uuid4(), channel="email", text="We are on it.")
        chosen = None if next_state is None else self._next(next_state, at)
        return self.decide(Reply(self.context(at), words, chosen), at)

    def message(self, at: float, **more: Any) -> list[NewEvent]:
        words = Message(id=uuid4(), channel="email", text="still burning")
        return self.decide(TakeCustomerMessage(words, OPENED + minutes(at), STREAM, uuid4(), **more), at)

    def set_state(self, at: float, state: StateRef) -> list[NewEvent]:
        return self.decide(SetState(self.context(at), self._next(state, at)), at)

    def wait(self, at: float) -> list[NewEvent]:
        """The ticket waits for its customer, which stops the clocks."""
        return self.set_state(at, PENDING_REMINDER)

    def close(self, at: float) -> list[NewEvent]:
        return self.decide(Close(self.context(at), CLOSED_SUCCESSFUL), at)

    def undo(self, at: float, kind: type[Event]) -> list[NewEvent]:
        """Undoes the newest event of this kind."""
        new = next(new for new, _ in reversed(self.log) if isinstance(new.payload, kind))
        return self.decide(Undo(self.context(at), new.id, new.payload), at)

    def count(self, at: float) -> list[NewEvent]:
        """What a recount in the background does."""
        return self.decide(CountAnew(self.conclude.slas, OPENED + minutes(at)), at)

    def fire(self, clock: str, at: float) -> list[NewEvent]:
        return self.decide(ClockIsDue(clock, OPENED + minutes(at)), at)

    def clock(self, clock: str) -> Deadline:
        return self.state.timeline.deadlines[clock]

    def due(self, clock: str) -> float | None:
        """When a clock is due."""
        due = self.clock(clock).due_at
        return None if due is None else (due - OPENED) / minutes(1)

    def states(self) -> dict[str, str]:
        return {clock: each.state for clock, each in self.state.timeline.deadlines.items()}

    def happened(self, clock: str) -> list[str]:
        """What has happened to a clock, in words."""
        return [_word(new.payload) for new, _ in self.log if getattr(new.payload, "clock", None) == clock]

    @property
    def last(self) -> list[str]:
        """The clock events at the end of the log, such as `solution kept`."""
        words: list[str] = []
        for new, _ in reversed(self.log):
            if not isinstance(new.payload, CLOCKS):
                break
            words.insert(0, f"{new.payload.clock} {_word(new.payload)}")
        return words

    def _next(self, state: StateRef, at: float) -> NextState:
        pending = state.type.startswith("pending")
        return NextState(state, OPENED + minutes(at) + timedelta(days=1) if pending else None)


def _word(event: Event) -> str:
    match event:
        case DeadlinesChanged():
            return event.change
        case DeadlineWarned():
            return "warned"
        case _:
            return "broken"
