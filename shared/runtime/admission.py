"""Admission of connections to a server: idle ones are closed to make room for new ones."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

from shared.runtime.concurrency import ConcurrencyLimit

Connection = TypeVar("Connection")


class Admission(Generic[Connection]):
    """At most `most` connections to a server, `each` of them from one peer.

    When the limit is reached, a new connection takes the slot of the one that has been idle the longest. A connection
    with work in progress is never closed. `end` closes a connection; it may call `leave` at once or later.
    """

    def __init__(self, most: int, each: int, end: Callable[[Connection], None]) -> None:
        self._limit, self._end = ConcurrencyLimit(most, each), end
        self._peers: dict[Connection, str] = {}
        self._waiting: OrderedDict[Connection, None] = OrderedDict()
        self._waiting_of: dict[str, OrderedDict[Connection, None]] = {}

    def admit(self, connection: Connection, peer: str) -> bool:
        """Whether this peer's connection gets a slot; it starts as idle."""
        if not self._limit.take(peer):
            victim = self._victim(peer)
            if victim is None:
                return False
            self.leave(victim)
            self._end(victim)
            if not self._limit.take(peer):
                return False
        self._peers[connection] = peer
        self.waits(connection)
        return True

    def waits(self, connection: Connection) -> None:
        """The connection is idle from now on: it waits for its peer."""
        peer = self._peers.get(connection)
        if peer is not None and connection not in self._waiting:
            self._waiting[connection] = None
            self._waiting_of.setdefault(peer, OrderedDict())[connection] = None

    def works(self, connection: Connection) -> None:
        """The peer has sent what the connection waited for."""
        if connection in self._waiting:
            del self._waiting[connection]
            peer = self._peers[connection]
            del self._waiting_of[peer][connection]
            if not self._waiting_of[peer]:
                del self._waiting_of[peer]

    def leave(self, connection: Connection) -> None:
        """The connection has ended. Does nothing for one that was not admitted."""
        self.works(connection)
        peer = self._peers.pop(connection, None)
        if peer is not None:
            self._limit.give_back(peer)

    def _victim(self, peer: str) -> Connection | None:
        """The longest idle connection: of all if every slot is taken, else of this peer, which has reached its share."""
        if self._limit.taken >= self._limit.most:
            return next(iter(self._waiting), None)
        return next(iter(self._waiting_of.get(peer, ())), None)
