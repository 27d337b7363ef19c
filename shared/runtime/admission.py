"""Places for what goes on at the same time: bounded in all, and for each holder."""

from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

Connection = TypeVar("Connection")


class Places:
    """`most` places, of which one holder has `each` at most: whoever takes their share leaves the others room."""

    def __init__(self, most: int, each: int) -> None:
        self.most, self.each = most, each
        self.taken = 0
        self._held: Counter[str] = Counter()

    def take(self, holder: str) -> bool:
        """Takes a place, if there is one for this holder."""
        if self.taken >= self.most or self._held[holder] >= self.each:
            return False
        self.taken += 1
        self._held[holder] += 1
        return True

    def give_back(self, holder: str) -> None:
        """Gives back a place that `take` gave."""
        self.taken -= 1
        self._held[holder] -= 1
        if not self._held[holder]:
            del self._held[holder]  # what is remembered is bounded by the places


class Admission(Generic[Connection]):
    """Connections to a server. Where all places are taken, whoever has waited for its peer the longest is ended: connections that do
    nothing never keep others out. A connection that has work in progress is never ended.

    `end` closes a connection; it may call `leave` at once or later.
    """

    def __init__(self, most: int, each: int, end: Callable[[Connection], None]) -> None:
        self._places, self._end = Places(most, each), end
        self._peers: dict[Connection, str] = {}
        self._waiting: OrderedDict[Connection, None] = OrderedDict()
        self._waiting_of: dict[str, OrderedDict[Connection, None]] = {}

    def admit(self, connection: Connection, peer: str) -> bool:
        """Whether there is a place for a connection of this peer; it begins as one that waits."""
        if not self._places.take(peer):
            victim = self._victim(peer)
            if victim is None:
                return False
            self.leave(victim)
            self._end(victim)
            if not self._places.take(peer):
                return False
        self._peers[connection] = peer
        self.waits(connection)
        return True

    def waits(self, connection: Connection) -> None:
        """From now on the connection waits for its peer, if it does not already."""
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
        """The connection has ended; one without a place is nothing to be told of."""
        self.works(connection)
        peer = self._peers.pop(connection, None)
        if peer is not None:
            self._places.give_back(peer)

    def _victim(self, peer: str) -> Connection | None:
        """Of all connections when all places are taken, else one of this peer's, which has its share."""
        if self._places.taken >= self._places.most:
            return next(iter(self._waiting), None)
        return next(iter(self._waiting_of.get(peer, ())), None)
