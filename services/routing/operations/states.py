"""The states that commands name, looked up in the configuration, and the dates of pending ones (requirements A5)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from services.routing.ticket.context import ConfiguredState
from services.routing.ticket.lifecycle import NextState
from shared.contracts.directory import State
from shared.contracts.parts import AnyStateType, StateRef
from shared.rules.refusals import invalid
from shared.rules.states import SELECTABLE, STANDARD

LONGEST = timedelta(days=3_653)


@dataclass(frozen=True, slots=True)
class NextStep:
    """What a command does besides its article: the next state, with the date of a pending one, and working time."""

    state: str | None = None
    pending_until: datetime | None = None
    time_units: float | None = None


def named(slug: str, states: Mapping[str, State], field: str = "state") -> StateRef:
    """A state that a command can set."""
    configured = states.get(slug)
    state = _ref(configured) if configured is not None else STANDARD.get(slug)
    if state is None or state.type not in SELECTABLE or (states and configured is None):
        raise invalid(field, detail="There is no such state, or a ticket cannot be set to it.")
    return state


def of_type(kind: AnyStateType, slug: str, states: Mapping[str, State]) -> StateRef:
    """A state of this type that a command can set."""
    state = named(slug, states)
    if state.type != kind:
        raise invalid("state", detail=f"This state has the type {state.type}, not {kind}.")
    return state


def next_state(step: NextStep, states: Mapping[str, State]) -> NextState | None:
    """The state that a command asks for; None if it names none.

    A pending state needs a date in the next ten years (A5.04), unless its configuration says how long it waits (A5.07).
    """
    state = named(step.state, states) if step.state is not None else None
    if state is None or not state.type.startswith("pending"):
        if step.pending_until is not None:
            raise invalid("pending_until", detail="Only a pending state has a date.")
        return NextState(state) if state is not None else None
    now = datetime.now(UTC)
    if step.pending_until is None:
        configured = states.get(state.slug)
        if configured is None or configured.close_after_hours is None:
            raise invalid("pending_until", detail="A pending state needs a date.")
        return NextState(state, now + timedelta(hours=configured.close_after_hours))
    until = step.pending_until.astimezone(UTC)
    if not now < until <= now + LONGEST:
        raise invalid("pending_until", detail="The date must be in the next ten years.")
    return NextState(state, until)


def configured(slug: str, states: Mapping[str, State]) -> ConfiguredState | None:
    """A state that the configuration names, as the decider knows it; a standard one if it is not configured."""
    state = states.get(slug)
    if state is not None and state.type in SELECTABLE:
        return ConfiguredState(_ref(state), state.close_after_hours)
    return ConfiguredState(STANDARD[slug]) if slug in STANDARD else None


def _ref(state: State) -> StateRef:
    return StateRef(slug=state.slug, name=state.name, type=state.type)
