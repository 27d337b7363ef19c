"""Configuration documents in a service's own copy of the directory, for tests that have no gateway."""

from dataclasses import replace
from uuid import uuid4

from shared.contracts.marks.declaration import Document
from shared.database import connect
from shared.directory.projection import OWNER, DirectoryProjection, row_of


async def seed(url: str, *documents: Document) -> None:
    """Saves documents in the database at `url` as the projection does with their first event."""
    connection = await connect(url)
    try:
        rows = {each.id: replace(row_of(each), seen={OWNER: (1, uuid4())}) for each in documents}
        await DirectoryProjection().save(connection, rows)
    finally:
        await connection.close()
