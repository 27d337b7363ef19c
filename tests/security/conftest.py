"""Installations that hostile mail comes to."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.security.installation import Installation, installation


@pytest.fixture
async def desk(postgres: Any, tmp_path: Path) -> AsyncIterator[Installation]:
    async with installation(postgres, tmp_path / "one", "help.example") as made:
        yield made


@pytest.fixture
async def other(postgres: Any, tmp_path: Path) -> AsyncIterator[Installation]:
    async with installation(postgres, tmp_path / "two", "desk.example") as made:
        yield made
