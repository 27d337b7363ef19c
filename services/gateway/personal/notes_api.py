"""Notes that people keep for themselves, "My notes" (A7.35)."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import Field

from services.gateway.signing_in.dependencies import Reader, Writer
from shared.database import Pool
from shared.http import problems
from shared.http.bodies import Body
from shared.http.headers.etag import IfMatch, etag
from shared.http.headers.idempotency import json_response
from shared.http.routes import router as strict
from shared.input_types import Text

LONGEST = 100_000
"""Characters."""
ONE = "SELECT text, version FROM gateway.notes WHERE person_id = $1"
UPDATE = """
UPDATE gateway.notes
   SET text = $2, version = version + 1, saved_at = now()
 WHERE person_id = $1 AND ($3::integer IS NULL OR version = $3)
RETURNING version
"""
INSERT = """
INSERT INTO gateway.notes (person_id, text) VALUES ($1, $2)
    ON CONFLICT (person_id) DO NOTHING
RETURNING version
"""


class Notes(Body):
    """My notes, as one text."""

    text: Annotated[Text, Field(max_length=LONGEST, examples=["Ask Kari about the cable."])]


def router(pool: Pool) -> APIRouter:
    routes = strict("/api/v1/session", tags=["my settings"])

    @routes.get("/notes", operation_id="getMyNotes", response_model=Notes, summary="The notes that only I read")
    async def get_notes(principal: Reader) -> Response:
        text, version = await _notes(pool, principal.identity.person_id)
        return json_response({"text": text}, headers={"ETag": etag(version)})

    @routes.put("/notes", operation_id="putMyNotes", response_model=Notes, summary="Save my notes")
    async def put_notes(principal: Writer, body: Notes, expected: IfMatch) -> Response:
        """With `If-Match` on an older version: 412 with the newest as `notes`."""
        person = principal.identity.person_id
        version = await _save(pool, person, body.text, expected)
        if version is None:
            newest, _ = await _notes(pool, person)
            raise problems.precondition_failed({"text": newest}, member="notes")
        return json_response({"text": body.text}, headers={"ETag": etag(version)})

    return routes


async def _notes(pool: Pool, person: UUID) -> tuple[str, int]:
    """The text and its version; 0 if there never was one."""
    row = await pool.fetchrow(ONE, person)
    return (row["text"], row["version"]) if row is not None else ("", 0)


async def _save(pool: Pool, person: UUID, text: str, expected: int | None) -> int | None:
    """The new version, None if `expected` is not the newest."""
    version: int | None = await pool.fetchval(UPDATE, person, text, expected)
    if version is None and expected in (None, 0):
        version = await pool.fetchval(INSERT, person, text)
        if version is None and expected is None:  # somebody else's first save came in between
            version = await pool.fetchval(UPDATE, person, text, None)
    return version
