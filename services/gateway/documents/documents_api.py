"""Configuration documents over HTTP: the same requests for each kind (api.md, section 5)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response

from services.gateway.documents import authority, rows
from services.gateway.documents.applied import Appliers
from services.gateway.documents.document import Document
from services.gateway.documents.documents import Documents, Saved
from services.gateway.documents.drafts import Draft
from services.gateway.documents.kinds.companies import CompanyDraft
from services.gateway.documents.kinds.mailboxes import MailboxDraft
from services.gateway.documents.kinds.people import PersonDraft, named
from services.gateway.documents.kinds.queues import QueueDraft
from services.gateway.documents.kinds.setting_drafts import (
    FieldDraft,
    PriorityDraft,
    SalutationDraft,
    SignatureDraft,
    StateDraft,
    TemplateDraft,
    TopicDraft,
)
from services.gateway.documents.shapes import (
    CompanyShown,
    DocumentHistory,
    DocumentList,
    FieldShown,
    MailboxShown,
    PersonListed,
    PriorityShown,
    QueueShown,
    StateShown,
    TemplateShown,
    TextShown,
    TopicShown,
)
from services.gateway.signing_in import scopes
from services.gateway.signing_in.session_api import moment
from services.gateway.signing_in.sessions import Signed
from services.gateway.signing_in.sign_in import SignIn
from services.gateway.signing_in.signed_in import Manager, Reader
from shared.addresses import shown, shown_domain
from shared.contracts.directory import Company, DocumentKind, Person, Priority, Queue, Topic
from shared.contracts.envelope import Actor
from shared.eventstore.errors import PreconditionFailed
from shared.eventstore.store import Context
from shared.http import problems
from shared.http.bodies import Body
from shared.http.consistency import LAG
from shared.http.etag import IfMatch, etag
from shared.http.idempotency import json_response
from shared.http.paging import CursorText, Limit, page
from shared.http.serving.limits import body_limit
from shared.http.serving.routes import router as strict
from shared.rules.access import Identity, rights
from shared.telemetry.tracing import traceparent

Reference = Annotated[str, Path(max_length=254, description="slug or id")]
WithRetired = Annotated[bool, Query(description="show what is retired too (administrators)")]


@dataclass(frozen=True, slots=True)
class KindOfDocument:
    """How one kind appears in the API. `visible` says whether somebody may see a document, `view` what of it."""

    kind: DocumentKind
    path: str
    one: str
    many: str
    draft: type[Draft]
    shown: type[Body]
    visible: Callable[[Identity, rows.Row], bool]
    view: Callable[[Identity, rows.Row], dict[str, Any]] = lambda _, row: whole(row)


def whole(row: rows.Row) -> dict[str, Any]:
    """A document with what is known about it."""
    return (
        row.document.model_dump(mode="json")
        | _in_its_own_script(row.document)
        | {
            "version": row.version,
            "retired": row.retired,
            "created_at": moment(row.created_at),
            "updated_at": moment(row.updated_at),
        }
    )


def _in_its_own_script(document: Document) -> dict[str, Any]:
    """Addresses and domains as people read them; a PUT takes either spelling."""
    match document:
        case Person():
            return {"email": shown(document.email)}
        case Queue(address=str() as address):
            return {"address": shown(address)}
        case Company():
            return {"domains": [shown_domain(each) for each in document.domains]}
        case _:
            return {}


def sees_queue(who: Identity, row: rows.Row) -> bool:
    """Agents see the queues on which they have any right (A19.02)."""
    queue = row.document
    assert isinstance(queue, Queue)
    return bool(rights(who, queue.members))


def sees_person(who: Identity, row: rows.Row) -> bool:
    """Agents know everybody by name; customers see themselves."""
    return who.is_agent or row.id == who.person_id


def view_of_person(who: Identity, row: rows.Row) -> dict[str, Any]:
    person = row.document
    assert isinstance(person, Person)
    return whole(row) if who.is_admin or row.id == who.person_id else named(person)


def sees_company(who: Identity, row: rows.Row) -> bool:
    """Agents see every company, customers their own."""
    company = row.document
    assert isinstance(company, Company)
    return who.is_agent or company.slug == who.company


def sees_priority(who: Identity, row: rows.Row) -> bool:
    """Customers see those that are offered to them (A4.07)."""
    priority = row.document
    assert isinstance(priority, Priority)
    return who.is_agent or priority.offered_to_customers


def sees_topic(who: Identity, row: rows.Row) -> bool:
    """Customers see those that are offered to them."""
    topic = row.document
    assert isinstance(topic, Topic)
    return who.is_agent or topic.offered_to_customers


def view_of_topic(who: Identity, row: rows.Row) -> dict[str, Any]:
    """Where a topic leads is for administrators: it would tell others which queues exist."""
    return whole(row) if who.is_admin else whole(row) | {"queue": None}


def everybody(_who: Identity, _row: rows.Row) -> bool:
    return True


def agents(who: Identity, _row: rows.Row) -> bool:
    return who.is_agent


def administrators(who: Identity, _row: rows.Row) -> bool:
    return who.is_admin


DOCUMENT_BODY = 1 << 20
"""Bytes; a queue with all the members that one may have takes a third of that."""
DOCUMENT_VALUES = 30_000
"""Values in a document; that queue has half of that."""
KINDS = (
    KindOfDocument("queue", "queues", "Queue", "Queues", QueueDraft, QueueShown, sees_queue),
    KindOfDocument("person", "people", "Person", "People", PersonDraft, PersonListed, sees_person, view_of_person),
    KindOfDocument("company", "companies", "Company", "Companies", CompanyDraft, CompanyShown, sees_company),
    KindOfDocument("state", "states", "State", "States", StateDraft, StateShown, everybody),
    KindOfDocument("priority", "priorities", "Priority", "Priorities", PriorityDraft, PriorityShown, sees_priority),
    KindOfDocument("template", "templates", "Template", "Templates", TemplateDraft, TemplateShown, agents),
    KindOfDocument("salutation", "salutations", "Salutation", "Salutations", SalutationDraft, TextShown, agents),
    KindOfDocument("signature", "signatures", "Signature", "Signatures", SignatureDraft, TextShown, agents),
    KindOfDocument("field", "fields", "Field", "Fields", FieldDraft, FieldShown, everybody),
    KindOfDocument("mailbox", "mailboxes", "Mailbox", "Mailboxes", MailboxDraft, MailboxShown, administrators),
    KindOfDocument("topic", "topics", "Topic", "Topics", TopicDraft, TopicShown, sees_topic, view_of_topic),
)
OWN = ("queue", "person", "company")
"""The kinds of which a customer sees one document at most: themselves, or their company."""


def router(documents: Documents, sign_in: SignIn, appliers: Appliers) -> APIRouter:
    routes = strict("/api/v1", tags=["settings"])
    for kind in KINDS:
        _add(routes, kind, documents, sign_in, appliers)
    return routes


def _add(routes: APIRouter, kind: KindOfDocument, documents: Documents, sign_in: SignIn, appliers: Appliers) -> None:
    draft_type = kind.draft

    async def told(signed: Signed, saved: Saved, status: int) -> Response:
        """Answers once every service works with the new version, or says that one does not yet."""
        row = saved.row
        headers = await told_by_row(appliers, kind.kind, row, kind.path)
        if status == 204:
            return Response(status_code=204, headers=headers)
        return json_response(kind.view(signed.identity, row), status=status, headers=headers)

    async def found(signed: Signed, reference: str) -> rows.Row:
        row = await rows.find(documents.store.pool, kind.kind, reference)
        if row is None or not kind.visible(signed.identity, row):
            raise problems.not_found()
        return row

    async def refuse_old(reference: str) -> problems.Problem:
        row = await rows.find(documents.store.pool, kind.kind, reference)
        return problems.precondition_failed(whole(row) if row else None, member=kind.kind)

    @routes.get(
        f"/{kind.path}",
        operation_id=f"list{kind.many}",
        response_model=DocumentList[kind.shown],  # type: ignore[name-defined]
        summary=f"{kind.many} by name",
    )
    async def get_list(
        request: Request, signed: Reader, limit: Limit = 50, cursor: CursorText = None, retired: WithRetired = False
    ) -> Response:
        who = signed.identity
        if retired and not who.is_admin:
            raise problems.forbidden("Only administrators see what is retired.")
        if kind.visible is administrators and not who.is_admin:
            raise problems.forbidden(f"Only administrators see {kind.many.lower()}.")
        cursors = request.app.state.cursors
        query = [kind.path, retired]
        position = cursors.decode(who, query, cursor)
        if not who.is_agent and kind.kind in OWN:
            reference = {"person": str(who.person_id), "company": who.company}.get(kind.kind)
            own = await rows.find(documents.store.pool, kind.kind, reference) if reference else None
            return json_response(page([kind.view(who, own)] if own and kind.visible(who, own) else [], None))
        member = who.person_id if kind.kind == "queue" and not who.is_admin else None
        after = (position[0], UUID(position[1])) if position else None
        items = await rows.listed(
            documents.store.pool, kind.kind, retired=retired, after=after, member=member, limit=limit + 1
        )
        last = items[limit - 1] if len(items) > limit else None
        following = cursors.encode(who, query, [rows.slug_of(last.document), str(last.id)]) if last else None
        return json_response(page([kind.view(who, row) for row in items[:limit] if kind.visible(who, row)], following))

    @routes.get(
        f"/{kind.path}/{{reference}}",
        operation_id=f"get{kind.one}",
        response_model=kind.shown,
        summary=f"One {kind.kind}",
    )
    async def get_one(reference: Reference, signed: Reader) -> Response:
        row = await found(signed, reference)
        return json_response(kind.view(signed.identity, row), headers={"ETag": etag(row.version)})

    @routes.put(
        f"/{kind.path}/{{reference}}",
        operation_id=f"put{kind.one}",
        response_model=kind.shown,
        responses={201: {"model": kind.shown}},
        summary=f"Save a whole {kind.kind}",
    )
    @body_limit(DOCUMENT_BODY, values=DOCUMENT_VALUES)
    async def put_one(reference: Reference, signed: Manager, expected: IfMatch, body: draft_type) -> Response:  # type: ignore[valid-type]
        draft: Draft = body
        password_hash: str | None = None
        if isinstance(draft, PersonDraft) and draft.password is not None:
            scopes.require_proof(signed)
            row = await rows.find(documents.store.pool, "person", reference)
            known = row.document if row is not None and isinstance(row.document, Person) else None
            if known is None or not await sign_in.same(known, draft.password):
                password_hash = await sign_in.passwords.hash(draft.password)
        try:
            saved = await documents.save(
                kind.kind,
                reference,
                draft,
                context_of(signed),
                expected=expected,
                password_hash=password_hash,
                keep_session=signed.session,
                guard=authority.administrators(signed),
            )
        except PreconditionFailed as error:
            raise await refuse_old(reference) from error
        return await told(signed, saved, 201 if saved.created else 200)

    @routes.delete(
        f"/{kind.path}/{{reference}}",
        status_code=204,
        operation_id=f"retire{kind.one}",
        summary=f"Take a {kind.kind} out of use",
    )
    async def delete_one(reference: Reference, signed: Manager, expected: IfMatch) -> Response:
        try:
            saved = await documents.retire(kind.kind, reference, context_of(signed), expected=expected)
        except PreconditionFailed as error:
            raise await refuse_old(reference) from error
        return await told(signed, saved, 204)

    @routes.get(
        f"/{kind.path}/{{reference}}/history",
        operation_id=f"get{kind.one}History",
        response_model=DocumentHistory,
        summary=f"Every version of a {kind.kind}, oldest first",
    )
    async def get_history(
        request: Request, reference: Reference, signed: Reader, limit: Limit = 50, cursor: CursorText = None
    ) -> Response:
        who = signed.identity
        row = await found(signed, reference)
        if not who.is_admin:
            raise problems.forbidden("Only administrators see the history of settings.")
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
                "at": moment(event.time),
                "actor": {"kind": event.actor.kind, "id": event.actor.id},
                "data": event.payload.model_dump(mode="json"),
            }
            for event in events[:limit]
        ]
        more = len(events) > limit
        return json_response(
            page(items, cursors.encode(who, [kind.path, str(row.id)], [events[limit - 1].version]) if more else None)
        )


async def told_by_row(appliers: Appliers, kind: DocumentKind, row: rows.Row, path: str) -> dict[str, str]:
    """The headers of an answer about a saved document, once every service works with it, or with a word that one does not yet."""
    headers = {"ETag": etag(row.version), "Location": f"/api/v1/{path}/{rows.slug_of(row.document)}"}
    if not await appliers.wait(kind, row.id, row.version):
        headers[LAG] = "true"
    return headers


def context_of(signed: Signed) -> Context:
    """Who changed a setting, for its event."""
    who = signed.identity
    return Context(
        actor=Actor("agent" if who.is_agent else "customer", str(who.person_id)),
        traceparent=traceparent(),
    )
