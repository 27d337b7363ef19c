"""The directory topic as rows of `directory.documents`: each service's own copy of the configuration documents."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from pydantic_core import to_json

from shared.addresses import comparable
from shared.contracts.directory import (
    Company,
    CompanyRetired,
    CompanySaved,
    Person,
    PersonRetired,
    PersonSaved,
    Queue,
    QueueRetired,
    QueueSaved,
    Setting,
    SettingRetired,
    SettingSaved,
)
from shared.contracts.envelope import Recorded
from shared.contracts.intake import CustomerIdentified
from shared.database import Connection
from shared.messaging.projection import Position, Seen

OWNER = "gateway"
"""The service whose events make documents; of what intake writes to the topic, only who a customer turned out to be is kept."""

LOAD = """
SELECT id, kind, slug, email, retired, document::text AS document, version, event_id
  FROM directory.documents
 WHERE id = ANY($1)
"""
SAVE = "SELECT directory.save($1, $2, $3, $4, $5, $6, $7, $8)"
IDENTIFY = "SELECT directory.identify($1, $2)"


@dataclass(slots=True)
class DocumentRow:
    """One document as its newest event left it; `document` is JSON text, `kind` empty for a kind of tomorrow. `identified`: no document, but
    the customer and the person that a fact of intake's is about."""

    kind: str = ""
    slug: str = ""
    email: str | None = None
    retired: bool = False
    document: str = "{}"
    identified: tuple[UUID, UUID] | None = None
    seen: Seen = field(default_factory=dict)


class DirectoryProjection:
    """Keeps `directory.documents`. Retired documents stay, because tickets of the past name them."""

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
            case CompanySaved(company=document) | SettingSaved(document=document):
                return _kept(document, event)
            case QueueRetired(queue=document) | PersonRetired(person=document):
                return replace(_kept(document, event), retired=True)
            case CompanyRetired(company=document) | SettingRetired(document=document):
                return replace(_kept(document, event), retired=True)
            case CustomerIdentified(customer=customer, person=person):
                return DocumentRow(identified=(customer, person))
            case _:  # an event of tomorrow, or another service's: only its version is of interest
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


def _kept(document: Queue | Person | Company | Setting, event: Recorded) -> DocumentRow:
    """The row of a document as it was recorded, with fields that only a version of tomorrow knows: by then nobody sends it again."""
    row = row_of(document)
    if event.data is None or event.type != event.payload.TYPE:
        return row
    name = next(name for name, value in event.payload if value is document)
    return replace(row, document=to_json({**document.model_dump(mode="json"), **event.data[name]}).decode())


def row_of(document: Queue | Person | Company | Setting) -> DocumentRow:
    """The row of a document in use, of no event yet."""
    text = document.model_dump_json()
    match document:
        case Queue():
            return DocumentRow("queue", document.slug, document=text)
        case Person():
            return DocumentRow("person", document.login, comparable(document.email), document=text)
        case Company():
            return DocumentRow("company", document.slug, document=text)
        case Setting():
            return DocumentRow(document.KIND, document.slug, document=text)
