"""Halts a consumer that parks many tickets within a short time: probably a bad deployment, not bad data."""

import time
from collections import deque

from prometheus_client import Counter

from shared.messaging.consuming.halting import Halt

PARKED = Counter("ledgerdesk_consumer_parked_total", "Tickets newly parked", ["consumer"])
PARKED_A_MINUTE = 20


class ParkingLimit:
    """The tickets that one consumer has newly parked within the last minute: at most PARKED_A_MINUTE."""

    def __init__(self, consumer: str) -> None:
        self.consumer = consumer
        self._times: deque[float] = deque()

    def check(self, new: int, reason: str) -> None:
        """Before `new` tickets are parked. Raises Halt if that would be too many; `reason` is of the last ticket."""
        if new and self._too_many(new):
            raise Halt(
                f"more than {PARKED_A_MINUTE} tickets would have been parked within a minute, last because of: {reason}"
            )

    def count(self, new: int) -> None:
        """After `new` tickets were parked. Raises Halt if those were too many."""
        if new:
            self._times.extend([time.monotonic()] * new)
            PARKED.labels(self.consumer).inc(new)
            if self._too_many(0):
                raise Halt(f"more than {PARKED_A_MINUTE} tickets were parked within a minute")

    def _too_many(self, new: int) -> bool:
        now = time.monotonic()
        while self._times and now - self._times[0] > 60:
            self._times.popleft()
        return len(self._times) + new > PARKED_A_MINUTE
