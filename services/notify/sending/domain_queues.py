"""Whose turn it is among mails that are due: each recipient's domain has a lane of its own, so that a provider that is slow, or asks for
patience, holds up nobody else's mail."""

from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")

COOLING = (1.0, 5.0, 30.0, 120.0, 600.0)
"""Seconds that a domain is left alone, each time that a server asks for patience; then one mail at a time tries how things are."""
MOST_IN_A_LANE = 128
"""Mails of one domain that a sender holds, so that others find room beside them."""


@dataclass(frozen=True, slots=True)
class Limit:
    """Mails of one domain at a time, and in a minute."""

    at_once: int
    a_minute: float | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """The limit of every domain, and of those that have one of their own."""

    default: Limit
    of: Mapping[str, Limit] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str, default: Limit) -> "Limits":
        """`outlook.com=2:60 *=5`: two mails to outlook.com at once and sixty a minute, five to any other domain. Raises ValueError."""
        found: dict[str, Limit] = {}
        for each in text.split():
            domain, _, numbers = each.partition("=")
            at_once, colon, a_minute = numbers.partition(":")
            if not domain or not at_once.isdecimal() or (colon and not a_minute.isdecimal()):
                raise ValueError(f"{each[:80]!r} is not domain=connections or domain=connections:mails-a-minute")
            limit = Limit(int(at_once), float(a_minute) if colon else None)
            if limit.at_once < 1 or limit.a_minute == 0:
                raise ValueError(f"{each[:80]!r} would let nothing through: pause the domain instead")
            found[domain.lower()] = limit
        return cls(found.pop("*", default), found)

    def limit(self, domain: str) -> Limit:
        return self.of.get(domain, self.default)


@dataclass(slots=True)
class _Lane(Generic[T]):
    limit: Limit
    waiting: deque[T] = field(default_factory=deque)
    held: int = 0
    active: int = 0
    strikes: int = 0
    next_start: float = 0.0

    def at_once(self) -> int:
        return self.limit.at_once if not self.strikes else 1


class Lanes(Generic[T]):
    """What a sender holds, by domain. `parallel`: how many are on their way at a time, all lanes together; `clock` in seconds."""

    def __init__(self, parallel: int, limits: Limits, clock: Callable[[], float]) -> None:
        self.parallel, self.limits, self.clock = parallel, limits, clock
        self._lanes: OrderedDict[str, _Lane[T]] = OrderedDict()
        self._active = 0

    def put(self, domain: str, item: T) -> None:
        """Another one waits for its turn; it is held until it is `released`."""
        lane = self._lane(domain)
        lane.held += 1
        lane.waiting.append(item)

    def start(self, fits: Callable[[T], bool]) -> T | None:
        """The next whose turn it is, if any; from now on it is on its way. The lanes take turns; `fits` tells what has to wait for reasons of
        its own and is passed over."""
        now = self.clock()
        if self._active >= self.parallel:
            return None
        for domain, lane in self._lanes.items():
            if lane.active >= lane.at_once() or lane.next_start > now:
                continue
            found = next((n for n, item in enumerate(lane.waiting) if fits(item)), None)
            if found is None:
                continue
            item = lane.waiting[found]
            del lane.waiting[found]
            lane.active += 1
            self._active += 1
            if lane.limit.a_minute is not None:
                lane.next_start = now + 60 / lane.limit.a_minute
            self._lanes.move_to_end(domain)
            return item
        return None

    def ended(self, domain: str) -> None:
        """One of this domain is not on its way any more."""
        self._lane(domain).active -= 1
        self._active -= 1

    def released(self, domain: str) -> None:
        """One of this domain is not held any more."""
        lane = self._lane(domain)
        lane.held -= 1
        if not lane.held and not lane.strikes and lane.next_start <= self.clock():
            del self._lanes[domain]

    def withdrawn(self, which: Callable[[T], bool]) -> list[T]:
        """Takes those out that wait for their turn and may not have it now; they stay held."""
        found: list[T] = []
        for lane in self._lanes.values():
            leaving = [item for item in lane.waiting if which(item)]
            if leaving:
                lane.waiting = deque(item for item in lane.waiting if not which(item))
                found += leaving
        return found

    def slow_down(self, domain: str) -> float:
        """A server asked for patience with this domain; answers how many seconds it is left alone. Several that were on their way together
        hear the same thing once."""
        lane, now = self._lane(domain), self.clock()
        if not (lane.strikes and lane.next_start > now):
            lane.strikes += 1
            lane.next_start = now + COOLING[min(lane.strikes, len(COOLING)) - 1]
        return lane.next_start - now

    def went_well(self, domain: str) -> None:
        """A server took a mail to this domain."""
        lane = self._lane(domain)
        if lane.strikes:
            lane.strikes, lane.next_start = 0, 0.0

    def cooling(self, domain: str) -> float:
        """How many more seconds the domain is left alone after a server asked for it."""
        lane = self._lanes.get(domain)
        return max(0.0, lane.next_start - self.clock()) if lane is not None and lane.strikes else 0.0

    def full(self) -> list[str]:
        """The domains that nothing more is to be taken of at this time."""
        now = self.clock()
        return [
            domain
            for domain, lane in self._lanes.items()
            if lane.held >= (MOST_IN_A_LANE if not lane.strikes else 1) or (lane.strikes and lane.next_start > now)
        ]

    def until_next(self) -> float | None:
        """Seconds until a lane that was left alone is open again."""
        now = self.clock()
        starts = [lane.next_start - now for lane in self._lanes.values() if lane.next_start > now]
        return min(starts, default=None)

    def forget_old(self) -> None:
        """Lanes that nobody is in, and that have been open for long, are no different from new ones."""
        now = self.clock()
        old = [d for d, lane in self._lanes.items() if not lane.held and lane.next_start + COOLING[-1] < now]
        for domain in old:
            del self._lanes[domain]

    def _lane(self, domain: str) -> _Lane[T]:
        lane = self._lanes.get(domain)
        if lane is None:
            lane = self._lanes[domain] = _Lane(self.limits.limit(domain))
        return lane
