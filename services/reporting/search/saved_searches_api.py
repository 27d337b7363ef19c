"""Whether a search can be saved: the gateway asks in the name of the person who wants to keep it."""

from typing import Annotated, Any, get_origin

from fastapi import APIRouter, Response
from pydantic import Field, ValidationError

from services.reporting.exports.columns import chosen
from services.reporting.search.api import SearchQuery
from services.reporting.tickets.list_query import FilterQuery, ListQuery, filters
from services.reporting.tickets.ticket_reader import TicketReader
from shared.http import problems
from shared.http.bodies import Body
from shared.http.identity import Caller
from shared.http.problems import FieldError, invalid_fields, of_validation
from shared.http.routes import router as strict


class SavedSearchDraft(Body):
    """The parts of a saved search that must mean something here."""

    q: str = ""
    filters: dict[str, Any] = {}  # noqa: RUF012
    sort: str | None = None
    columns: Annotated[list[str], Field(max_length=100)] = []  # noqa: RUF012


def router(reader: TicketReader) -> APIRouter:
    routes = strict("/internal", include_in_schema=False)

    @routes.post("/saved-searches", status_code=204)
    async def check_saved_search(who: Caller, body: SavedSearchDraft) -> Response:
        """204 if these filters, this sort and these columns are known; else 422."""
        errors: list[FieldError] = []
        for name in body.filters:
            if name not in FilterQuery.model_fields:
                errors.append(FieldError(problems.pointer("body", "filters", name), "This filter is not known."))
        if not errors:
            try:
                asked = FilterQuery.model_validate({name: _shaped(name, each) for name, each in body.filters.items()})
                await filters(reader, asked, await reader.directory.recognised(who))
            except ValidationError as error:
                errors += [
                    FieldError(problems.pointer("body", "filters", *each["loc"][:1]), of_validation(each))
                    for each in error.errors(include_url=False, include_input=False)
                ]
            except problems.Problem as problem:
                errors += [
                    FieldError(each.pointer.replace("/query/", "/filters/", 1), each.detail) for each in problem.errors
                ]
        if body.sort is not None and not _is_sort(body.sort):
            errors.append(FieldError("/sort", "This sort is not known."))
        try:
            chosen(",".join(body.columns) or None)
        except problems.Problem as problem:
            errors.append(FieldError("/columns", problem.detail))
        if errors:
            raise invalid_fields(errors[:20])
        return Response(status_code=204)

    return routes


def _shaped(name: str, value: Any) -> Any:
    """The value of a filter as the query string would give it: repeatable ones are lists, others are not."""
    repeatable = get_origin(FilterQuery.model_fields[name].annotation) is list
    if repeatable and not isinstance(value, list):
        return [value]
    if not repeatable and isinstance(value, list) and len(value) == 1:
        return value[0]
    return value


def _is_sort(name: str) -> bool:
    """Whether lists or searches can be sorted so."""
    for query in (ListQuery, SearchQuery):
        try:
            query.model_validate({"sort": name})
        except ValidationError:
            continue
        return True
    return False
