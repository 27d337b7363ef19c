"""One intake process for a module's tests, and the mailroom by itself on a database of its own."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from services.intake.mail.reading_pool import Readers
from services.intake.mailroom.mailroom import Mailroom, MailRules
from services.intake.records.numbers import Numbers
from services.intake.records.records import Records
from services.intake.schema import MIGRATIONS
from shared.blobs.store import BlobStore
from shared.contracts.directory import Queue
from shared.database import connect_pool
from shared.directory.copy import DirectoryCopy, Queues
from shared.eventstore.migrations import migrate
from shared.eventstore.store import Store
from tests.services.intake.reception import IT, MAIL_KEY, POSTMASTER, Reception, reception


@pytest.fixture(scope="module")
def intake(postgres: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reception]:
    with reception(postgres.database("intake"), tmp_path_factory.mktemp("intake")) as desk:
        yield desk


def queues(*found: Queue) -> Queues:
    return Queues(
        by_id={q.id: q for q in found},
        by_slug={q.slug: q for q in found},
        by_address={q.address: q for q in found if q.address},
    )


@pytest.fixture(scope="module")
async def readers() -> AsyncIterator[Readers]:
    """A process that reads mails. Shared, because it takes half a second to start and keeps nothing of a mail."""
    made = Readers(1)
    yield made
    await made.close()


@asynccontextmanager
async def open_mailroom(
    postgres: Any, directory: Path, readers: Readers, *found: Queue, key: str = MAIL_KEY
) -> AsyncIterator[Mailroom]:
    """The mailroom of an installation with these queues, on a database and blobs of its own."""
    owner_url, url = postgres.database("mailroom")
    await migrate(owner_url, url, *MIGRATIONS)
    pool = await connect_pool(url)
    copy = DirectoryCopy(pool, url)
    copy.queues = queues(*found)
    records = Records(pool, Store(pool, "intake"))
    blobs = BlobStore(f"file://{directory}/blobs")
    yield Mailroom(records, blobs, Numbers(pool, ZoneInfo("UTC")), copy, readers, MailRules(key.encode()))
    blobs.close()
    await pool.close()


@pytest.fixture
async def mailroom(postgres: Any, tmp_path: Path, readers: Readers) -> AsyncIterator[Mailroom]:
    async with open_mailroom(postgres, tmp_path, readers, POSTMASTER, IT) as made:
        yield made
