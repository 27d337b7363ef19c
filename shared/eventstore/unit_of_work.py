"""One attempt to carry out commands: the states they meet, the events they lead to, and one record of everything."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

from uuid_utils.compat import uuid7

from shared.contracts.envelope import Actor
from shared.contracts.event import Event
from shared.database import Connection
from shared.eventstore.decider import Decider
from shared.eventstore.state_cache import States, Versioned, fold
from shared.eventstore.store import Append, Appended, CommandId, Context, NewEvent

State = TypeVar("State")
Command = TypeVar("Command")


class Record(Protocol):
    """Records appends: `Store.append`, or a service's statement that writes rows of its own in the same transaction."""

    async def __call__(
        self, appends: Sequence[Append], *, command: CommandId | None, response: dict[str, Any] | None
    ) -> Appended: ...


@dataclass(frozen=True, slots=True)
class Decision(Generic[Command, State]):
    """What a command led to. `before`: the state that it met; `after`: the state after its events."""

    stream: UUID
    command: Command
    before: State
    after: State
    events: tuple[NewEvent, ...]
    context: Context


@dataclass(frozen=True, slots=True)
class Following:
    """An event that follows from an event of a decision (`cause`), on the same stream and in the same transaction."""

    payload: Event
    cause: UUID
    actor: Actor
    id: UUID = field(default_factory=uuid7)


@dataclass(frozen=True, slots=True)
class Consequences:
    """What follows from a decision: events, and rows of the service's own (`Append.rows`)."""

    events: Sequence[Following] = ()
    rows: Sequence[Any] = ()


class Conclude(Protocol[Command, State]):
    """Says what follows from a decision. It is no part of what the command's giver needs rights for."""

    def __call__(self, decision: Decision[Command, State], /) -> Consequences: ...


class UnitOfWork(Generic[Command, State]):
    """The streams that one attempt reads and the appends that it collects (Fowler's Unit of Work). Used once.

    With `connection`, everything happens in that transaction of the caller's, who calls `committed` after its commit.
    """

    def __init__(
        self,
        category: str,
        decider: Decider[Command, State],
        states: States[State],
        record: Record,
        connection: Connection | None = None,
        conclude: Conclude[Command, State] | None = None,
    ) -> None:
        self.category, self.decider, self.states, self.connection = category, decider, states, connection
        self.conclude = conclude
        self.appends: list[Append] = []
        self._default_record = record
        self._loaded: dict[UUID, Versioned[State]] = {}
        self._streams: dict[UUID, Versioned[State]] = {}
        """After everything that was decided so far."""
        self.recorded = False
        """Whether something was written."""

    async def load(self, *streams: UUID) -> None:
        """Reads the newest states of streams that were not read before; an unknown stream is at version 0."""
        wanted = [stream for stream in dict.fromkeys(streams) if stream not in self._streams]
        if wanted:
            found = await self.states.newest(wanted, connection=self.connection)
            nothing = Versioned(self.decider.initial(), 0)
            for stream in wanted:
                self.begin(stream, found.get(stream, nothing))

    def begin(self, stream: UUID, versioned: Versioned[State]) -> None:
        """Gives the state of a stream that the caller has read already."""
        self._loaded[stream] = self._streams[stream] = versioned

    def knows(self, stream: UUID) -> bool:
        """Whether the stream that was read has events."""
        return self.version(stream) > 0

    def state(self, stream: UUID) -> State:
        """The state after everything that was decided so far."""
        return self._at(stream).state

    def version(self, stream: UUID) -> int:
        """The version after everything that was decided so far."""
        return self._at(stream).version

    def decide(self, stream: UUID, command: Command, context: Context) -> list[Event]:
        """Decides a command; later commands of this unit meet the state after its events and what follows from them.

        Returns the events of the command alone. Raises Rejected.
        A stream that is unknown, or was not loaded, must be new when it is recorded.
        """
        before = self._at(stream)
        events = self.decider.decide(command, before.state)
        if not events:
            return events
        new = tuple(NewEvent(event) for event in events)
        after = fold(self.decider, before, events)
        found = Consequences()
        if self.conclude is not None:
            found = self.conclude(Decision(stream, command, before.state, after.state, new, context))
        self._append(stream, new, context, after, tuple(found.rows))
        for (cause, actor), of_cause in groupby(found.events, lambda each: (each.cause, each.actor)):
            because = replace(context, actor=actor, causation_id=cause)
            following = tuple(NewEvent(each.payload, each.id) for each in of_cause)
            after = fold(self.decider, after, (each.payload for each in following))
            self._append(stream, following, because, after)
        return events

    @property
    def rows(self) -> list[Any]:
        """The rows of the service's own that belong to everything that was decided."""
        return [row for append in self.appends for row in append.rows]

    def add(self, append: Append) -> None:
        """Adds events that need no decision, of a stream of another category."""
        self.appends.append(append)

    async def record(
        self,
        record: Record | None = None,
        *,
        command: CommandId | None = None,
        response: dict[str, Any] | None = None,
    ) -> Appended:
        """Records the appends, all or none. Without any, and without a command to remember, there is nothing to record.

        A command that is known already records nothing: the result is a `duplicate` with its first response.
        Raises Raced, CommandRunning, CommandReused, and what `Store.append` raises.
        """
        if not self.appends and command is None and record is None:
            return Appended("appended")
        appended = await (record or self._default_record)(self.appends, command=command, response=response)
        if appended.status == "appended":
            self.recorded = True
            if self.connection is None:
                self.committed()
        return appended

    def committed(self) -> None:
        """What was read and recorded is durable: the states may be cached. What was only decided is not."""
        for stream, versioned in (self._streams if self.recorded else self._loaded).items():
            if versioned.version:
                self.states.keep(stream, versioned)

    def _append(
        self,
        stream: UUID,
        new: tuple[NewEvent, ...],
        context: Context,
        after: Versioned[State],
        rows: tuple[Any, ...] = (),
    ) -> None:
        self.appends.append(Append(stream, self.category, self.version(stream), new, context, rows))
        self._streams[stream] = after

    def _at(self, stream: UUID) -> Versioned[State]:
        return self._streams.get(stream) or Versioned(self.decider.initial(), 0)
