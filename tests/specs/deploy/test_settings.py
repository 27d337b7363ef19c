"""Every setting is documented, and every documented setting is read."""

import re
from collections.abc import Iterable
from pathlib import Path

from deploy.local.home import CHECKOUT

NAME = re.compile(r"LEDGERDESK_[A-Z0-9_]*[A-Z0-9]")
SOURCES = [source for folder in ("services", "shared", "deploy") for source in (CHECKOUT / folder).rglob("*.py")]
PROGRAMS = (*SOURCES, CHECKOUT / "docker-compose.yml")
# Decision records describe the time when they were written.
DOCUMENTS = (
    *(page for page in (CHECKOUT / "docs").rglob("*.md") if page.parent.name != "decisions"),
    CHECKOUT / "README.md",
)
OURS = {"LEDGERDESK_SUPERVISED"}
"""The supervisor of a local instance identifies its processes by it."""


def named(paths: Iterable[Path]) -> set[str]:
    """The variables in these files; each may also be given as NAME_FILE."""
    return {name.removesuffix("_FILE") for path in paths for name in NAME.findall(path.read_text("utf-8"))}


def test_every_setting_is_documented() -> None:
    assert sorted(named(PROGRAMS) - OURS - named(DOCUMENTS)) == []


def test_no_setting_is_documented_that_nothing_reads() -> None:
    documented = {name for name in named(DOCUMENTS) if not name.startswith("LEDGERDESK_TEST_")}
    assert sorted(documented - named((*PROGRAMS, *(CHECKOUT / "tests").rglob("*.py")))) == []
