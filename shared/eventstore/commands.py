"""The command loop: load, fold, authorize, decide, append; again on a conflict."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

from shared.contracts.envelope import Recorded
from shared.contracts.event import Event
from shared.eventstore.errors import UnknownStream, VersionConflict
from shared.eventstore.store import Append, Appended, CommandId, Context, NewEvent, Store

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
    """The first stream's version after the command, the answer to give, whether it was given before, and every stream's version
    unless it was."""

    version: int
    answer: dict[str, Any]
    replayed: bool = False
    written: tuple[tuple[UUID, int], ...] = ()


class Record(Protocol):
    """How decided events are recorded: `Store.append`, or a statement of the service's that does more in the same round trip."""

    async def __call__(self, appends: Sequence[Append], *, command: CommandId, answer: dict[str, Any]) -> Appended: ...


class Commands(Generic[Command, State]):
    """Takes commands for the streams of one category of a service. Stateless: any replica takes any command."""

    def __init__(
        self, store: Store, category: str, decider: Decider[Command, State], record: Record | None = None
    ) -> None:
        self.store, self.category, self.decider = store, category, decider
        self.record: Record = record or store.append

    async def handle(
        self,
        parts: Sequence[tuple[UUID, Callable[[State], Command]]],
        *,
        request: Request,
        authorize: Callable[[Sequence[State]], None] | None = None,
        answer: Callable[[Sequence[Event], int], dict[str, Any]] | None = None,
    ) -> Outcome:
        """Carries out one command on each of the streams named, which must exist: all of them or none.

        A part says how its command is made of the state that will be decided on; `authorize` looks at those states first and raises to
        refuse. `answer` makes the answer from the first stream's new events and version, `{"version": n}` by default; `If-Match` is
        about the first stream too. Raises UnknownStream, VersionConflict (`If-Match` is old, or a stream moved on three times),
        Rejected, CommandRunning, CommandReused.
        """
        known = await self.store.answer_of(request.command)
        if known is not None:
            return _replayed(known.answer)
        streams = [stream for stream, _ in parts]
        for attempt in range(RETRIES + 1):
            histories = await self.store.load_many(streams)
            for stream, history in histories.items():
                if not history:
                    raise UnknownStream(stream)
            states = [self._fold(histories[stream]) for stream in streams]
            if authorize is not None:
                authorize(states)
            versions = [histories[stream][-1].version for stream in streams]
            if request.expected is not None and request.expected != versions[0]:
                raise VersionConflict(streams[0], versions[0])
            decided = [self.decider.decide(make(state), state) for (_, make), state in zip(parts, states, strict=True)]
            after = [version + len(events) for version, events in zip(versions, decided, strict=True)]
            told = answer(decided[0], after[0]) if answer is not None else {"version": after[0]}
            appends = [
                Append(stream, self.category, version, tuple(NewEvent(e) for e in events), request.context)
                for stream, version, events in zip(streams, versions, decided, strict=True)
                if events
            ]
            try:
                appended = await self.record(appends, command=request.command, answer=told)
            except VersionConflict:
                if attempt == RETRIES:
                    raise
                continue
            if appended.status == "duplicate":
                return _replayed(appended.answer)
            return Outcome(after[0], told, written=tuple(zip(streams, after, strict=True)))
        raise AssertionError("unreachable")

    def _fold(self, history: Sequence[Recorded]) -> State:
        state = self.decider.initial()
        for event in history:
            state = self.decider.evolve(state, event.payload)
        return state


def _replayed(answer: dict[str, Any] | None) -> Outcome:
    told = answer or {}
    return Outcome(told.get("version", 0), told, replayed=True)
