"""`GET /suggest`: what somebody may mean, as they type (A11.05, A11.10)."""

import asyncio
from collections.abc import Awaitable
from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlencode
from uuid import UUID

import orjson
from fastapi import APIRouter, Query, Response

from services.gateway import document_names, document_rows
from services.gateway.account.saved_searches import SavedSearches
from services.gateway.documents.kinds import queues, topics
from services.gateway.documents.kinds.people import AbsenceNow
from services.gateway.personal.absences import Absences
from services.gateway.service_client import ServiceClient
from services.gateway.signing_in.dependencies import Reader
from shared.contracts.directory import Company, Person, Queue, Topic
from shared.contracts.marks.declaration import Document
from shared.database import Pool
from shared.http import problems
from shared.http.bodies import Body, example
from shared.http.headers.idempotency import json_response
from shared.http.routes import router as strict
from shared.http.routes import takes_any_text
from shared.http.story import NUMBER, TICKET, TITLE
from shared.rules.access import Identity

Kind = Literal["ticket", "customer", "company", "queue", "search", "answer", "person", "tag", "topic", "address"]
KINDS: tuple[Kind, ...] = get_args(Kind)
IN_REPORTING: frozenset[Kind] = frozenset(("ticket", "tag", "address"))
NAMED: frozenset[Kind] = frozenset(("customer", "person", "company", "queue", "topic"))
HIDDEN_FROM_SOME: frozenset[Kind] = frozenset(("queue", "topic"))
FOR_CUSTOMERS: frozenset[Kind] = frozenset(("ticket", "search", "answer", "topic"))
"""What customers get: no people, no customers, no queues, and no words that only the desk uses."""
MOST = 10
"""Suggestions of each kind."""
LONGEST = 200
"""Characters of a question that count: nobody types more for a suggestion."""


class Suggestion(Body):
    """`label` is what to show, `detail` what tells it from others of the same label; `id` names it in other requests.

    A `person` has an `absence` while they are away.
    """

    model_config = example({"kind": "ticket", "id": TICKET, "label": TITLE, "detail": NUMBER})

    kind: Kind
    id: str
    label: str
    detail: str
    absence: AbsenceNow | None = None


class Suggestions(Body):
    items: list[Suggestion]


def router(pool: Pool, services: ServiceClient, absences: Absences) -> APIRouter:
    routes = strict("/api/v1", tags=["search"])
    searches = SavedSearches(pool)

    @routes.get(
        "/suggest", operation_id="suggest", response_model=Suggestions, summary="What you may mean, as you type"
    )
    @takes_any_text("q")
    async def suggest(
        principal: Reader,
        q: Annotated[str, Query(max_length=20_000, description="What was typed so far: beginnings of words.")] = "",
        kinds: Annotated[
            str | None, Query(max_length=200, description=f"A comma list of kinds: {', '.join(KINDS)}. All by default.")
        ] = None,
    ) -> Response:
        """At most ten of each kind. Only what you may see is suggested."""
        who = principal.identity
        wanted = _kinds(kinds)
        text = q[:LONGEST].replace("\x00", " ").strip()  # PostgreSQL has no NUL in texts
        if not who.is_agent:
            wanted = list[Kind](kind for kind in wanted if kind in FOR_CUSTOMERS)
        if not text or not wanted:
            return json_response({"items": []})
        asked: list[Awaitable[list[dict[str, Any]]]] = []
        elsewhere: list[Kind] = [kind for kind in wanted if kind in IN_REPORTING]
        if elsewhere:
            asked.append(_from_reporting(services, who, text, elsewhere))
        if "search" in wanted:
            asked.append(_saved(searches, who, text))
        named = list[Kind](kind for kind in wanted if kind in NAMED)
        if named:
            asked.append(_documents(pool, absences, who, named, text))
        found = [each for part in await asyncio.gather(*asked) for each in part]
        return json_response({"items": sorted(found, key=lambda each: wanted.index(each["kind"]))})

    return routes


def _kinds(named: str | None) -> list[Kind]:
    """The kinds that are named, in that order. Raises Problem 422 for an unknown one."""
    if named is None:
        return list(KINDS)
    known: dict[str, Kind] = {kind: kind for kind in KINDS}
    wanted = [each.strip() for each in named.split(",") if each.strip()]
    unknown = next((each for each in wanted if each not in known), None)
    if unknown is not None:
        raise problems.invalid("/query/kinds", f"There is no kind {unknown[:50]!r}. Known are {', '.join(KINDS)}.")
    return list(dict.fromkeys(known[each] for each in wanted))


async def _from_reporting(services: ServiceClient, who: Identity, text: str, kinds: list[Kind]) -> list[dict[str, Any]]:
    query = urlencode({"q": text, "kinds": ",".join(kinds), "limit": MOST})
    answer = await services.call("GET", "reporting", f"/internal/suggestions?{query}", who)
    if answer.status != 200:
        raise problems.unavailable("Suggestions cannot be made now. Try again.")
    items: list[dict[str, Any]] = orjson.loads(answer.content)["items"]
    return items


async def _saved(searches: SavedSearches, who: Identity, text: str) -> list[dict[str, Any]]:
    readable = await searches.readable_queues(who)
    found = await searches.beginning(who, list(readable), text, MOST)
    return [_item("search", each.slug, each.name, each.slug) for each in found]


async def _documents(
    pool: Pool, absences: Absences, who: Identity, kinds: list[Kind], text: str
) -> list[dict[str, Any]]:
    """Documents that this person may see. There may be many hidden queues and topics, but not so many that all of them
    could not be looked through."""
    most: dict[str, int] = {kind: MOST if kind not in HIDDEN_FROM_SOME else document_names.CANDIDATES for kind in kinds}
    named = await document_names.beginning(pool, most, text)
    documents = {row.id: row.document for row in await document_rows.in_use(pool, [each for _, each in named])}
    found: dict[str, list[dict[str, Any]]] = {kind: [] for kind in kinds}
    for kind, identifier in named:
        document = documents.get(identifier)
        if document is not None and len(found[kind]) < MOST and _visible(who, document):
            found[kind].append(_shown(kind, document))
    people = [UUID(each["id"]) for each in found.get("person", [])]
    away = await absences.now([person for each in people if isinstance(person := documents[each], Person)])
    for each in found.get("person", []):
        each["absence"] = away[UUID(each["id"])]
    return [each for items in found.values() for each in items]


def _visible(who: Identity, document: Document) -> bool:
    match document:
        case Queue():
            return queues.visible(who, document)
        case Topic():
            return topics.visible(who, document)
        case _:
            return who.is_agent


def _shown(kind: str, document: Document) -> dict[str, Any]:
    match document:
        case Person():
            detail = document.email if kind == "customer" else document.login
            return _item(kind, str(document.id), document.name, detail)
        case Company() | Queue() | Topic():
            return _item(kind, str(document.id), document.name, document.slug)
        case _:
            raise AssertionError(f"{document.KIND} has no names")


def _item(kind: str, identifier: str, label: str, detail: str) -> dict[str, Any]:
    return {"kind": kind, "id": identifier, "label": label, "detail": detail}
