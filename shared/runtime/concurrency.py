"""Limits on what runs at the same time: in all, and for each caller."""

from collections import Counter


class ConcurrencyLimit:
    """At most `most` slots are taken at once, at most `each` of them by one holder: nobody can take them all."""

    def __init__(self, most: int, each: int) -> None:
        self.most, self.each = most, each
        self.taken = 0
        self._held: Counter[str] = Counter()

    def take(self, holder: str) -> bool:
        """Takes a slot if there is one for this holder."""
        if self.taken >= self.most or self._held[holder] >= self.each:
            return False
        self.taken += 1
        self._held[holder] += 1
        return True

    def give_back(self, holder: str) -> None:
        """Gives back a slot that `take` gave."""
        self.taken -= 1
        self._held[holder] -= 1
        if not self._held[holder]:
            del self._held[holder]  # so that memory is bounded by the number of slots
