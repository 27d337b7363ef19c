"""What an agent wants a mail about, of tickets in the queues that they follow (A10.05, A10.06)."""

from typing import Any, get_args
from uuid import UUID

from fastapi import APIRouter, Response

from services.gateway.documents import rows
from services.gateway.documents.applied import Appliers
from services.gateway.documents.documents import Documents
from services.gateway.documents.documents_api import context_of
from services.gateway.documents.drafts import Draft
from services.gateway.preferences.following_api import own, person_in
from services.gateway.signing_in.signed_in import Reader, Writer
from shared.contracts.directory import Notice, Person
from shared.database import Connection
from shared.eventstore.errors import UnknownStream
from shared.http.bodies import Body, Flag
from shared.http.consistency import LAG
from shared.http.idempotency import json_response
from shared.http.serving.routes import router as strict

NOTICES: tuple[Notice, ...] = get_args(Notice)


class Notices(Body):
    """Whole; what is left out is not wanted. Of somebody's own tickets they are told anyhow: replies, reminders, locks that expired."""

    new_ticket: Flag = False
    follow_up: Flag = False
    lock_expired: Flag = False
    moved: Flag = False


class Wanting(Draft):
    """The person's document with other notices, and nothing else changed."""

    notices: tuple[Notice, ...]

    async def document(self, connection: Connection, document_id: UUID, current: rows.Row | None) -> Person:
        if current is None:
            raise UnknownStream(document_id)
        return person_in(current).model_copy(update={"notices": self.notices})


def router(documents: Documents, appliers: Appliers) -> APIRouter:
    routes = strict("/api/v1/session", tags=["signing in"])

    @routes.get(
        "/notices", operation_id="getMyNotices", response_model=Notices, summary="What I get mails about in my queues"
    )
    async def get_notices(signed: Reader) -> Response:
        return json_response(_shown(person_in(await own(documents, signed.identity))))

    @routes.put(
        "/notices", operation_id="putMyNotices", response_model=Notices, summary="Choose what to get mails about"
    )
    async def put_notices(signed: Writer, body: Notices) -> Response:
        row = await own(documents, signed.identity)
        wanted: tuple[Notice, ...] = tuple(each for each in NOTICES if getattr(body, each))
        saved = await documents.save("person", str(row.id), Wanting(notices=wanted), context_of(signed))
        headers = {} if await appliers.wait("person", saved.row.id, saved.row.version) else {LAG: "true"}
        return json_response(_shown(person_in(saved.row)), headers=headers)

    return routes


def _shown(person: Person) -> dict[str, Any]:
    return {each: each in person.notices for each in NOTICES}
