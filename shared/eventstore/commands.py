"""The command loop: load, fold, authorize, decide, append; again on a conflict."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

from shared.contracts.event import Event
from shared.eventstore.errors import UnknownStream, VersionConflict
from shared.eventstore.store import Append, CommandId, Context, NewEvent, Store

State = TypeVar("State")
Command = TypeVar("Command")
Wanted = TypeVar("Wanted", contravariant=True)
RETRIES = 3


class Decider(Protocol[Wanted, State]):
    """The rules of one aggregate as pure functions; a module of a service has this shape.

    `evolve` is total: an unknown event returns the state. `decide` answers the events ([] = nothing to do) or raises Rejected.
    """

    def initial(self) -> State: ...
    def evolve(self, state: State, event: Event, /) -> State: ...
    def decide(self, command: Wanted, state: State, /) -> list[Event]: ...


@dataclass(frozen=True, slots=True)
class Request:
    """What a caller sends besides the command: its identity for retries, its context, and the version of `If-Match`."""

    command: CommandId
    context: Context
    expected: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The stream's version after the command, the answer to give, and whether it was given before."""

    version: int
    answer: dict[str, Any]
    replayed: bool = False


class Commands(Generic[Command, State]):
    """Takes commands for the streams of one category of a service. Stateless: any replica takes any command."""

    def __init__(self, store: Store, category: str, decider: Decider[Command, State]) -> None:
        self.store, self.category, self.decider = store, category, decider

    async def handle(
        self,
        stream: UUID,
        command: Command,
        *,
        request: Request,
        authorize: Callable[[State], None] | None = None,
        answer: Callable[[Sequence[Event], int], dict[str, Any]] | None = None,
    ) -> Outcome:
        """Carries out one command on a stream that exists.

        `authorize` looks at the state that the decision will be made on and raises to refuse; `answer` makes the answer from
        the new events and version, `{"version": n}` by default. Raises UnknownStream, VersionConflict (`If-Match` is old, or
        the stream moved on three times), Rejected, CommandRunning, CommandReused.
        """
        known = await self.store.answer_of(request.command)
        if known is not None:
            return _replayed(known.answer)
        for attempt in range(RETRIES + 1):
            history = await self.store.load(stream)
            if not history:
                raise UnknownStream(stream)
            state = self.decider.initial()
            for event in history:
                state = self.decider.evolve(state, event.payload)
            if authorize is not None:
                authorize(state)
            version = history[-1].version
            if request.expected is not None and request.expected != version:
                raise VersionConflict(stream, version)
            events = self.decider.decide(command, state)
            after = version + len(events)
            told = answer(events, after) if answer is not None else {"version": after}
            appends = (
                [Append(stream, self.category, version, tuple(NewEvent(e) for e in events), request.context)]
                if events
                else []
            )
            try:
                appended = await self.store.append(appends, command=request.command, answer=told)
            except VersionConflict:
                if attempt == RETRIES:
                    raise
                continue
            return _replayed(appended.answer) if appended.status == "duplicate" else Outcome(after, told)
        raise AssertionError("unreachable")


def _replayed(answer: dict[str, Any] | None) -> Outcome:
    told = answer or {}
    return Outcome(told.get("version", 0), told, replayed=True)
