"""States of streams that were used lately, so that a command reads only the events since (docs/decisions/0054)."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Generic, NamedTuple, Protocol, TypeVar
from uuid import UUID

from shared.contracts.envelope import Recorded
from shared.contracts.event import Event
from shared.database import Connection
from shared.eventstore.decider import Fold
from shared.eventstore.store import Store

State = TypeVar("State")

CAPACITY = 4_096
"""Cached states; the least recently used one is evicted. The state of a ticket takes 2 to 4 kB."""


class Versioned(NamedTuple, Generic[State]):
    """The state of a stream at a version; version 0 is a stream without events."""

    state: State
    version: int


def fold(rules: Fold[State], before: Versioned[State], events: Iterable[Event]) -> Versioned[State]:
    """The state after further events."""
    state, version = before
    for event in events:
        state, version = rules.evolve(state, event), version + 1
    return Versioned(state, version)


class States(Protocol[State]):
    """Where a unit of work reads the states of streams."""

    async def newest(
        self, streams: Sequence[UUID], *, connection: Connection | None = None
    ) -> dict[UUID, Versioned[State]]:
        """The state of each stream as it is recorded now; unknown streams are left out."""
        ...

    def keep(self, stream: UUID, versioned: Versioned[State]) -> None:
        """Takes a state whose events are committed."""
        ...


class StateCache(Generic[State]):
    """The cache of one process. A cached state is never wrong, only old: events do not change, so each read adds the newer ones.

    `payload` gives the payload that is folded; it may add what only the envelope of an event of an earlier version tells.
    """

    def __init__(
        self, store: Store, rules: Fold[State], payload: Callable[[Recorded], Event] = attrgetter("payload")
    ) -> None:
        self.store, self.rules, self.payload = store, rules, payload
        self._cached: OrderedDict[UUID, Versioned[State]] = OrderedDict()

    async def newest(
        self, streams: Sequence[UUID], *, connection: Connection | None = None
    ) -> dict[UUID, Versioned[State]]:
        """The state of each stream as it is recorded now; unknown streams are left out.

        What a caller's transaction reads is not cached: the transaction may have written it, and may roll back.
        """
        cached = {stream: self._cached.get(stream) for stream in streams}
        after = [known.version if known is not None else 0 for known in cached.values()]
        found: dict[UUID, Versioned[State]] = {}
        for stream, events in (await self.store.load_since(list(cached), after, connection=connection)).items():
            before = cached[stream] or Versioned(self.rules.initial(), 0)
            now = fold(self.rules, before, (self.payload(event) for event in events))
            if now.version:
                found[stream] = now
                if connection is None:
                    self.keep(stream, now)
        return found

    def keep(self, stream: UUID, versioned: Versioned[State]) -> None:
        """Caches a state whose events are committed: one of a transaction that rolls back would stay wrong for ever."""
        self._cached[stream] = versioned
        self._cached.move_to_end(stream)
        if len(self._cached) > CAPACITY:
            self._cached.popitem(last=False)
