"""The backoff of password attempts: per person, per address, and per person from one address (decision record 0073).

The counts are in the database (`throttling`), so that they hold for all processes and after a restart.
"""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BackoffRule:
    """`free` attempts cost nothing.

    Each further one doubles the pause, up to `longest` seconds. One is forgotten every `forget` seconds.
    """

    free: int
    longest: float
    forget: float

    @property
    def highest_level(self) -> float:
        """The level with the longest pause. It also bounds how long attempts are remembered."""
        return self.free + math.log2(self.longest) + 1


PERSON = BackoffRule(free=5, longest=60.0, forget=60.0)
ADDRESS = BackoffRule(free=30, longest=30.0, forget=5.0)
"""Larger, because a whole office may share an address.

It does not apply to loopback: that is the machine itself or a proxy.
"""
RESETS = BackoffRule(free=20, longest=60.0, forget=30.0)
"""Requests for a link to a new password, and unknown links, from one address; not for loopback."""
REMEMBERED_SECONDS = max(rule.highest_level * rule.forget for rule in (PERSON, ADDRESS, RESETS))
"""After this time every attempt is forgotten."""


@dataclass(frozen=True, slots=True)
class Attempts:
    """The attempts for one key: their number, less those forgotten before the last one, and the seconds since the last
    one."""

    level: float = 0.0
    ago: float = 0.0


def pause(attempts: Attempts, rule: BackoffRule) -> float:
    """Seconds to wait before the next attempt; 0 for none. An attempt counts in full until it is forgotten."""
    number = math.ceil(attempts.level)
    if number < rule.free:
        return 0.0
    return max(0.0, min(rule.longest, math.exp2(number - rule.free)) - attempts.ago)


def level_after_one_more(attempts: Attempts, rule: BackoffRule) -> float:
    """The level after another attempt now."""
    return min(max(0.0, attempts.level - attempts.ago / rule.forget) + 1, rule.highest_level)
