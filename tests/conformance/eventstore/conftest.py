"""A fresh event store in a database of its own."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from shared import eventstore
from shared.database import connect_pool
from shared.eventstore.migrations import migrate
from shared.eventstore.store import Store

MIGRATIONS = Path(eventstore.__path__[0]) / "migrations"


@pytest.fixture
def urls(postgres: Any) -> tuple[str, str]:
    """The URLs of the owner and of the application."""
    made: tuple[str, str] = postgres.database()
    return made


@pytest.fixture
def postgres_owner_url(urls: tuple[str, str]) -> str:
    return urls[0]


@pytest.fixture
async def store(urls: tuple[str, str]) -> AsyncIterator[Store]:
    owner_url, app_url = urls
    await migrate(owner_url, app_url, MIGRATIONS)
    pool = await connect_pool(app_url)
    yield Store(pool, "routing")
    await pool.close()
