"""Slows down the guessing of passwords: per account, per address, and per account from one address.

Only failures count. What is known lives in memory, bounded, in each replica: a restart forgets it, n replicas allow n times as
many guesses, and no attacker can make us write (docs/decisions/0031-passwords-and-sessions.md). Nobody is locked out for ever: a
pause ends by itself, and an address from which somebody has signed in to the account before is not slowed by the guesses of others.
"""

import ipaddress
import math
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

FREE_FAILURES = 5
"""So many wrong passwords are nobody's business but a forgetful person's."""
FREE_FAILURES_OF_AN_ADDRESS = 30
"""An address may be a whole office."""
LONGEST_PAUSE = 60.0
FORGOTTEN_AFTER = 900.0
REMEMBERED = 20_000


@dataclass(slots=True)
class _Failures:
    count: int
    last: float


class SlowDown:
    """Times are those of a monotonic clock, in seconds."""

    def __init__(self) -> None:
        self._failures: OrderedDict[Hashable, _Failures] = OrderedDict()
        self._known: OrderedDict[tuple[str, str], None] = OrderedDict()

    def pause(self, account: str, address: str, now: float) -> int:
        """How many whole seconds this account or address has to wait before another try; 0 for none."""
        return math.ceil(max(self._pause(key, free, now) for key, free in self._keys(account, address)))

    def failed(self, account: str, address: str, now: float) -> None:
        """Counts a wrong password, of an account that exists or not."""
        for key, _ in self._keys(account, address):
            failures = self._failures.pop(key, None)
            count = failures.count + 1 if failures and now - failures.last < FORGOTTEN_AFTER else 1
            self._failures[key] = _Failures(count, now)
            while len(self._failures) > REMEMBERED:
                self._failures.popitem(last=False)

    def succeeded(self, account: str, address: str) -> None:
        """Forgets the failures of this account from here, and remembers that it is used from here."""
        where = network(address)
        self._failures.pop(("both", account, where), None)
        self._failures.pop(("account", account), None)
        self._known.pop((account, where), None)
        self._known[account, where] = None
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)

    def _keys(self, account: str, address: str) -> list[tuple[Hashable, int]]:
        where = network(address)
        keys: list[tuple[Hashable, int]] = [(("both", account, where), FREE_FAILURES)]
        if (account, where) not in self._known:
            keys += [(("account", account), FREE_FAILURES), (("address", where), FREE_FAILURES_OF_AN_ADDRESS)]
        return keys

    def _pause(self, key: Hashable, free: int, now: float) -> float:
        failures = self._failures.get(key)
        if failures is None or failures.count < free or now - failures.last >= FORGOTTEN_AFTER:
            return 0.0
        pause = min(LONGEST_PAUSE, 2.0 ** min(failures.count - free, 10))
        return max(0.0, failures.last + pause - now)


def network(address: str) -> str:
    """What one caller can be expected to hold: an IPv4 address, or the /64 of an IPv6 address."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return address
