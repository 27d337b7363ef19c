"""Writes the events of the directory topic to `directory.documents`: the copy of the configuration documents that each
service has."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from pydantic_core import to_json

from shared.addresses import comparable
from shared.contracts.directory import (
    CompanyRetired,
    CompanySaved,
    Person,
    PersonRetired,
    PersonSaved,
    QueueRetired,
    QueueSaved,
    SmallDocumentRetired,
    SmallDocumentSaved,
)
from shared.contracts.envelope import Recorded
from shared.contracts.intake import CustomerIdentified
from shared.contracts.marks.declaration import Document
from shared.database import Connection
from shared.messaging.consuming.projection import Position, Seen

OWNER = "gateway"
"""The service whose events make documents.

Of the events of intake, only those that tell which person a customer is are kept.
"""

LOAD = """
SELECT id, kind, slug, email, retired, document::text AS document, version, event_id
  FROM directory.documents
 WHERE id = ANY($1)
"""
SAVE = "SELECT directory.save($1, $2, $3, $4, $5, $6, $7, $8)"
IDENTIFY = "SELECT directory.identify($1, $2)"


@dataclass(slots=True)
class DocumentRow:
    """One document after its newest event.

    `document` is JSON text; `kind` is empty for a kind that only a later version knows. `identified`: no document, but
    the customer and the person of an event of intake.
    """

    kind: str = ""
    slug: str = ""
    email: str | None = None
    retired: bool = False
    document: str = "{}"
    identified: tuple[UUID, UUID] | None = None
    seen: Seen = field(default_factory=dict)


class DirectoryProjection:
    """Maintains `directory.documents`. Retired documents stay, because old tickets refer to them."""

    async def load(self, connection: Connection, keys: Sequence[UUID]) -> dict[UUID, DocumentRow]:
        return {
            row["id"]: DocumentRow(
                kind=row["kind"],
                slug=row["slug"],
                email=row["email"],
                retired=row["retired"],
                document=row["document"],
                seen={OWNER: (row["version"], row["event_id"])},
            )
            for row in await connection.fetch(LOAD, keys)
        }

    def apply(self, row: DocumentRow | None, event: Recorded, position: Position) -> DocumentRow:
        match event.payload:
            case QueueSaved(queue=document) | PersonSaved(person=document):
                return _kept(document, event)
            case CompanySaved(company=document) | SmallDocumentSaved(document=document):
                return _kept(document, event)
            case QueueRetired(queue=document) | PersonRetired(person=document):
                return replace(_kept(document, event), retired=True)
            case CompanyRetired(company=document) | SmallDocumentRetired(document=document):
                return replace(_kept(document, event), retired=True)
            case CustomerIdentified(customer=customer, person=person):
                return DocumentRow(identified=(customer, person))
            case _:  # an event of a later version or of another service: only its position counts
                return replace(row) if row is not None else DocumentRow()

    async def save(self, connection: Connection, rows: Mapping[UUID, DocumentRow]) -> None:
        identities = [row.identified for row in rows.values() if row.identified is not None]
        if identities:
            await connection.execute(IDENTIFY, *map(list, zip(*identities, strict=True)))
        ours = {key: row for key, row in rows.items() if OWNER in row.seen}
        if not ours:
            return
        await connection.execute(
            SAVE,
            list(ours),
            [row.kind for row in ours.values()],
            [row.slug for row in ours.values()],
            [row.email for row in ours.values()],
            [row.retired for row in ours.values()],
            [row.document for row in ours.values()],
            [row.seen[OWNER][0] for row in ours.values()],
            [row.seen[OWNER][1] for row in ours.values()],
        )


def _kept(document: Document, event: Recorded) -> DocumentRow:
    """The row of a document as it was recorded, with fields that only a later version knows: nobody sends the document
    again by then."""
    row = row_of(document)
    if event.data is None or event.type != event.payload.TYPE:
        return row
    name = next(name for name, value in event.payload if value is document)
    return replace(row, document=to_json({**document.model_dump(mode="json"), **event.data[name]}).decode())


def row_of(document: Document) -> DocumentRow:
    """The row of a document in use, of no event yet."""
    email = comparable(document.email) if isinstance(document, Person) else None
    return DocumentRow(document.KIND, document.url_name, email, document=document.model_dump_json())
