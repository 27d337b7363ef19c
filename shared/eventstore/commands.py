"""The command loop: load, fold, authorize, decide, append; again on a conflict."""

import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

from shared.contracts.event import Event
from shared.eventstore.errors import CommandReused, CommandRunning, UnknownStream, VersionConflict
from shared.eventstore.folds import Folds
from shared.eventstore.store import Append, Appended, CommandId, Context, NewEvent, Store

State = TypeVar("State")
Command = TypeVar("Command")
Wanted = TypeVar("Wanted", contravariant=True)
Done = TypeVar("Done")
RETRIES = 3
Permit = Callable[[Sequence[State], Sequence[Sequence[Event]], Sequence[State]], Awaitable[None]]
"""Looks at each stream's state, what was decided on it and the state that this leads to, before anything is recorded; raises to refuse."""


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
    """Takes commands for the streams of one category of a service. Any replica takes any command."""

    def __init__(
        self, store: Store, category: str, decider: Decider[Command, State], record: Record | None = None
    ) -> None:
        self.store, self.category, self.decider = store, category, decider
        self.record: Record = record or store.append
        self.folds: Folds[State] = Folds(store, decider)

    async def handle(
        self,
        parts: Sequence[tuple[UUID, Callable[[State], Command]]],
        *,
        request: Request,
        authorize: Callable[[Sequence[State]], None] | None = None,
        permit: Permit[State] | None = None,
        answer: Callable[[Sequence[Event], int], dict[str, Any]] | None = None,
    ) -> Outcome:
        """Carries out one command on each of the streams named, which must exist: all of them or none.

        A part says how its command is made of the state that will be decided on; `authorize` looks at those states first and raises to
        refuse, `permit` at what the commands lead to. `answer` makes the answer from the first stream's new events and version,
        `{"version": n}` by default; `If-Match` is about the first stream too. A command that was carried out before gets its first answer,
        if nothing refuses it (`once`). Raises UnknownStream, VersionConflict (`If-Match` is old, or a stream moved on three times), Rejected,
        CommandRunning, CommandReused.
        """
        for _ in range(RETRIES):
            with contextlib.suppress(_MovedOn):
                return await self._try(parts, request, authorize, permit, answer)
        return await self._try(parts, request, authorize, permit, answer)

    async def _try(
        self,
        parts: Sequence[tuple[UUID, Callable[[State], Command]]],
        request: Request,
        authorize: Callable[[Sequence[State]], None] | None,
        permit: Permit[State] | None,
        answer: Callable[[Sequence[Event], int], dict[str, Any]] | None,
    ) -> Outcome:
        streams = [stream for stream, _ in parts]
        newest = await self.folds.newest(streams)
        for stream in streams:
            if stream not in newest:
                raise UnknownStream(stream)
        before = [newest[stream] for stream in streams]
        if authorize is not None:
            authorize([folded.state for folded in before])
        if request.expected is not None and request.expected != before[0].version:
            raise VersionConflict(streams[0], before[0].version)
        decided = [
            self.decider.decide(make(folded.state), folded.state)
            for (_, make), folded in zip(parts, before, strict=True)
        ]
        after = [self.folds.after(folded, events) for folded, events in zip(before, decided, strict=True)]
        if permit is not None:
            await permit([folded.state for folded in before], decided, [folded.state for folded in after])
        told = answer(decided[0], after[0].version) if answer is not None else {"version": after[0].version}
        appends = [
            Append(stream, self.category, folded.version, tuple(NewEvent(e) for e in events), request.context)
            for stream, folded, events in zip(streams, before, decided, strict=True)
            if events
        ]
        try:
            appended = await self.record(appends, command=request.command, answer=told)
        except VersionConflict as conflict:
            raise _MovedOn(conflict.stream, conflict.current) from conflict
        if appended.status == "duplicate":
            return replayed(appended.answer)
        for stream, folded in zip(streams, after, strict=True):
            self.folds.keep(stream, folded)
        written = tuple((stream, folded.version) for stream, folded in zip(streams, after, strict=True))
        return Outcome(after[0].version, told, written=written)


class _MovedOn(VersionConflict):
    """Somebody else wrote between reading and recording: it may be decided again."""


async def once(
    store: Store,
    command: CommandId,
    doing: Callable[[], Awaitable[Done]],
    again: Callable[[dict[str, Any] | None], Done],
) -> Done:
    """What a request leads to; `again` makes it of the first answer of one that was carried out before, whatever stands in its way by now:
    a ticket that has moved out of sight, a person or a queue that is gone (api.md, section 1).

    A request that is new, which most are, costs nothing more. Raises what `doing` raises, and CommandReused.
    """
    try:
        return await doing()
    except (CommandRunning, CommandReused):
        raise
    except Exception:
        known = await store.answer_of(command)
        if known is None:
            raise
        return again(known.answer)


def replayed(answer: dict[str, Any] | None) -> Outcome:
    """The outcome of a command that was carried out before."""
    told = answer or {}
    return Outcome(told.get("version", 0), told, replayed=True)
