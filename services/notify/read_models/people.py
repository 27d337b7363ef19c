"""Looks up people in the directory."""

from collections.abc import Collection
from uuid import UUID

from shared.contracts.directory import Person
from shared.database import Connection

FIND = """
SELECT i.id, p.document::text AS document
  FROM unnest($1::uuid[]) AS i(id)
  LEFT JOIN directory.identities k ON k.customer_id = i.id
  JOIN directory.documents p ON p.id = coalesce(k.person_id, i.id) AND p.kind = 'person' AND NOT p.retired
"""


async def find(connection: Connection, ids: Collection[UUID]) -> dict[UUID, Person]:
    """Those of these people and customers who have a record that is in use.

    The keys are the ids that were asked for: a customer's may be the one that they had before they had a record
    (decision 0089).
    """
    rows = await connection.fetch(FIND, list(ids)) if ids else ()
    return {row["id"]: Person.model_validate_json(row["document"]) for row in rows}
