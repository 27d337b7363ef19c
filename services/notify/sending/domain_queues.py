"""The order in which claimed mails are sent: each recipient domain has a queue of its own, with a limit and a backoff.

A domain whose servers are slow, or that throttles us, holds up no mail to other domains.
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")

BACKOFF = (1.0, 5.0, 30.0, 120.0, 600.0)
"""Seconds without mail to a domain, longer each time that a server throttles it. Then a single mail is tried."""
MOST_HELD = 128
"""Mails to one domain that a sender holds, so that it has room for others."""


@dataclass(frozen=True, slots=True)
class Limit:
    """Mails to one domain at a time, and in a minute."""

    parallel: int
    per_minute: float | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """The default limit, and those of domains that have their own."""

    default: Limit
    of: Mapping[str, Limit] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str, default: Limit) -> "Limits":
        """`outlook.com=2:60 *=5`: two mails to outlook.com at a time and sixty a minute, five to any other domain.

        Raises ValueError.
        """
        found: dict[str, Limit] = {}
        for each in text.split():
            domain, _, numbers = each.partition("=")
            parallel, colon, per_minute = numbers.partition(":")
            if not domain or not parallel.isdecimal() or (colon and not per_minute.isdecimal()):
                raise ValueError(f"{each[:80]!r} is not domain=connections or domain=connections:mails-a-minute")
            limit = Limit(int(parallel), float(per_minute) if colon else None)
            if limit.parallel < 1 or limit.per_minute == 0:
                raise ValueError(f"{each[:80]!r} would stop all mail to the domain: pause the domain instead")
            found[domain.lower()] = limit
        return cls(found.pop("*", default), found)

    def limit(self, domain: str) -> Limit:
        return self.of.get(domain, self.default)


@dataclass(slots=True)
class _Queue(Generic[T]):
    """`held` counts mails from claim to release, `active` those on their way, `throttled` how often the backoff has
    grown."""

    limit: Limit
    waiting: deque[T] = field(default_factory=deque)
    held: int = 0
    active: int = 0
    throttled: int = 0
    next_start: float = 0.0

    def parallel(self) -> int:
        return self.limit.parallel if not self.throttled else 1


class DomainQueues(Generic[T]):
    """`parallel`: how many mails are on their way at a time, all domains together. `clock` returns seconds."""

    def __init__(self, parallel: int, limits: Limits, clock: Callable[[], float]) -> None:
        self.parallel, self.limits, self.clock = parallel, limits, clock
        self._queues: OrderedDict[str, _Queue[T]] = OrderedDict()
        self._active = 0

    def put(self, domain: str, item: T) -> None:
        """Adds an item. It counts as held until `release`."""
        queue = self._queue(domain)
        queue.held += 1
        queue.waiting.append(item)

    def start(self, fits: Callable[[T], bool]) -> T | None:
        """Takes the next item to send, if any; it counts as active until `finish`.

        Domains take turns. Items that do not fit now are skipped.
        """
        now = self.clock()
        if self._active >= self.parallel:
            return None
        for domain, queue in self._queues.items():
            if queue.active >= queue.parallel() or queue.next_start > now:
                continue
            found = next((n for n, item in enumerate(queue.waiting) if fits(item)), None)
            if found is None:
                continue
            item = queue.waiting[found]
            del queue.waiting[found]
            queue.active += 1
            self._active += 1
            if queue.limit.per_minute is not None:
                queue.next_start = now + 60 / queue.limit.per_minute
            self._queues.move_to_end(domain)
            return item
        return None

    def finish(self, domain: str) -> None:
        """An active item of this domain is no longer active."""
        self._queue(domain).active -= 1
        self._active -= 1

    def release(self, domain: str) -> None:
        """An item of this domain is no longer held."""
        queue = self._queue(domain)
        queue.held -= 1
        if not queue.held and not queue.throttled and queue.next_start <= self.clock():
            del self._queues[domain]

    def withdraw(self, which: Callable[[T], bool]) -> list[T]:
        """Takes items out that wait; they stay held."""
        found: list[T] = []
        for queue in self._queues.values():
            leaving = [item for item in queue.waiting if which(item)]
            if leaving:
                queue.waiting = deque(item for item in queue.waiting if not which(item))
                found += leaving
        return found

    def throttle(self, domain: str) -> float:
        """A server throttled mail to this domain. Returns the seconds of backoff that are left.

        Replies to several mails that were on their way together count once.
        """
        queue, now = self._queue(domain), self.clock()
        if not (queue.throttled and queue.next_start > now):
            queue.throttled += 1
            queue.next_start = now + BACKOFF[min(queue.throttled, len(BACKOFF)) - 1]
        return queue.next_start - now

    def end_backoff(self, domain: str) -> None:
        """A server took a mail to this domain."""
        queue = self._queue(domain)
        if queue.throttled:
            queue.throttled, queue.next_start = 0, 0.0

    def backoff_left(self, domain: str) -> float:
        queue = self._queues.get(domain)
        return max(0.0, queue.next_start - self.clock()) if queue is not None and queue.throttled else 0.0

    def closed(self) -> list[str]:
        """The domains for which no more mail is to be claimed at this time."""
        now = self.clock()
        return [
            domain
            for domain, queue in self._queues.items()
            if queue.held >= (MOST_HELD if not queue.throttled else 1) or (queue.throttled and queue.next_start > now)
        ]

    def until_next(self) -> float | None:
        """Seconds until a domain that has to wait may start again."""
        now = self.clock()
        starts = [queue.next_start - now for queue in self._queues.values() if queue.next_start > now]
        return min(starts, default=None)

    def drop_idle(self) -> None:
        """Drops queues that are empty and whose backoff ended long ago: they are no different from new ones."""
        now = self.clock()
        idle = [d for d, queue in self._queues.items() if not queue.held and queue.next_start + BACKOFF[-1] < now]
        for domain in idle:
            del self._queues[domain]

    def _queue(self, domain: str) -> _Queue[T]:
        queue = self._queues.get(domain)
        if queue is None:
            queue = self._queues[domain] = _Queue(self.limits.limit(domain))
        return queue
