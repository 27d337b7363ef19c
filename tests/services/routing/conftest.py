from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.services.routing.workplace import Workplace, workplace


@pytest.fixture
async def desk(postgres: Any, tmp_path: Path) -> AsyncIterator[Workplace]:
    async with workplace(postgres, tmp_path) as made:
        yield made
