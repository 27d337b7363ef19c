"""The newest version of each document: rows of `gateway.documents`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

import asyncpg

from services.gateway import document_names
from shared.addresses import canonical, comparable
from shared.contracts.directory import DOCUMENTS, Person, Queue
from shared.contracts.marks.declaration import Document, DocumentKind
from shared.database import Connection, Pool
from shared.rules.access import Identity

ADMIN = "admin"
"""The login of the first person, whom the first start makes."""
MODELS: Mapping[str, type[Document]] = {model.KIND: model for model in DOCUMENTS}

_COLUMNS = "id, kind, slug, retired, document::text AS document, version, created_at, updated_at"
BY_ID = f"SELECT {_COLUMNS} FROM gateway.documents WHERE kind = $1 AND id = $2"
BY_SLUG = (
    f"SELECT {_COLUMNS} FROM gateway.documents WHERE kind = $1 AND slug = $2 ORDER BY retired, version DESC, id LIMIT 1"
)
BY_EMAIL = f"SELECT {_COLUMNS} FROM gateway.documents WHERE email = $1 AND kind = $2 AND NOT retired"
_IS_MEMBER = (
    "{document} @> jsonb_build_object('members', jsonb_build_array(jsonb_build_object('person', $2::uuid::text)))"
)
OF_QUEUES = f"""
(d.document -> 'queues' = '[]' OR EXISTS (
    SELECT
      FROM jsonb_array_elements_text(d.document -> 'queues') AS named(slug)
      JOIN gateway.documents q ON q.kind = 'queue' AND q.slug = named.slug AND NOT q.retired
     WHERE {_IS_MEMBER.format(document="q.document")}))
"""
"""Whether a document names no queue, or one on which a person has rights."""
LIST = f"""
SELECT {_COLUMNS}
  FROM gateway.documents d
 WHERE kind = $1 AND (NOT retired OR $3) AND ($4::text IS NULL OR (slug, id) > ($4, $5))
   AND ($2::uuid IS NULL OR {{limit}})
 ORDER BY slug, id
 LIMIT $6
"""
LIST_QUEUES = LIST.format(limit=_IS_MEMBER.format(document="d.document"))
LIST_OF_QUEUES = LIST.format(limit=OF_QUEUES)
OFFERED = f"SELECT {OF_QUEUES} FROM gateway.documents d WHERE d.id = $1"
UPSERT = """
INSERT INTO gateway.documents (id, kind, slug, email, address, retired, document, version)
VALUES ($1, $2, $3, $4, $5, $6, $7::text::jsonb, $8)
    ON CONFLICT (id) DO UPDATE
   SET slug = excluded.slug, email = excluded.email, address = excluded.address, retired = excluded.retired,
       document = excluded.document, version = excluded.version, updated_at = now()
"""
HOLDER = "SELECT slug FROM gateway.documents WHERE {column} = $1 AND NOT retired AND id <> $2"
CLAIMED = """
SELECT w.domain, d.slug
  FROM gateway.documents d
  JOIN unnest($1::text[]) AS w(domain) ON d.document -> 'domains' ? w.domain
 WHERE d.kind = 'company' AND NOT d.retired AND d.id <> $2
"""
MENTIONING = f"""
SELECT {_COLUMNS}
  FROM gateway.documents
 WHERE kind = ANY($1) AND NOT retired AND id <> $2 AND strpos(document::text, $3) > 0
 ORDER BY kind, slug
"""
CUSTOMERS = f"""
SELECT {_COLUMNS}
  FROM gateway.documents
 WHERE kind = 'person' AND NOT retired AND document->'roles' ? 'customer'
   AND ($3::text IS NULL OR (slug, id) > ($3, $4))
   AND ($1 = '' OR email LIKE $1 || '%' OR lower(document->>'name') LIKE '%' || $1 || '%' OR slug LIKE $1 || '%')
   AND ($2::text IS NULL OR document->>'company' = $2)
 ORDER BY slug, id
 LIMIT $5
"""
NAMED_KINDS = ("person", "company", "queue", "topic")
WITHOUT_NAMES = f"""
SELECT {_COLUMNS}
  FROM gateway.documents d
 WHERE kind = ANY($1) AND id > $2 AND NOT retired AND NOT EXISTS (SELECT FROM gateway.names n WHERE n.id = d.id)
 ORDER BY id
 LIMIT 1000
"""
BY_IDS = f"SELECT {_COLUMNS} FROM gateway.documents WHERE id = ANY($1) AND NOT retired"
OTHER_ADMIN = """
SELECT EXISTS (SELECT
                 FROM gateway.documents
                WHERE kind = 'person' AND NOT retired AND document->'roles' ? 'admin' AND id <> $1)
"""


@dataclass(frozen=True, slots=True)
class Row:
    """A document and its version."""

    document: Document
    version: int
    retired: bool
    created_at: datetime
    updated_at: datetime

    @property
    def id(self) -> UUID:
        return self.document.id


def _row(found: asyncpg.Record) -> Row:
    return Row(
        document=MODELS[found["kind"]].model_validate_json(found["document"]),
        version=found["version"],
        retired=found["retired"],
        created_at=found["created_at"],
        updated_at=found["updated_at"],
    )


async def find(connection: Connection | Pool, kind: DocumentKind, reference: str) -> Row | None:
    """The document with this slug or id, a person also by e-mail address. One in use is preferred to a retired one."""
    found = await connection.fetchrow(BY_SLUG, kind, reference.lower())
    if found is None or found["retired"]:
        try:
            found = await connection.fetchrow(BY_ID, kind, UUID(reference)) or found
        except ValueError:
            if kind == "person" and "@" in reference:
                found = await connection.fetchrow(BY_EMAIL, comparable(reference), kind) or found
    return _row(found) if found is not None else None


async def in_use(pool: Pool, ids: Sequence[UUID]) -> list[Row]:
    """The documents in use with these ids, in the order of the ids."""
    found = {row["id"]: _row(row) for row in await pool.fetch(BY_IDS, list(ids))} if ids else {}
    return [found[each] for each in ids if each in found]


async def listed(
    pool: Pool,
    kind: DocumentKind,
    *,
    retired: bool,
    after: tuple[str, UUID] | None,
    member: UUID | None,
    limit: int,
    by_queue: bool = False,
) -> list[Row]:
    """Documents by slug.

    With `member` only queues on which that person has rights; `by_queue`: only documents of those queues, and of none.
    """
    slug, last = after or (None, None)
    query = LIST_OF_QUEUES if by_queue else LIST_QUEUES
    return [_row(found) for found in await pool.fetch(query, kind, member, retired, slug, last, limit)]


async def offered(pool: Pool, row: Row, who: Identity) -> bool:
    """Whether a document is one of no queue, or of a queue on which somebody has rights."""
    return bool(await pool.fetchval(OFFERED, row.id, who.person_id))


async def write(connection: Connection, document: Document, version: int, *, retired: bool) -> None:
    """Writes the row of a document."""
    email = comparable(document.email) if isinstance(document, Person) else None
    address = comparable(document.address) if isinstance(document, Queue) and document.address else None
    await connection.execute(
        UPSERT,
        document.id,
        document.KIND,
        document.url_name,
        email,
        address,
        retired,
        document.model_dump_json(),
        version,
    )
    await document_names.write(connection, [(document, retired)])


async def write_missing_names(pool: Pool) -> None:
    """Writes the words of documents of an earlier version, which kept none."""
    after = UUID(int=0)
    while rows := await pool.fetch(WITHOUT_NAMES, list(NAMED_KINDS), after):
        found = [_row(row) for row in rows]
        await document_names.write(pool, [(row.document, False) for row in found])
        after = found[-1].id


async def holder(connection: Connection, column: Literal["email", "address"], value: str, but: UUID) -> str | None:
    """The slug of another document in use with this address: `email` of a person or `address` of a queue."""
    found: str | None = await connection.fetchval(HOLDER.format(column=column), value, but)
    return found


async def claimed(connection: Connection, domains: Sequence[str], but: UUID) -> Mapping[str, str]:
    """The domains that another company in use has, with the slug of that company."""
    return {each["domain"]: each["slug"] for each in await connection.fetch(CLAIMED, list(domains), but)}


async def mentioning(connection: Connection, document: Document, kinds: Sequence[DocumentKind]) -> list[Row]:
    """Other documents in use of these kinds in which the slug of this one stands, as whatever."""
    return [_row(found) for found in await connection.fetch(MENTIONING, kinds, document.id, document.url_name)]


async def customers(
    pool: Pool, words: str, company: str | None, *, after: tuple[str, UUID] | None, limit: int
) -> list[Row]:
    """Customers by login. Their address or login begins with the words, or their name contains them."""
    escaped = (canonical(words) or words.lower()).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    slug, last = after or (None, None)
    return [_row(found) for found in await pool.fetch(CUSTOMERS, escaped, company, slug, last, limit)]


async def other_admin(connection: Connection, person: UUID) -> bool:
    """Whether somebody else in use is an administrator."""
    return bool(await connection.fetchval(OTHER_ADMIN, person))
