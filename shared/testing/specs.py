"""Specifications of deciders: given events, when a command, then events or a refusal."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from shared.contracts.event import Event
from shared.eventstore.decider import Decider
from shared.rules.rejected import Rejected

State = TypeVar("State")
Command = TypeVar("Command")


@dataclass(frozen=True, slots=True)
class Given(Generic[Command, State]):
    """The events of a stream. `when` decides a command on them."""

    decider: Decider[Command, State]
    past: tuple[Event, ...]

    def when(self, command: Command) -> "When":
        state = self.decider.initial()
        for event in self.past:
            state = self.decider.evolve(state, event)
        try:
            return When(tuple(self.decider.decide(command, state)), None)
        except Rejected as refusal:
            return When((), refusal.reason)


@dataclass(frozen=True, slots=True)
class When:
    """The result of a command."""

    events: tuple[Event, ...]
    refusal: str | None

    def then(self, *expected: Event) -> None:
        """Expects exactly these events, in this order; none if there was nothing to do."""
        assert self.refusal is None, f"refused: {self.refusal}"
        assert self.events == expected, f"\nhappened: {_lines(self.events)}\nexpected: {_lines(expected)}"

    def refused(self, reason: str) -> None:
        """Expects a refusal whose text contains `reason`."""
        assert self.refusal is not None, f"was not refused: {_lines(self.events)}"
        assert reason in self.refusal, self.refusal


def given(decider: Decider[Command, State], *past: Event) -> Given[Command, State]:
    return Given(decider, past)


def _lines(events: Sequence[Event]) -> str:
    return "".join(f"\n  {event!r}" for event in events) or " nothing"
