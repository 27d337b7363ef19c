"""The queues that an agent follows: "my queues" in lists and counts (A3.14)."""

from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import Field

from services.gateway import document_rows
from services.gateway.documents.documents import Documents
from services.gateway.documents.documents_api import context_of
from services.gateway.documents.kinds import queues
from services.gateway.documents.propagation import Propagation
from services.gateway.signing_in.dependencies import Reader, Writer
from shared.contracts.directory import Person, Queue
from shared.http import problems
from shared.http.bodies import Body
from shared.http.headers.idempotency import json_response
from shared.http.problems import FieldError, invalid_fields
from shared.http.references import QueueNamed
from shared.http.routes import router as strict
from shared.input_types import Reference
from shared.rules.access import Identity


class FollowedQueues(Body):
    """The whole list, by slug or id. An empty list stands for all queues on which the agent has a right."""

    queues: Annotated[list[Reference], Field(max_length=500)]


class FollowedShown(Body):
    queues: list[QueueNamed]


def router(documents: Documents, propagation: Propagation) -> APIRouter:
    routes = strict("/api/v1/session", tags=["signing in"])

    @routes.get(
        "/queues", operation_id="listMyQueues", response_model=FollowedShown, summary="The queues that I follow"
    )
    async def get_followed(principal: Reader) -> Response:
        row = await own(documents, principal.identity)
        return json_response(await _shown(documents, person_in(row)))

    @routes.put(
        "/queues", operation_id="putMyQueues", response_model=FollowedShown, summary="Choose the queues to follow"
    )
    async def put_followed(principal: Writer, body: FollowedQueues) -> Response:
        row = await own(documents, principal.identity)
        chosen: list[Queue] = []
        errors: list[FieldError] = []
        for n, reference in enumerate(body.queues):
            found = await document_rows.find(documents.store.pool, "queue", reference)
            queue = found.document if found is not None and not found.retired else None
            if isinstance(queue, Queue) and queues.visible(principal.identity, queue):
                chosen.append(queue)
            else:
                errors.append(FieldError(f"/queues/{n}", "No such queue, or you have no rights on it."))
        if errors:
            raise invalid_fields(errors)
        follows = tuple(dict.fromkeys(queue.id for queue in chosen))
        saved = await documents.change_person(
            row.id, lambda person: person.model_copy(update={"follows": follows}), context_of(principal)
        )
        return json_response(await _shown(documents, person_in(saved.row)), headers=await propagation.lag(saved.row))

    return routes


async def own(documents: Documents, who: Identity) -> document_rows.Row:
    """The row of the agent who asks. Raises Problem 403 for customers."""
    if not who.is_agent:
        raise problems.forbidden("Only agents follow queues.")
    row = await document_rows.find(documents.store.pool, "person", str(who.person_id))
    assert row is not None
    return row


def person_in(row: document_rows.Row) -> Person:
    """The person in the row."""
    assert isinstance(row.document, Person)
    return row.document


async def _shown(documents: Documents, person: Person) -> dict[str, Any]:
    found = [await document_rows.find(documents.store.pool, "queue", str(queue)) for queue in person.follows]
    queues = [row.document for row in found if row is not None and not row.retired and isinstance(row.document, Queue)]
    return {"queues": [{"id": str(queue.id), "slug": queue.slug, "name": queue.name} for queue in queues]}
