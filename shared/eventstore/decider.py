"""A decider: the rules of one aggregate as pure functions. A service's `ticket` package has this shape."""

from typing import Protocol, TypeVar

from shared.contracts.event import Event

State = TypeVar("State")
Command = TypeVar("Command", contravariant=True)


class Fold(Protocol[State]):
    """The half of a decider that builds states from events. States are immutable, because they are cached.

    `evolve` accepts every event: it returns the state unchanged for an event that it does not know.
    """

    def initial(self) -> State: ...
    def evolve(self, state: State, event: Event, /) -> State: ...


class Decider(Fold[State], Protocol[Command, State]):
    """`decide` returns the events that a command leads to ([]: nothing to do). Raises Rejected when a rule refuses."""

    def decide(self, command: Command, state: State, /) -> list[Event]: ...
