"""Slows down the guessing of passwords: per account, per address, and per account from one address.

Only failures count, and they are forgotten one by one. What is known lives in memory, bounded, in each replica: a restart forgets
it, n replicas allow n times as many guesses, and no attacker can make us write (docs/decisions/0031-passwords-and-sessions.md).
Nobody is locked out for ever: a pause ends by itself, and an address from which somebody has signed in to the account before is
not slowed by the guesses of others.
"""

import math
from collections import OrderedDict
from dataclasses import dataclass
from typing import NamedTuple

from shared.network import network

REMEMBERED = 20_000


@dataclass(frozen=True, slots=True)
class Rule:
    """`free` failures cost nothing, each further one doubles the pause up to `longest` seconds; one is forgotten every `forget`
    seconds."""

    free: int
    longest: float
    forget: float


ACCOUNT = Rule(free=5, longest=60.0, forget=60.0)
ADDRESS = Rule(free=30, longest=30.0, forget=5.0)
"""An address may be a whole office. Loopback is none: behind it stands a proxy that was not named to us, or the machine itself."""


class Key(NamedTuple):
    """What failures are counted for: an account ("" for any) and an address ("" for any)."""

    account: str
    address: str


@dataclass(slots=True)
class Failures:
    level: float
    last: float


class SlowDown:
    """Times are those of a monotonic clock, in seconds."""

    def __init__(self) -> None:
        self._failures: OrderedDict[Key, Failures] = OrderedDict()
        self._known: OrderedDict[Key, None] = OrderedDict()

    def pause(self, account: str, address: str, now: float) -> int:
        """How many whole seconds this account or address has to wait before another try; 0 for none."""
        return math.ceil(max(self._pause(key, rule, now) for key, rule in self._rules(account, address).items()))

    def failed(self, account: str, address: str, now: float) -> None:
        """Counts a wrong password, of an account that exists or not."""
        for key, rule in self._rules(account, address).items():
            level = min(self._level(key, rule, now) + 1, rule.free + math.log2(rule.longest) + 1)
            self._failures.pop(key, None)
            self._failures[key] = Failures(level, now)
            if len(self._failures) > REMEMBERED:
                self._failures.popitem(last=False)

    def succeeded(self, account: str, address: str) -> None:
        """Forgets the failures of this account, and remembers that it is used from here."""
        here = Key(account, network(address))
        self._failures.pop(here, None)
        self._failures.pop(Key(account, ""), None)
        self._known.pop(here, None)
        self._known[here] = None
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)

    def knows(self, account: str, address: str) -> bool:
        """Whether somebody has signed in to the account from this address lately."""
        return Key(account, network(address)) in self._known

    def _rules(self, account: str, address: str) -> dict[Key, Rule]:
        where = network(address)
        here = Key(account, where)
        if here in self._known:
            return {here: ACCOUNT}
        rules = {here: ACCOUNT, Key(account, ""): ACCOUNT}
        if not _loopback(where):
            rules[Key("", where)] = ADDRESS
        return rules

    def _level(self, key: Key, rule: Rule, now: float) -> float:
        failures = self._failures.get(key)
        return max(0.0, failures.level - (now - failures.last) / rule.forget) if failures else 0.0

    def _pause(self, key: Key, rule: Rule, now: float) -> float:
        failures = self._failures.get(key)
        if failures is None or failures.level < rule.free:
            return 0.0
        return max(0.0, failures.last + min(rule.longest, math.exp2(failures.level - rule.free)) - now)


def _loopback(where: str) -> bool:
    return where == "::1" or where.startswith("127.")
