"""Databases as an earlier release left them, for tests of upgrades."""

import shutil
from collections.abc import Sequence
from pathlib import Path


def before(number: int, directories: Sequence[Path], into: Path) -> list[Path]:
    """Copies of the migrations in these directories that have a lower number, by the same names."""
    copies = []
    for directory in directories:
        copy = into / directory.parent.name / "migrations"
        copy.mkdir(parents=True)
        for path in directory.glob("*.sql"):
            if int(path.name[:4]) < number:
                shutil.copy(path, copy)
        copies.append(copy)
    return copies
