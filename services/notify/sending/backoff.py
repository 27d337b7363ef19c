"""How long a mail waits for its next attempt, and how long all mails wait for a server that is unavailable."""

import random
from collections.abc import Callable

HOUR = 3_600
RETRY_DELAYS = (1, 5, 30, 120, 600, HOUR, 2 * HOUR, 4 * HOUR, 8 * HOUR, 8 * HOUR, *(12 * HOUR,) * 8)
"""Seconds after each attempt that failed for now.

After the last one, about five days, the mail is given up (RFC 5321, section 4.5.4.1).
"""
LATE_AFTER = 6
"""Attempts after which the ticket is told that a mail is late: a quarter of an hour has passed, and the next attempt
is in an hour."""
MOST_ATTEMPTS = 4 * len(RETRY_DELAYS)
"""Attempts in all, with or without an outcome: a mail that crashes every sender is given up in the end."""
SERVER_BACKOFF = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
"""Seconds between attempts while the mail server is unavailable; each attempt is a single mail."""


def retry_delay(attempt: int) -> float:
    """Seconds after this attempt (the first is 1), with jitter."""
    return RETRY_DELAYS[attempt - 1] * random.uniform(0.8, 1.2)


def unreached_delay(unreached: int) -> float:
    """Seconds after an attempt that failed for a reason outside of the mail, when that has happened so often before."""
    return RETRY_DELAYS[min(unreached, LATE_AFTER - 2)]


class ServerBackoff:
    """Whether the mail server takes mails at all. While it does not, all mails wait, and then a single one is tried."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.reason = ""
        self._failures = 0
        self._until = 0.0

    @property
    def unavailable(self) -> bool:
        """Whether the server took no mail at the last attempt."""
        return self._failures > 0

    def left(self) -> float:
        """Seconds until the next attempt; not positive if one may start now."""
        return self._until - self.clock()

    def failed(self, reason: str) -> bool:
        """The server is unavailable. Returns whether that is news: several mails that were on their way count once."""
        if self.left() > 0:
            return False
        self._failures += 1
        self._until = self.clock() + SERVER_BACKOFF[min(self._failures, len(SERVER_BACKOFF)) - 1]
        self.reason = reason
        return True

    def succeeded(self) -> bool:
        """The server answered. Returns whether that is news."""
        news = self.unavailable
        self._failures, self._until, self.reason = 0, 0.0, ""
        return news
