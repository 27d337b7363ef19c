from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from shared.runtime import failpoints
from tests.services.notify.desk import MailServer, Notify, mail_server, notify


@pytest.fixture
async def desk(postgres: Any) -> AsyncIterator[Notify]:
    async with notify(postgres) as made:
        yield made


@pytest.fixture
async def server() -> AsyncIterator[MailServer]:
    async with mail_server() as made:
        yield made


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    yield
    failpoints.arm("")
