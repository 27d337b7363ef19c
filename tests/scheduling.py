"""Which tests a run in several processes keeps together, and which it begins with."""

from pathlib import Path

import pytest
from xdist.scheduler import LoadScopeScheduling

WHOLE_SYSTEM = ("tests/system/", "tests/chaos/")
"""Where the tests are that start a whole system."""


class ByModule(LoadScopeScheduling):  # type: ignore[misc]
    """A module's tests run in one process, one after the other, because they share what they start. So do all of those that start a whole
    system: two at once leave no processor for either."""

    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.partition("::")[0]
        return "a whole system" if module.startswith(WHOLE_SYSTEM) else module


def longest_first(items: list[pytest.Item]) -> None:
    """Puts those that start a whole system before the others: they take the longest."""
    root = Path(__file__).parents[1]
    items.sort(key=lambda item: not item.path.relative_to(root).as_posix().startswith(WHOLE_SYSTEM))
