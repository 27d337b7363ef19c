"""What an agent wants mails about (A10.05, A10.06). The list of notices holds all of them, whatever is chosen here."""

from typing import Any, get_args

from fastapi import APIRouter, Response

from services.gateway.account.following_api import own, person_in
from services.gateway.documents.documents import Documents
from services.gateway.documents.documents_api import context_of
from services.gateway.documents.propagation import Propagation
from services.gateway.signing_in.dependencies import Reader, Writer
from shared.contracts.directory import Notice, Person
from shared.http.bodies import Body
from shared.http.headers.idempotency import json_response
from shared.http.routes import router as strict
from shared.input_types import Flag

NOTICES: tuple[Notice, ...] = get_args(Notice)


class Notices(Body):
    """The whole choice; what is left out is false.

    `new_ticket`, `follow_up`, `lock_expired`, `moved` and `escalated` (a deadline is near or over) are about the tickets
    in one's queues. `assigned`: a ticket became one's own by somebody else, or by a rule. Mails about replies,
    reminders and expired locks of one's own tickets always come; those about their deadlines come with `escalated`.
    """

    new_ticket: Flag = False
    follow_up: Flag = False
    lock_expired: Flag = False
    moved: Flag = False
    assigned: Flag = False
    escalated: Flag = False


def router(documents: Documents, propagation: Propagation) -> APIRouter:
    routes = strict("/api/v1/session", tags=["signing in"])

    @routes.get(
        "/notices", operation_id="getMyNotices", response_model=Notices, summary="What I get mails about in my queues"
    )
    async def get_notices(principal: Reader) -> Response:
        return json_response(_shown(person_in(await own(documents, principal.identity))))

    @routes.put(
        "/notices", operation_id="putMyNotices", response_model=Notices, summary="Choose what to get mails about"
    )
    async def put_notices(principal: Writer, body: Notices) -> Response:
        row = await own(documents, principal.identity)
        wanted: tuple[Notice, ...] = tuple(each for each in NOTICES if getattr(body, each))
        saved = await documents.change_person(
            row.id, lambda person: person.model_copy(update={"notices": wanted}), context_of(principal)
        )
        return json_response(_shown(person_in(saved.row)), headers=await propagation.lag(saved.row))

    return routes


def _shown(person: Person) -> dict[str, Any]:
    return {each: each in person.notices for each in NOTICES}
