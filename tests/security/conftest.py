"""Installations that hostile mail comes to."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from services.intake.mail.reading_pool import Readers
from tests.security.installation import Installation, installation
from tests.services.intake.conftest import readers as readers


@pytest.fixture
async def desk(postgres: Any, tmp_path: Path, readers: Readers) -> AsyncIterator[Installation]:
    async with installation(postgres, tmp_path / "one", readers, "help.example") as made:
        yield made


@pytest.fixture
async def other(postgres: Any, tmp_path: Path, readers: Readers) -> AsyncIterator[Installation]:
    async with installation(postgres, tmp_path / "two", readers, "desk.example") as made:
        yield made
