"""Prints the requirements of docs/requirements.md: each with the tests that prove it, then those without a test.

Run it with `make requirements`.
"""

import re
import sys
from collections import defaultdict
from pathlib import Path

import pytest

CATALOGUE = Path(__file__).parent.parent / "docs" / "requirements.md"
ENTRY = re.compile(r"^- \*\*(A\d+\.\d+)\*\* \([^;)]+; [SIT/]+\) (.+(?:\n  .+)*)", re.MULTILINE)
WIDTH = 100


class Collected:
    """A plugin of pytest's that remembers which test is marked with which requirement."""

    def __init__(self) -> None:
        self.tests: dict[str, set[str]] = defaultdict(set)

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        for marker in item.iter_markers("requirement"):
            for requirement in marker.args:
                self.tests[requirement].add(item.nodeid.partition("[")[0])


def catalogue() -> dict[str, str]:
    """Every id with its behaviour, in the catalogue's order."""
    entries = ENTRY.findall(CATALOGUE.read_text(encoding="utf-8"))
    return {requirement: " ".join(behaviour.split()) for requirement, behaviour in entries}


def main() -> int:
    collected = Collected()
    status = pytest.main(
        ["--collect-only", "-o", "addopts=--strict-markers", "-p", "no:terminal", "tests"], plugins=[collected]
    )
    if status != pytest.ExitCode.OK:
        return int(status)
    known = catalogue()
    print()
    for requirement, behaviour in known.items():
        print(f"{requirement:<7} {behaviour if len(behaviour) <= WIDTH else behaviour[: WIDTH - 1] + '…'}")
        for test in sorted(collected.tests.get(requirement, ())):
            print(f"        {test}")
    unproved = [requirement for requirement in known if requirement not in collected.tests]
    unknown = sorted(set(collected.tests) - set(known))
    print(f"\n{len(known) - len(unproved)} of {len(known)} have a test. Without one:")
    for start in range(0, len(unproved), 12):
        print("  " + " ".join(unproved[start : start + 12]))
    if unknown:
        print(f"Tests name what the catalogue does not have: {' '.join(unknown)}", file=sys.stderr)
    return 1 if unknown else 0


if __name__ == "__main__":
    sys.exit(main())
