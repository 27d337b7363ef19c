"""Customers as agents keep them (A21.12): found by address, name or company; their records made and changed. Roles are the three that are built in."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field

from services.gateway.documents import authority, rows
from services.gateway.documents.applied import Appliers
from services.gateway.documents.documents import Documents
from services.gateway.documents.documents_api import Reference, context_of, told_by_row, whole
from services.gateway.documents.kinds.people import PersonDraft
from services.gateway.documents.names import Login, MailAddress, Title
from services.gateway.documents.names import Reference as Name
from services.gateway.documents.shapes import DocumentList, PersonListed
from services.gateway.signing_in.signed_in import Reader, Writer
from shared.contracts.directory import Person
from shared.eventstore.errors import PreconditionFailed
from shared.http import problems
from shared.http.bodies import Body
from shared.http.etag import IfMatch, etag
from shared.http.idempotency import json_response
from shared.http.paging import CursorText, Limit, page
from shared.http.serving.routes import router as strict
from shared.rules.access import Identity

ROLES = {
    "admin": "changes settings, sees and works on every ticket",
    "agent": "works on tickets of the queues on which they have rights",
    "customer": "sees and writes on own tickets and those of their company",
}


class CustomerDraft(Body):
    """A customer's record, whole."""

    login: Login
    name: Title
    email: MailAddress
    company: Annotated[Name | None, Field(description="by slug or id")] = None
    language: Annotated[
        str | None, Field(strict=True, max_length=35, pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$")
    ] = None


class RoleShown(Body):
    slug: str
    meaning: str


def router(documents: Documents, appliers: Appliers) -> APIRouter:
    routes = strict("/api/v1", tags=["settings"])

    @routes.get(
        "/roles", operation_id="listRoles", response_model=DocumentList[RoleShown], summary="The kinds of people"
    )
    async def get_roles(signed: Reader) -> Response:
        return json_response(page([{"slug": slug, "meaning": meaning} for slug, meaning in ROLES.items()], None))

    @routes.get("/roles/{role}", operation_id="getRole", response_model=RoleShown, summary="One kind of people")
    async def get_role(role: Annotated[str, Path(max_length=64)], signed: Reader) -> Response:
        if role not in ROLES:
            raise problems.not_found()
        return json_response({"slug": role, "meaning": ROLES[role]})

    @routes.get(
        "/customers",
        operation_id="listCustomers",
        response_model=DocumentList[PersonListed],
        summary="Customers, found by words or company",
    )
    async def get_customers(
        request: Request,
        signed: Reader,
        q: Annotated[
            str, Query(max_length=200, description="how an address or login begins, or a part of a name")
        ] = "",
        company: Annotated[str | None, Query(max_length=64, description="a company's slug")] = None,
        limit: Limit = 50,
        cursor: CursorText = None,
    ) -> Response:
        who = _agent(signed.identity)
        cursors = request.app.state.cursors
        query = ["customers", q, company]
        position = cursors.decode(who, query, cursor)
        after = (position[0], UUID(position[1])) if position else None
        found = await rows.customers(documents.store.pool, q.strip(), company, after=after, limit=limit + 1)
        last = found[limit - 1] if len(found) > limit else None
        following = cursors.encode(who, query, [rows.slug_of(last.document), str(last.id)]) if last else None
        return json_response(page([_shown(row) for row in found[:limit]], following))

    @routes.get(
        "/customers/{reference}",
        operation_id="getCustomer",
        response_model=PersonListed,
        summary="One customer's record",
    )
    async def get_customer(reference: Reference, signed: Reader) -> Response:
        _agent(signed.identity)
        row = await rows.find(documents.store.pool, "person", reference)
        if row is None or row.retired or "customer" not in _person(row).roles:
            raise problems.not_found()
        return json_response(_shown(row), headers={"ETag": etag(row.version)})

    @routes.put(
        "/customers/{reference}",
        operation_id="putCustomer",
        response_model=PersonListed,
        responses={201: {"model": PersonListed}},
        summary="Save a customer's whole record",
    )
    async def put_customer(reference: Reference, signed: Writer, expected: IfMatch, body: CustomerDraft) -> Response:
        """An agent changes what a record says, never what somebody may do or who signs in as them: people with another role are for
        administrators, and so are a customer's company and the login and address of one who can sign in."""
        _agent(signed.identity)
        known = await rows.find(documents.store.pool, "person", reference)
        if known is not None and _person(known).roles != ("customer",):
            raise problems.forbidden("Only administrators change people who are more than customers.")
        if known is not None and known.retired:
            raise problems.forbidden("Only administrators bring somebody back.")
        draft = PersonDraft(
            login=body.login, name=body.name, email=body.email, roles=["customer"], company=body.company, language=body.language
        )  # fmt: skip
        try:
            guard = authority.agents(signed)
            saved = await documents.save("person", reference, draft, context_of(signed), expected=expected, guard=guard)
        except PreconditionFailed as error:
            row = await rows.find(documents.store.pool, "person", reference)
            raise problems.precondition_failed(_shown(row) if row else None, member="person") from error
        headers = await told_by_row(appliers, "person", saved.row, "customers")
        return json_response(_shown(saved.row), status=201 if saved.created else 200, headers=headers)

    return routes


def _agent(who: Identity) -> Identity:
    if not who.is_agent:
        raise problems.forbidden("Customers' records are the desk's.")
    return who


def _person(row: rows.Row) -> Person:
    assert isinstance(row.document, Person)
    return row.document


def _shown(row: rows.Row) -> dict[str, Any]:
    return {name: value for name, value in whole(row).items() if name not in ("follows", "notices")}
