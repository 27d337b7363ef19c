"""Limits how many sign-ins wait for a password check, so that a flood does not block the people who work here.

Attempts come in any number and from any address, so strangers have slots of their own: a flood takes those and no
others. Accounts have further slots, with priority, at addresses where they have signed in before. So has the first
administrator on the machine itself, from the start. No account may take more than a part of either kind.
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


class SignInLimits:
    """One per process."""

    def __init__(self) -> None:
        self._strangers = ConcurrencyLimit(STRANGERS, STRANGERS_OF_AN_ADDRESS)
        self._known = ConcurrencyLimit(KNOWN, AN_ACCOUNT)
        self._accounts = ConcurrencyLimit(STRANGERS, AN_ACCOUNT)

    @contextmanager
    def slot(self, account: str, address: str, *, known: bool) -> Iterator[None]:
        """A slot until the block ends.

        `known`: the account has signed in from this address before. Raises Problem 429 if none is free.
        """
        taken: list[tuple[ConcurrencyLimit, str]] = []
        wanted = [(self._known, account)] if known else [(self._strangers, network(address)), (self._accounts, account)]
        try:
            for places, holder in wanted:
                if not places.take(holder):
                    raise problems.too_many(2, "Too many sign-ins at the same time. Try again in a few seconds.")
                taken.append((places, holder))
            yield
        finally:
            for places, holder in taken:
                places.give_back(holder)
