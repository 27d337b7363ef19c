"""The queues that an agent follows: "my queues" of lists and counts (A3.14)."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import Field

from services.gateway.documents import rows
from services.gateway.documents.applied import Appliers
from services.gateway.documents.documents import Documents
from services.gateway.documents.documents_api import context_of, sees_queue
from services.gateway.documents.drafts import Draft
from services.gateway.documents.names import Reference
from services.gateway.signing_in.session_api import QueueNamed
from services.gateway.signing_in.signed_in import Reader, Writer
from shared.contracts.directory import Person, Queue
from shared.database import Connection
from shared.eventstore.errors import UnknownStream
from shared.http import problems
from shared.http.bodies import Body
from shared.http.consistency import LAG
from shared.http.idempotency import json_response
from shared.http.problems import FieldError, invalid_fields
from shared.http.serving.routes import router as strict
from shared.rules.access import Identity


class FollowedQueues(Body):
    """The queues by slug or id, whole; none: all those in which the agent has a right."""

    queues: Annotated[list[Reference], Field(max_length=500)]


class Following(Draft):
    """The person's document with other queues to follow, and nothing else changed."""

    follows: tuple[UUID, ...]

    async def document(self, connection: Connection, document_id: UUID, current: rows.Row | None) -> Person:
        if current is None:
            raise UnknownStream(document_id)
        return person_in(current).model_copy(update={"follows": self.follows})


class FollowedShown(Body):
    queues: list[QueueNamed]


def router(documents: Documents, appliers: Appliers) -> APIRouter:
    routes = strict("/api/v1/session", tags=["signing in"])

    @routes.get(
        "/queues", operation_id="listMyQueues", response_model=FollowedShown, summary="The queues that I follow"
    )
    async def get_followed(signed: Reader) -> Response:
        row = await own(documents, signed.identity)
        return json_response(await _shown(documents, person_in(row)))

    @routes.put(
        "/queues", operation_id="putMyQueues", response_model=FollowedShown, summary="Choose the queues to follow"
    )
    async def put_followed(signed: Writer, body: FollowedQueues) -> Response:
        row = await own(documents, signed.identity)
        chosen: list[Queue] = []
        errors: list[FieldError] = []
        for n, reference in enumerate(body.queues):
            found = await rows.find(documents.store.pool, "queue", reference)
            if found is None or found.retired or not sees_queue(signed.identity, found):
                errors.append(FieldError(f"/queues/{n}", "names no queue of yours"))
            elif isinstance(found.document, Queue):
                chosen.append(found.document)
        if errors:
            raise invalid_fields(errors)
        follows = tuple(dict.fromkeys(queue.id for queue in chosen))
        saved = await documents.save("person", str(row.id), Following(follows=follows), context_of(signed))
        headers = {} if await appliers.wait("person", saved.row.id, saved.row.version) else {LAG: "true"}
        return json_response(await _shown(documents, person_in(saved.row)), headers=headers)

    return routes


async def own(documents: Documents, who: Identity) -> rows.Row:
    """The row of an agent who changes what they follow or are told of. Raises Problem 403 for customers."""
    if not who.is_agent:
        raise problems.forbidden("Queues are the desk's.")
    row = await rows.find(documents.store.pool, "person", str(who.person_id))
    assert row is not None
    return row


def person_in(row: rows.Row) -> Person:
    """The person whose row this is."""
    assert isinstance(row.document, Person)
    return row.document


async def _shown(documents: Documents, person: Person) -> dict[str, Any]:
    found = [await rows.find(documents.store.pool, "queue", str(queue)) for queue in person.follows]
    queues = [row.document for row in found if row is not None and not row.retired and isinstance(row.document, Queue)]
    return {"queues": [{"id": str(queue.id), "slug": queue.slug, "name": queue.name} for queue in queues]}
