"""The mails of one mailbox that could not be fetched, taken or marked: when each is tried again."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

TRIES = 3
"""After so many failures a mail is tried only from time to time."""


@dataclass(frozen=True, slots=True)
class _Failure:
    """`retry_at` is monotonic."""

    tries: int
    reason: str
    retry_at: float


class FailedMails:
    """Failed mails come after all others, then only every `retry_seconds`: a bad mail must not delay the others."""

    def __init__(self, retry_seconds: float) -> None:
        self._retry_seconds = retry_seconds
        self._failures: dict[int, _Failure] = {}

    def __contains__(self, mail: int) -> bool:
        return mail in self._failures

    def note(self, mail: int, reason: str) -> None:
        """A mail has failed. `reason` is for an administrator."""
        tries = self._failures[mail].tries if mail in self._failures else 0
        self._failures[mail] = _Failure(tries + 1, reason, time.monotonic() + self._retry_seconds)

    def forget(self, mail: int) -> None:
        self._failures.pop(mail, None)

    def clear(self) -> None:
        self._failures.clear()

    def keep(self, mails: Sequence[int]) -> None:
        """Forgets all but these mails, which are still on the server."""
        self._failures = {mail: self._failures[mail] for mail in mails if mail in self._failures}

    def reason(self, mail: int) -> str:
        return self._failures[mail].reason

    def failed_again(self, mail: int) -> bool:
        """Whether a mail has failed more than once: then it comes after all others."""
        return mail in self._failures and self._failures[mail].tries > 1

    def put_off(self) -> dict[int, str]:
        """The mails that are not tried now, with their reasons."""
        now = time.monotonic()
        return {m: each.reason for m, each in self._failures.items() if each.tries > TRIES and each.retry_at > now}

    def first(self) -> int | None:
        """The smallest number of a failed mail."""
        return min(self._failures, default=None)
