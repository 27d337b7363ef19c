"""Configuration documents over HTTP: the same requests for each kind."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response

from services.gateway import document_rows
from services.gateway.account_mails import Told
from services.gateway.documents import authority
from services.gateway.documents.documents import Documents, NewPassword, SamePassword, Saved
from services.gateway.documents.draft import Draft
from services.gateway.documents.kind import Kind, administrators, one_spoken, spoken
from services.gateway.documents.kinds import (
    automation,
    clocks,
    companies,
    fields,
    mailboxes,
    people,
    queues,
    report_schedules,
    states,
    texts,
    topics,
)
from services.gateway.documents.propagation import Propagation
from services.gateway.signing_in import scopes
from services.gateway.signing_in.dependencies import Manager, Reader
from services.gateway.signing_in.sessions import Principal
from services.gateway.signing_in.sign_in import SignIn
from shared.addresses import shown, shown_domain
from shared.contracts.directory import Company, Person, Queue
from shared.contracts.envelope import Actor
from shared.contracts.marks.declaration import Document, DocumentKind
from shared.eventstore.errors import PreconditionFailed
from shared.eventstore.store import Context
from shared.http import problems, story
from shared.http.bodies import Body, example
from shared.http.headers.etag import IfMatch, etag
from shared.http.headers.idempotency import json_response
from shared.http.paging import CursorText, Limit, page
from shared.http.routes import router as strict
from shared.http.serving.limits import body_limit
from shared.rules.access import Identity
from shared.telemetry.tracing import traceparent
from shared.timestamps import timestamp

Item = TypeVar("Item", bound=Body)
Reference = Annotated[str, Path(max_length=254, description="Slug or id.")]
Version = Annotated[
    int | None,
    Query(ge=1, le=2**31 - 1, description="Shows it as it was saved with this version (administrators only)."),
]
WithRetired = Annotated[bool, Query(description="Shows retired ones too (administrators only).")]


KINDS: tuple[Kind[Any], ...] = (
    queues.KIND,
    people.KIND,
    companies.KIND,
    states.STATE,
    states.PRIORITY,
    texts.TEMPLATE,
    texts.SALUTATION,
    texts.SIGNATURE,
    fields.KIND,
    mailboxes.KIND,
    topics.KIND,
    report_schedules.KIND,
    clocks.CALENDAR,
    clocks.SLA,
    automation.TRIGGER,
    automation.MACRO,
)
Trial = Callable[[Identity, Draft], Awaitable[None]]
"""Asks another service, before a draft is saved, whether it accepts it. Raises Problem."""
More = Callable[[Identity, Sequence[Document]], Awaitable[Mapping[UUID, dict[str, Any]]]]
"""What answers say of documents beyond their fields, by id, to whoever asks."""
OWN = ("queue", "person", "company")
"""The kinds of which a customer sees at most one document: themselves, or their company."""
DOCUMENT_BODY = 1 << 20
"""Bytes. A queue with the largest number of members takes a third of that."""
DOCUMENT_VALUES = 30_000
"""Values in a document. That queue has half of that."""


class ActorShown(Body):
    model_config = example({"kind": "agent", "id": story.AGENT["id"]})

    kind: str
    id: str | None


class DocumentEvent(Body):
    """One saved version; `data` is the payload of the event."""

    model_config = example(
        {
            "id": story.EVENT,
            "type": "helpdesk.CompanySaved.v1",
            "source": "gateway",
            "version": 1,
            "at": story.OPENED_AT,
            "actor": {"kind": "agent", "id": story.AGENT["id"]},
            "data": {"company": story.COMPANY | {"domains": ["acme.example"]}},
        }
    )

    id: UUID
    type: str
    source: str
    version: int
    at: datetime
    actor: ActorShown
    data: dict[str, Any]


class DocumentHistory(Body):
    items: list[DocumentEvent]
    next_cursor: str | None


class DocumentList(Body, Generic[Item]):
    items: list[Item]
    next_cursor: str | None


def whole(row: document_rows.Row) -> dict[str, Any]:
    """A document as the API shows it to administrators."""
    return (
        row.document.model_dump(mode="json")
        | _readable_addresses(row.document)
        | {
            "version": row.version,
            "retired": row.retired,
            "created_at": timestamp(row.created_at),
            "updated_at": timestamp(row.updated_at),
        }
    )


def _readable_addresses(document: Document) -> dict[str, Any]:
    """International addresses and domains in their own script. A PUT takes either spelling."""
    match document:
        case Person():
            return {"email": shown(document.email)}
        case Queue(address=str() as address):
            return {"address": shown(address)}
        case Company():
            return {"domains": [shown_domain(each) for each in document.domains]}
        case _:
            return {}


def router(
    documents: Documents,
    sign_in: SignIn,
    propagation: Propagation,
    trials: Mapping[DocumentKind, Trial],
    more: Mapping[DocumentKind, Sequence[More]],
) -> APIRouter:
    """`trials`: of the kinds that another service has to accept. `more`: of those whose answers say more than their
    documents."""
    routes = strict("/api/v1", tags=["settings"])
    for kind in KINDS:
        _add(routes, kind, documents, sign_in, propagation, trials.get(kind.model.KIND), more.get(kind.model.KIND, ()))
    return routes


def _add(
    routes: APIRouter,
    kind: Kind[Any],
    documents: Documents,
    sign_in: SignIn,
    propagation: Propagation,
    trial: Trial | None,
    more: Sequence[More],
) -> None:
    draft_type, name = kind.draft, kind.model.KIND

    async def views(principal: Principal, rows: Sequence[document_rows.Row]) -> list[dict[str, Any]]:
        who = principal.identity
        answers = {row.id: kind.view(who, row.document, whole(row)) for row in rows}
        for beside in more:
            for document, known in (await beside(who, [row.document for row in rows])).items():
                answers[document] |= known
        return list(answers.values())

    async def view(principal: Principal, row: document_rows.Row) -> dict[str, Any]:
        return (await views(principal, [row]))[0]

    async def answered(principal: Principal, saved: Saved, status: int) -> Response:
        """Answers once every service works with the new version, else with a header that says so."""
        row = saved.row
        headers = await headers_of_saved(propagation, row, kind.path)
        if status == 204:
            return Response(status_code=204, headers=headers)
        return json_response(await view(principal, row), status=status, headers=headers)

    async def found(principal: Principal, reference: str) -> document_rows.Row:
        who = principal.identity
        row = await document_rows.find(documents.store.pool, name, reference)
        if row is None or not kind.visible(who, row.document):
            raise problems.not_found()
        if kind.by_queue and not who.is_admin and not await document_rows.offered(documents.store.pool, row, who):
            raise problems.not_found()
        return row

    def require_administrator_of_hidden_kind(who: Identity) -> None:
        if kind.visible is administrators and not who.is_admin:
            raise problems.forbidden(f"Only administrators see {spoken(kind.path)}.")

    async def outdated(principal: Principal, reference: str) -> problems.Problem:
        row = await document_rows.find(documents.store.pool, name, reference)
        return problems.precondition_failed(await view(principal, row) if row else None, member=name)

    @routes.get(
        f"/{kind.path}",
        operation_id=f"list{kind.many}",
        response_model=DocumentList[kind.shown],  # type: ignore[name-defined]
        summary=f"{spoken(kind.path)[0].upper()}{spoken(kind.path)[1:]} by name",
    )
    async def get_list(
        request: Request, principal: Reader, limit: Limit = 50, cursor: CursorText = None, retired: WithRetired = False
    ) -> Response:
        who = principal.identity
        if retired and not who.is_admin:
            raise problems.forbidden("Only administrators see retired documents.")
        require_administrator_of_hidden_kind(who)
        cursors = request.app.state.cursors
        query = [kind.path, retired]
        position = cursors.decode(who, query, cursor)
        if not who.is_agent and name in OWN:
            reference = {"person": str(who.person_id), "company": who.company}.get(name)
            own = await document_rows.find(documents.store.pool, name, reference) if reference else None
            visible = own is not None and kind.visible(who, own.document)
            return json_response(page(await views(principal, [own]) if own is not None and visible else [], None))
        limited = name == "queue" or kind.by_queue
        member = who.person_id if limited and not who.is_admin else None
        after = (position[0], UUID(position[1])) if position else None
        items = await document_rows.listed(
            documents.store.pool,
            name,
            retired=retired,
            after=after,
            member=member,
            limit=limit + 1,
            by_queue=kind.by_queue,
        )
        last = items[limit - 1] if len(items) > limit else None
        following = cursors.encode(who, query, [last.document.url_name, str(last.id)]) if last else None
        visible_rows = [row for row in items[:limit] if kind.visible(who, row.document)]
        return json_response(page(await views(principal, visible_rows), following))

    @routes.get(
        f"/{kind.path}/{{reference}}",
        operation_id=f"get{kind.one}",
        response_model=kind.shown,
        summary=f"One {spoken(name)}",
    )
    async def get_one(reference: Reference, principal: Reader, version: Version = None) -> Response:
        row = await found(principal, reference)
        if version is None:
            return json_response(await view(principal, row), headers={"ETag": etag(row.version)})
        if not principal.identity.is_admin:
            raise problems.forbidden("Only administrators see earlier versions of a document.")
        then = await documents.at(row, version)
        if then is None:
            raise problems.not_found("There is no such version.")
        return json_response(await view(principal, then))

    @routes.put(
        f"/{kind.path}/{{reference}}",
        operation_id=f"put{kind.one}",
        response_model=kind.shown,
        responses={201: {"model": kind.shown}},
        summary=f"Save a whole {spoken(name)}",
    )
    @body_limit(DOCUMENT_BODY, values=DOCUMENT_VALUES)
    async def put_one(
        reference: Reference,
        principal: Manager,
        expected: IfMatch,
        body: draft_type,  # type: ignore[valid-type]
    ) -> Response:
        draft: Draft = body
        password: NewPassword | SamePassword | None = None
        if isinstance(draft, people.DraftWithPassword) and draft.password is not None:
            scopes.require_proof(principal)
            row = await document_rows.find(documents.store.pool, "person", reference)
            known = row.document if row is not None and isinstance(row.document, Person) else None
            if known is not None and await sign_in.same(known, draft.password):
                password = SamePassword(bool(draft.password_must_change))
            else:
                password = NewPassword(
                    await sign_in.passwords.hash(draft.password),
                    keep_session=principal.session,
                    must_change=bool(draft.password_must_change),
                    told=_told(principal, known),
                )
        if trial is not None:
            await trial(principal.identity, draft)
        guard = authority.administrators(principal)
        try:
            saved = await documents.save(
                kind, reference, draft, context_of(principal), expected=expected, password=password, guard=guard
            )
        except PreconditionFailed as error:
            raise await outdated(principal, reference) from error
        return await answered(principal, saved, 201 if saved.created else 200)

    @routes.delete(
        f"/{kind.path}/{{reference}}",
        status_code=204,
        operation_id=f"retire{kind.one}",
        summary=f"Take {one_spoken(name)} out of use",
    )
    async def delete_one(reference: Reference, principal: Manager, expected: IfMatch) -> Response:
        try:
            saved = await documents.retire(name, reference, context_of(principal), expected=expected)
        except PreconditionFailed as error:
            raise await outdated(principal, reference) from error
        return await answered(principal, saved, 204)

    @routes.get(
        f"/{kind.path}/{{reference}}/history",
        operation_id=f"get{kind.one}History",
        response_model=DocumentHistory,
        summary=f"Every version of {one_spoken(name)}, oldest first",
    )
    async def get_history(
        request: Request, reference: Reference, principal: Reader, limit: Limit = 50, cursor: CursorText = None
    ) -> Response:
        who = principal.identity
        require_administrator_of_hidden_kind(who)
        row = await found(principal, reference)
        if not who.is_admin:
            raise problems.forbidden("Only administrators see the history of a document.")
        cursors = request.app.state.cursors
        position = cursors.decode(who, [kind.path, str(row.id)], cursor)
        after = int(position[0]) if position else 0
        events = [event for event in await documents.store.load(row.id) if event.version > after]
        items = [
            {
                "id": str(event.id),
                "type": event.type,
                "source": event.source,
                "version": event.version,
                "at": timestamp(event.time),
                "actor": {"kind": event.actor.kind, "id": event.actor.id},
                "data": event.payload.model_dump(mode="json"),
            }
            for event in events[:limit]
        ]
        more = len(events) > limit
        return json_response(
            page(items, cursors.encode(who, [kind.path, str(row.id)], [events[limit - 1].version]) if more else None)
        )


def _told(principal: Principal, person: Person | None) -> Told | None:
    """Which mail tells a person of a password that was set with their document; a new person gets none."""
    if person is None:
        return None
    return "password_changed" if person.id == principal.identity.person_id else "password_set"


async def headers_of_saved(propagation: Propagation, row: document_rows.Row, path: str) -> dict[str, str]:
    """Waits until every service works with the saved document; the headers tell if one does not yet."""
    known = {"ETag": etag(row.version), "Location": f"/api/v1/{path}/{row.document.url_name}"}
    return known | await propagation.lag(row)


def context_of(principal: Principal) -> Context:
    """Who changes a document, for its event."""
    who = principal.identity
    return Context(
        actor=Actor("agent" if who.is_agent else "customer", str(who.person_id)),
        traceparent=traceparent(),
    )
