"""A short chaos run: the long one is `make chaos`."""

import subprocess
import sys

import pytest

from deploy.local.home import CHECKOUT


@pytest.mark.timeout(400)
def test_nothing_is_lost_or_doubled_while_processes_die() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.chaos", "--kills", "8"], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "everything holds" in done.stdout
