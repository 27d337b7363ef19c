"""Customers for agents (A21.12): search and change their records. Also the three built-in roles."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response

from services.gateway import document_rows
from services.gateway.documents import authority
from services.gateway.documents.documents import Documents
from services.gateway.documents.documents_api import DocumentList, Reference, context_of, headers_of_saved, whole
from services.gateway.documents.kinds import people
from services.gateway.documents.propagation import Propagation
from services.gateway.signing_in.dependencies import Reader, Writer
from shared.contracts.directory import Person
from shared.database import Pool
from shared.eventstore.errors import PreconditionFailed
from shared.http import problems
from shared.http.bodies import Body, example
from shared.http.headers.etag import IfMatch, etag
from shared.http.headers.idempotency import json_response
from shared.http.paging import CursorText, Limit, page
from shared.http.routes import router as strict
from shared.rules.access import Identity

ROLES = {
    "admin": "changes the configuration, sees and works on every ticket",
    "agent": "works on tickets of the queues on which they have rights",
    "customer": "sees and writes on own tickets and those of their company",
}


class RoleShown(Body):
    model_config = example({"slug": "agent", "meaning": ROLES["agent"]})

    slug: str
    meaning: str


def router(documents: Documents, propagation: Propagation, reads: Pool) -> APIRouter:
    routes = strict("/api/v1", tags=["settings"])

    @routes.get(
        "/roles", operation_id="listRoles", response_model=DocumentList[RoleShown], summary="The roles of people"
    )
    async def get_roles(principal: Reader) -> Response:
        return json_response(page([{"slug": slug, "meaning": meaning} for slug, meaning in ROLES.items()], None))

    @routes.get("/roles/{role}", operation_id="getRole", response_model=RoleShown, summary="One role")
    async def get_role(role: Annotated[str, Path(max_length=64)], principal: Reader) -> Response:
        if role not in ROLES:
            raise problems.not_found()
        return json_response({"slug": role, "meaning": ROLES[role]})

    @routes.get(
        "/customers",
        operation_id="listCustomers",
        response_model=DocumentList[people.SHOWN],  # type: ignore[valid-type]
        summary="Customers, found by words or company",
    )
    async def get_customers(
        request: Request,
        principal: Reader,
        q: Annotated[
            str, Query(max_length=200, description="The beginning of an address or login, or a part of a name.")
        ] = "",
        company: Annotated[str | None, Query(max_length=64, description="The slug of a company.")] = None,
        limit: Limit = 50,
        cursor: CursorText = None,
    ) -> Response:
        who = _agent(principal.identity)
        cursors = request.app.state.cursors
        query = ["customers", q, company]
        position = cursors.decode(who, query, cursor)
        after = (position[0], UUID(position[1])) if position else None
        found = await document_rows.customers(reads, q.strip(), company, after=after, limit=limit + 1)
        last = found[limit - 1] if len(found) > limit else None
        following = cursors.encode(who, query, [last.document.url_name, str(last.id)]) if last else None
        return json_response(page([_shown(row) for row in found[:limit]], following))

    @routes.get(
        "/customers/{reference}",
        operation_id="getCustomer",
        response_model=people.SHOWN,
        summary="One customer's record",
    )
    async def get_customer(reference: Reference, principal: Reader) -> Response:
        _agent(principal.identity)
        row = await document_rows.find(documents.store.pool, "person", reference)
        if row is None or row.retired or "customer" not in _person(row).roles:
            raise problems.not_found()
        return json_response(_shown(row), headers={"ETag": etag(row.version)})

    @routes.put(
        "/customers/{reference}",
        operation_id="putCustomer",
        response_model=people.SHOWN,
        responses={201: {"model": people.SHOWN}},
        summary="Save a customer's whole record",
    )
    async def put_customer(
        reference: Reference,
        principal: Writer,
        expected: IfMatch,
        body: people.CUSTOMER_DRAFT,  # type: ignore[valid-type]
    ) -> Response:
        """Agents change the records of customers. Only administrators change people with another role, the company of a
        customer, and the login and address of a customer who can sign in."""
        record: Body = body
        _agent(principal.identity)
        known = await document_rows.find(documents.store.pool, "person", reference)
        if known is not None and _person(known).roles != ("customer",):
            raise problems.forbidden("Only administrators change people with another role than customer.")
        if known is not None and known.retired:
            raise problems.forbidden("Only administrators bring a retired person back.")
        draft = people.KIND.draft.model_validate(record.model_dump() | {"roles": ["customer"]})
        guard, context = authority.agents(principal), context_of(principal)
        try:
            saved = await documents.save(people.KIND, reference, draft, context, expected=expected, guard=guard)
        except PreconditionFailed as error:
            row = await document_rows.find(documents.store.pool, "person", reference)
            raise problems.precondition_failed(_shown(row) if row else None, member="person") from error
        headers = await headers_of_saved(propagation, saved.row, "customers")
        return json_response(_shown(saved.row), status=201 if saved.created else 200, headers=headers)

    return routes


def _agent(who: Identity) -> Identity:
    if not who.is_agent:
        raise problems.forbidden("Only agents see the records of customers.")
    return who


def _person(row: document_rows.Row) -> Person:
    assert isinstance(row.document, Person)
    return row.document


def _shown(row: document_rows.Row) -> dict[str, Any]:
    return {name: value for name, value in whole(row).items() if name not in ("follows", "notices", "absence")}
