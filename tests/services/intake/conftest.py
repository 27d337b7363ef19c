"""One intake process for a module's tests."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.services.intake.reception import Reception, reception


@pytest.fixture(scope="module")
def intake(postgres: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reception]:
    with reception(postgres.database("intake"), tmp_path_factory.mktemp("intake")) as desk:
        yield desk
