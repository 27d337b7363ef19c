"""Regression test of fuzzing (`make fuzz`): every seed keeps the promises of its target."""

from pathlib import Path

import pytest

from tests.fuzz.targets import SEEDS, run


@pytest.mark.parametrize("seed", sorted(SEEDS.rglob("*.seed")), ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_seeds_keep_the_promises(seed: Path) -> None:
    run(seed.parent.name, seed.read_bytes())
