"""Empty live read models in a database of their own."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.services.reporting.reporting_database import Reporting, reporting_with_a_live_desk


@pytest.fixture
async def live_desk(postgres: Any) -> AsyncIterator[Reporting]:
    async for made in reporting_with_a_live_desk(postgres):
        yield made
