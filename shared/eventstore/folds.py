"""The states of the streams that were worked on lately, so that a command reads only the events since (docs/decisions/0054)."""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Generic, NamedTuple, Protocol, TypeVar
from uuid import UUID

from shared.contracts.event import Event
from shared.database import Connection
from shared.eventstore.store import Store

State = TypeVar("State")

MOST = 4_096
"""States that are kept, those used last; a ticket's takes 2 to 4 kB."""


class Fold(Protocol[State]):
    """The half of a decider that makes states. They must be immutable, for they are kept."""

    def initial(self) -> State: ...
    def evolve(self, state: State, event: Event, /) -> State: ...


class Folded(NamedTuple, Generic[State]):
    """A stream's state at a version."""

    state: State
    version: int


class Folds(Generic[State]):
    """Belongs to one process. What is kept is never wrong, only old: events do not change, so each use adds those since."""

    def __init__(self, store: Store, fold: Fold[State]) -> None:
        self.store, self.fold = store, fold
        self._kept: OrderedDict[UUID, Folded[State]] = OrderedDict()

    async def newest(
        self, streams: Sequence[UUID], *, connection: Connection | None = None
    ) -> dict[UUID, Folded[State]]:
        """The state of each stream as it is recorded now; a stream that is unknown is left out. What a transaction on a connection of the
        caller's sees is not kept: it may have written it itself."""
        known = {stream: self._kept.get(stream) for stream in streams}
        after = [kept.version if kept is not None else 0 for kept in known.values()]
        found: dict[UUID, Folded[State]] = {}
        for stream, events in (await self.store.load_since(list(known), after, connection=connection)).items():
            before = known[stream] or Folded(self.fold.initial(), 0)
            now = self.after(before, (event.payload for event in events))
            if now.version:
                found[stream] = now
                if connection is None:
                    self.keep(stream, now)
        return found

    def after(self, before: Folded[State], events: Iterable[Event]) -> Folded[State]:
        """The state after further events."""
        state, version = before
        for event in events:
            state, version = self.fold.evolve(state, event), version + 1
        return Folded(state, version)

    def keep(self, stream: UUID, folded: Folded[State]) -> None:
        """Keeps a state whose events are committed: one of a transaction that is rolled back would be wrong for ever."""
        self._kept[stream] = folded
        self._kept.move_to_end(stream)
        if len(self._kept) > MOST:
            self._kept.popitem(last=False)
