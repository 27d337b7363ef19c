"""Databases of an earlier release, for tests of upgrades."""

import shutil
from collections.abc import Sequence
from pathlib import Path


def before(number: int, directories: Sequence[Path], into: Path) -> list[Path]:
    """Copies of the migrations with a lower number than `number`, under the same names."""
    copies = []
    for directory in directories:
        copy = into / directory.parent.name / "migrations"
        copy.mkdir(parents=True)
        for path in directory.glob("*.sql"):
            if int(path.name[:4]) < number:
                shutil.copy(path, copy)
        copies.append(copy)
    return copies
