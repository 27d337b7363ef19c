"""The rules by which guessing of passwords slows down: per person, per address, and per person from one address.

What is counted stands in the database (`guesses`), so that it holds for all processes and after a restart; decision record 0073.
"""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """`free` guesses cost nothing, each further one doubles the pause up to `longest` seconds; one is forgotten every `forget`
    seconds."""

    free: int
    longest: float
    forget: float

    @property
    def most(self) -> float:
        """The highest level: where the pause is longest, and how long all is remembered."""
        return self.free + math.log2(self.longest) + 1


PERSON = Rule(free=5, longest=60.0, forget=60.0)
ADDRESS = Rule(free=30, longest=30.0, forget=5.0)
"""An address may be a whole office. Loopback is none: behind it stands a proxy that was not named to us, or the machine itself."""
REMEMBERED_SECONDS = max(rule.most * rule.forget for rule in (PERSON, ADDRESS))
"""After so long nothing is left of any guess."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What is known of guesses of one kind: their number, less what was forgotten until the last one, and how long ago that was (seconds)."""

    level: float = 0.0
    ago: float = 0.0


def pause(counted: Counted, rule: Rule) -> float:
    """How many seconds to wait before the next guess; 0 for none. A guess counts until it is wholly forgotten."""
    guesses = math.ceil(counted.level)
    if guesses < rule.free:
        return 0.0
    return max(0.0, min(rule.longest, math.exp2(guesses - rule.free)) - counted.ago)


def taken(counted: Counted, rule: Rule) -> float:
    """The level with one guess more, now."""
    return min(max(0.0, counted.level - counted.ago / rule.forget) + 1, rule.most)
