"""Absences over HTTP: one's own, and everybody's for administrators, since who is ill may not get to a computer."""

from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import BeforeValidator, Field

from services.gateway import document_rows
from services.gateway.documents.documents import Documents
from services.gateway.documents.documents_api import Reference, context_of
from services.gateway.documents.propagation import Propagation
from services.gateway.personal.absences import Absences, AbsenceShown, works
from services.gateway.signing_in.dependencies import Manager, Reader, Writer
from services.gateway.signing_in.sessions import Principal
from shared.contracts.directory import Absence, Person
from shared.database import Pool
from shared.http import problems
from shared.http.bodies import Body
from shared.http.headers.idempotency import json_response
from shared.http.problems import FieldError, invalid_fields
from shared.http.references import PersonNamed
from shared.http.routes import router as strict
from shared.input_types import Day, Flag
from shared.input_types import Reference as Named


def _named(value: Any) -> Any:
    """The id of a person as answers show them, so that an answer can be sent back."""
    return value["id"] if isinstance(value, dict) and value.keys() == {"id", "name"} else value


class AbsenceDraft(Body):
    """Both days belong to the absence; they are needed if it is active. The substitute is named by login, id or address,
    or as answers show them.

    If the substitute is away as well, theirs stands in too.
    """

    active: Flag
    from_: Annotated[Day | None, Field(alias="from")] = None
    to: Day | None = None
    substitute: Annotated[Named | None, BeforeValidator(_named, Named | PersonNamed | None)] = None


def router(documents: Documents, propagation: Propagation, absences: Absences) -> APIRouter:
    routes = strict("/api/v1", tags=["my settings"])

    async def saved(principal: Principal, person: Person, body: AbsenceDraft) -> Response:
        absence = await _absence(documents.store.pool, person, body)
        change = await documents.change_person(
            person.id, lambda newest: newest.model_copy(update={"absence": absence}), context_of(principal)
        )
        assert isinstance(change.row.document, Person)
        return json_response(await absences.set(change.row.document), headers=await propagation.lag(change.row))

    async def own(principal: Principal) -> Person:
        if not principal.identity.is_agent:
            raise problems.forbidden("Only agents say when they are away.")
        return await found(str(principal.identity.person_id))

    async def found(reference: str) -> Person:
        row = await document_rows.find(documents.store.pool, "person", reference)
        if row is None or row.retired or not isinstance(row.document, Person):
            raise problems.not_found()
        return row.document

    @routes.get("/session/absence", operation_id="getMyAbsence", response_model=AbsenceShown, summary="When I am away")
    async def get_own(principal: Reader) -> Response:
        return json_response(await absences.set(await own(principal)))

    @routes.put(
        "/session/absence", operation_id="putMyAbsence", response_model=AbsenceShown, summary="Say when I am away"
    )
    async def put_own(principal: Writer, body: AbsenceDraft) -> Response:
        """While you are away, rules assign nothing to you, and your substitute gets your notices too."""
        return await saved(principal, await own(principal), body)

    @routes.get(
        "/people/{reference}/absence",
        operation_id="getAbsenceOfPerson",
        response_model=AbsenceShown,
        summary="When somebody is away",
    )
    async def get_one(principal: Manager, reference: Reference) -> Response:
        return json_response(await absences.set(await found(reference)))

    @routes.put(
        "/people/{reference}/absence",
        operation_id="putAbsenceOfPerson",
        response_model=AbsenceShown,
        summary="Say when somebody is away",
    )
    async def put_one(principal: Manager, reference: Reference, body: AbsenceDraft) -> Response:
        person = await found(reference)
        if not works(person):
            raise problems.rejected("Nothing is assigned to customers, so they have no absences.")
        return await saved(principal, person, body)

    return routes


async def _absence(pool: Pool, person: Person, body: AbsenceDraft) -> Absence | None:
    """The absence that the body asks for. Raises Problem 422."""
    errors: list[FieldError] = []
    needed = body.active or body.substitute is not None
    for name, day, other in (("from", body.from_, body.to), ("to", body.to, body.from_)):
        if day is None and (needed or other is not None):
            errors.append(FieldError(f"/{name}", "This day is needed."))
    if body.from_ is not None and body.to is not None and body.to < body.from_:
        errors.append(FieldError("/to", "The last day is before the first."))
    substitute = await _substitute(pool, person, body.substitute, errors) if body.substitute is not None else None
    if errors:
        raise invalid_fields(errors)
    if body.from_ is None or body.to is None:
        return None
    return Absence(
        active=body.active,
        first_day=body.from_,
        last_day=body.to,
        substitute=substitute.id if substitute is not None else None,
    )


async def _substitute(pool: Pool, person: Person, named: str, errors: list[FieldError]) -> Person | None:
    row = await document_rows.find(pool, "person", named)
    if row is None or row.retired or not isinstance(row.document, Person):
        errors.append(FieldError("/substitute", "No such person."))
    elif row.id == person.id:
        errors.append(FieldError("/substitute", "Nobody stands in for themselves."))
    elif not works(row.document):
        errors.append(FieldError("/substitute", "A customer cannot stand in for an agent."))
    else:
        return row.document
    return None
