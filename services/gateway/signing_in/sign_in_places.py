"""Who may wait for a password to be checked when many do: a flood of sign-ins must not keep out the people who work here.

Guesses come in any number and from anywhere, so strangers share places of their own: a flood takes those and no others. Whoever has
signed in to an account from an address before has places besides, and goes first; so does the first administrator on the machine
itself, who was made there, from the start. No account has more than a part of either kind.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from shared.http import problems
from shared.network import network
from shared.runtime.concurrency import ConcurrencyLimit

STRANGERS = 48
STRANGERS_OF_AN_ADDRESS = 32
KNOWN = 64
AN_ACCOUNT = 24


class SignInPlaces:
    """One per process."""

    def __init__(self) -> None:
        self._strangers = ConcurrencyLimit(STRANGERS, STRANGERS_OF_AN_ADDRESS)
        self._known = ConcurrencyLimit(KNOWN, AN_ACCOUNT)
        self._accounts = ConcurrencyLimit(STRANGERS, AN_ACCOUNT)

    @contextmanager
    def held(self, account: str, address: str, *, known: bool) -> Iterator[None]:
        """A place until the block ends. Raises Problem 429 where there is none. `known`: this account is used from this address."""
        taken: list[tuple[ConcurrencyLimit, str]] = []
        wanted = [(self._known, account)] if known else [(self._strangers, network(address)), (self._accounts, account)]
        try:
            for places, holder in wanted:
                if not places.take(holder):
                    raise problems.too_many(2, "Too many people sign in at once.")
                taken.append((places, holder))
            yield
        finally:
            for places, holder in taken:
                places.give_back(holder)
