"""Routes that refuse unknown input."""

from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from shared.http import problems
from shared.http.before_body import checks_of
from shared.http.json_input import read_json
from shared.http.serving.limits import MOST_VALUES, bounded, limits_of

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
F = TypeVar("F", bound=Callable[..., Any])
_ANY_TEXT = "any_text"


def takes_any_text(*names: str) -> Callable[[F], F]:
    """Lets query parameters of an endpoint of a StrictRoute have any characters, also NUL: words that people search."""

    def mark(endpoint: F) -> F:
        setattr(endpoint, _ANY_TEXT, frozenset(names))
        return endpoint

    return mark


class StrictRoute(APIRoute):
    """A route that refuses query parameters it does not declare, NUL characters and bodies that are longer than
    `body_limit` says.

    Reads JSON strictly, after the dependencies that are marked with `before_body`.
    """

    def get_route_handler(self) -> Handler:
        handler = super().get_route_handler()
        declared = frozenset(_query_names(self.dependant))
        checks = tuple(checks_of(self.dependant))
        most, values = limits_of(self.endpoint)
        any_text: frozenset[str] = getattr(self.endpoint, _ANY_TEXT, frozenset())

        async def strict(request: Request) -> Response:
            if b"\x00" in request.scope["path"].encode(errors="replace"):
                raise problems.not_found()
            if request.scope["query_string"]:
                _check_query(request.scope["query_string"], declared, any_text)
            request = _StrictRequest(request.scope, bounded(request.scope, request.receive, most))
            request.most_values = values
            for check in checks:
                await check(request)
            try:
                return await handler(request)
            except HTTPException as error:  # FastAPI makes a 400 of whatever reading a body raises
                if isinstance(error.__cause__, problems.Problem):
                    raise error.__cause__ from None
                raise

        return strict


def router(prefix: str = "", **options: Any) -> APIRouter:
    """A router of strict routes: use it instead of `APIRouter`."""
    return APIRouter(prefix=prefix, route_class=StrictRoute, **options)


class _StrictRequest(Request):
    most_values: int | None = MOST_VALUES

    async def json(self) -> Any:
        return read_json(await self.body(), values=self.most_values)


def _query_names(dependant: Dependant) -> Iterator[str]:
    for parameter in dependant.query_params:
        annotation = parameter.field_info.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):  # Annotated[Filters, Query()]
            for name, field in annotation.model_fields.items():
                yield field.alias or name
        else:
            yield parameter.alias
    for part in dependant.dependencies:
        yield from _query_names(part)


def _check_query(query: bytes, declared: frozenset[str], any_text: frozenset[str]) -> None:
    try:
        given = parse_qsl(query.decode("ascii"), keep_blank_values=True, max_num_fields=1000)
    except ValueError:
        raise problems.invalid("/query", "The query string cannot be read.") from None
    wrong: list[problems.FieldError] = []
    for name, value in given:
        if name not in declared:
            wrong.append(problems.FieldError(problems.pointer("query", name), "This parameter is not known."))
        elif "\x00" in value and name not in any_text:
            wrong.append(problems.FieldError(problems.pointer("query", name), "NUL characters are not allowed."))
    if wrong:
        raise problems.invalid_fields(wrong[:20])
