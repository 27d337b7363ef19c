"""Saved searches: one's own, and those that are shared with the members of a queue (A11.06, A11.11)."""

from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import APIRouter, Path, Request, Response
from pydantic import Field

from services.gateway.account.saved_searches import SavedSearch, SavedSearches, SlugTaken, TooMany
from services.gateway.service_client import ServiceClient
from services.gateway.signing_in.dependencies import Reader, Writer
from shared.contracts.directory import Queue
from shared.database import Pool
from shared.http import problems
from shared.http.bodies import Body, example
from shared.http.headers.etag import IfMatch, etag
from shared.http.headers.idempotency import json_response
from shared.http.paging import Cursors, CursorText, Limit, page
from shared.http.problems import FieldError, invalid_fields
from shared.http.routes import router as strict
from shared.http.story import AGENT
from shared.input_types import Line, Reference, Slug, Text, Title
from shared.rules.access import Identity

Named = Annotated[str, Path(max_length=64, description="The search's slug.")]
FilterName = Annotated[Line, Field(min_length=1, max_length=64)]
FilterValue = bool | int | Annotated[Line, Field(max_length=320)]
MOST_FILTERS = 50


class SearchDraft(Body):
    """A search to keep.

    `q` is as in `GET /search`, `filters` are query parameters of `GET /tickets` with their values, `sort` is one of
    either, and `columns` are those of a list. `shared_with` are queues that I may read, by slug or id: their members
    read this search too.
    """

    slug: Slug
    name: Title
    q: Annotated[Text, Field(max_length=10_000)] = ""
    filters: Annotated[
        dict[FilterName, FilterValue | Annotated[list[FilterValue], Field(max_length=50)]],
        Field(max_length=MOST_FILTERS),
    ] = {}  # noqa: RUF012
    sort: Annotated[Line, Field(max_length=64)] | None = None
    columns: Annotated[list[Annotated[Line, Field(min_length=1, max_length=80)]], Field(max_length=100)] = []  # noqa: RUF012
    shared_with: Annotated[list[Reference], Field(max_length=100)] = []  # noqa: RUF012


class OwnerShown(Body):
    model_config = example(AGENT)

    id: UUID
    name: str


class SearchShown(Body):
    """`mine`: I may change it."""

    model_config = example(
        {
            "slug": "broken-printers",
            "name": "Broken printers",
            "q": 'printer "paper jam"',
            "filters": {"queue": ["it-support"], "state_type": ["new", "open"]},
            "sort": "-created_at",
            "columns": ["number", "title", "customer"],
            "shared_with": ["it-support"],
            "owner": AGENT,
            "mine": True,
            "version": 2,
        }
    )

    slug: str
    name: str
    q: str
    filters: dict[str, Any]
    sort: str | None
    columns: list[str]
    shared_with: list[str]
    owner: OwnerShown
    mine: bool
    version: int


class SearchList(Body):
    items: list[SearchShown]
    next_cursor: str | None


def router(pool: Pool, services: ServiceClient) -> APIRouter:
    routes = strict("/api/v1/searches", tags=["search"])
    searches = SavedSearches(pool)

    async def found(who: Identity, slug: str, queues: Mapping[UUID, Queue]) -> SavedSearch:
        one = await searches.one(who, slug, list(queues))
        if one is None:
            raise problems.not_found()
        return one

    async def require_own(who: Identity, slug: str, queues: Mapping[UUID, Queue]) -> SavedSearch:
        one = await found(who, slug, queues)
        if one.owner != who.person_id:
            raise problems.forbidden("Only its owner may change a saved search.")
        return one

    @routes.get("", operation_id="listSearches", response_model=SearchList, summary="The saved searches that I may use")
    async def list_searches(
        request: Request, principal: Reader, limit: Limit = 50, cursor: CursorText = None
    ) -> Response:
        who = principal.identity
        queues = await searches.readable_queues(who)
        cursors: Cursors = request.app.state.cursors
        after = cursors.decode(who, ["searches"], cursor)
        rows = await searches.listed(who, list(queues), after[0] if after else None, limit + 1)
        more = cursors.encode(who, ["searches"], [rows[limit - 1].slug]) if len(rows) > limit else None
        return json_response(page([_shown(each, who, queues) for each in rows[:limit]], more))

    @routes.get("/{slug}", operation_id="getSearch", response_model=SearchShown, summary="One saved search")
    async def get_search(slug: Named, principal: Reader) -> Response:
        queues = await searches.readable_queues(principal.identity)
        one = await found(principal.identity, slug, queues)
        return json_response(_shown(one, principal.identity, queues), headers={"ETag": etag(one.version)})

    @routes.put(
        "/{slug}",
        operation_id="putSearch",
        response_model=SearchShown,
        responses={201: {"model": SearchShown, "description": "A new search"}},
        summary="Save a search",
    )
    async def put_search(slug: Named, principal: Writer, body: SearchDraft, expected: IfMatch) -> Response:
        who = principal.identity
        if body.slug != slug:
            raise problems.invalid("/slug", "This must be the slug in the path.")
        queues = await searches.readable_queues(who)
        was = await searches.one(who, slug, list(queues))
        if was is not None and was.owner != who.person_id:
            raise problems.forbidden("Only its owner may change a saved search.")
        shared_with = _queues_named(body.shared_with, queues)
        content = body.model_dump(mode="json", include={"q", "filters", "sort", "columns"})
        await _require_valid(services, who, content)
        if was is None:
            if expected is not None:
                raise problems.precondition_failed()
            try:
                version = await searches.add(who, slug, body.name, content, shared_with)
            except SlugTaken:
                raise problems.rejected("Another search has this slug. Choose another one.") from None
            except TooMany:
                raise problems.rejected("You keep too many searches. Delete one that you no longer need.") from None
        else:
            changed = await searches.change(who, slug, body.name, content, shared_with, expected)
            if changed is None:
                now = await require_own(who, slug, queues)
                raise problems.precondition_failed(_shown(now, who, queues), member="search")
            version = changed
        saved = SavedSearch(slug, body.name, who.person_id, who.name, content, tuple(shared_with), version)
        headers = {"ETag": etag(version)}
        return json_response(_shown(saved, who, queues), status=200 if was is not None else 201, headers=headers)

    @routes.delete("/{slug}", status_code=204, operation_id="deleteSearch", summary="Delete a saved search")
    async def delete_search(slug: Named, principal: Writer, expected: IfMatch) -> Response:
        queues = await searches.readable_queues(principal.identity)
        one = await require_own(principal.identity, slug, queues)
        if not await searches.delete(principal.identity, slug, expected):
            raise problems.precondition_failed(_shown(one, principal.identity, queues), member="search")
        return Response(status_code=204)

    return routes


def _queues_named(references: list[str], queues: Mapping[UUID, Queue]) -> list[UUID]:
    """The ids of queues that the person may read. Raises Problem 422 for any other."""
    by_name = {queue.slug: queue.id for queue in queues.values()} | {
        str(queue.id): queue.id for queue in queues.values()
    }
    unknown = [n for n, reference in enumerate(references) if reference.lower() not in by_name]
    if unknown:
        raise invalid_fields(FieldError(f"/shared_with/{n}", "No such queue, or you may not read it.") for n in unknown)
    return list(dict.fromkeys(by_name[reference.lower()] for reference in references))


async def _require_valid(services: ServiceClient, who: Identity, content: Mapping[str, Any]) -> None:
    """Raises Problem 422 for filters, columns or a sort that reporting does not know."""
    answer = await services.call(
        "POST",
        "reporting",
        "/internal/saved-searches",
        who,
        headers={"content-type": "application/json"},
        content=orjson.dumps(content),
    )
    if answer.status == 422:
        errors = orjson.loads(answer.content).get("errors", [])
        raise invalid_fields(FieldError(each["pointer"], each["detail"]) for each in errors)
    if answer.status != 204:
        raise problems.unavailable("The search cannot be checked now. Try again.")


def _shown(search: SavedSearch, who: Identity, queues: Mapping[UUID, Queue]) -> dict[str, Any]:
    """A search as this person sees it: of the queues that it is shared with, those that they may read."""
    return {
        "slug": search.slug,
        "name": search.name,
        **search.content,
        "shared_with": [queues[queue].slug for queue in search.shared_with if queue in queues],
        "owner": {"id": str(search.owner), "name": search.owner_name},
        "mine": search.owner == who.person_id,
        "version": search.version,
    }
