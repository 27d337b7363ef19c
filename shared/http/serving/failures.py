"""The problem document of each exception."""

import logging
from collections.abc import Sequence
from typing import Any

import asyncpg
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.database import TRANSIENT
from shared.eventstore.errors import (
    CommandReused,
    CommandRunning,
    EventTooLarge,
    PreconditionFailed,
    Raced,
    UnknownStream,
)
from shared.http import problems
from shared.http.problems import FieldError, Problem
from shared.rules import refusals
from shared.rules.refusals import Refusal
from shared.rules.rejected import Rejected

log = logging.getLogger(__name__)

_SLUGS = {400: "bad-request", 405: "method-not-allowed", 406: "not-acceptable", 415: "unsupported-media-type"}
_MOST_ERRORS = 20
_MISSING = "This is required."
_SECRET_WORDS = ("password", "token", "secret", "key")


def problem_of(error: BaseException) -> Problem:
    """The problem of an exception. An unexpected one is a 500, and is logged here with its stack trace."""
    match error:
        case Problem():
            return error
        case Rejected():
            return problems.rejected(error.reason)
        case Refusal():
            return _of_refusal(error)
        case RequestValidationError():
            return _invalid(error.errors(), error.body)
        case HTTPException():
            return _of_http(error)
        case PreconditionFailed():
            return problems.precondition_failed()
        case Raced():
            return problems.version_conflict()
        case CommandReused():
            return problems.key_reused()
        case CommandRunning():
            return problems.still_running()
        case UnknownStream():
            return problems.not_found()
        case EventTooLarge():
            return problems.too_large(
                f"The request is too large: it needs {error.size} of at most {error.most} bytes in one event. "
                "Send less at once, or send long texts as attachments."
            )
        case ClientDisconnect():
            return Problem(400, "disconnected", "The connection ended before the body was complete.")
        case _ if _unstorable(error):
            log.error("the database refused a value that validation let through", exc_info=error)
            return problems.invalid("", "A value cannot be stored.")
        case asyncpg.QueryCanceledError():
            log.warning("a statement was stopped: %s", error)
            return problems.too_slow()
        case _ if isinstance(error, TRANSIENT):
            log.warning("a request failed temporarily: %s: %s", type(error).__name__, error)
            return problems.unavailable()
        case _:
            log.error("a request failed: %s", type(error).__name__, exc_info=error)
            return Problem(500, "internal", "An unexpected error occurred. The logs have it under this trace id.")


def install(app: FastAPI) -> None:
    """Problem documents for FastAPI's own refusals, and for everything that a route raises."""
    app.add_exception_handler(HTTPException, _respond)
    app.add_exception_handler(RequestValidationError, _respond)
    app.add_middleware(Failures)


async def _respond(_: Request, error: Exception) -> Response:
    return problem_of(error).response()


class Failures:
    """ASGI middleware: an exception becomes a problem document, unless the response has started."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except Exception as error:
            problem = problem_of(error)
            if started:
                raise  # half a response is sent already: the server closes the connection
            await problem.response()(scope, receive, send)


def _unstorable(error: BaseException) -> bool:
    """Whether PostgreSQL, or already asyncpg (with a ValueError), refuses a value."""
    return isinstance(error, asyncpg.DataError | asyncpg.ProgramLimitExceededError) or (
        isinstance(error, asyncpg.InterfaceError) and isinstance(error, ValueError)
    )


def _of_refusal(refusal: Refusal) -> Problem:
    match refusal:
        case refusals.Invalid():
            return problems.invalid_fields(
                FieldError(problems.pointer("body", *each.path), each.detail) for each in refusal.arguments
            )
        case refusals.NotFound():
            return problems.not_found(refusal.detail)
        case refusals.Forbidden():
            return problems.forbidden(refusal.detail)
        case refusals.Unavailable():
            return problems.unavailable(refusal.detail)
        case refusals.TooLarge():
            return problems.too_large(refusal.detail)
        case refusals.QuotaExceeded():
            return problems.too_many(refusal.retry_after, refusal.detail)
        case _:
            raise AssertionError(f"no problem for {type(refusal).__name__}")


def _of_http(error: HTTPException) -> Problem:
    match error.status_code:
        case 400:  # a form or a body that cannot be parsed
            return problems.invalid("", "The body cannot be read.")
        case 401:
            return problems.unauthorized()
        case 403:
            return problems.forbidden()
        case 404:
            return problems.not_found("This address does not exist.")
        case 413:
            return problems.too_large()
        case status:
            return Problem(status, _SLUGS.get(status, "error"), headers=error.headers)


def _invalid(errors: Sequence[Any], body: Any) -> Problem:
    if errors and all(error["loc"][:1] == ("path",) for error in errors):
        return problems.not_found()  # no object has such an id
    return problems.invalid_fields([_field_error(error, body) for error in errors[:_MOST_ERRORS]])


def _field_error(error: dict[str, Any], body: Any) -> FieldError:
    part, *path = error["loc"] or ("body",)
    if error["type"] == "json_invalid":
        return FieldError(
            "", f"This is not JSON: {error.get('ctx', {}).get('error', '')} at character {path[0] if path else 0}."
        )
    if part == "body":
        path = _sent(body, path, missing=error["type"] == "missing")
    pointer = problems.pointer(str(part), *path)
    if any(word in pointer.lower() for word in _SECRET_WORDS):  # some messages quote the input
        return FieldError(pointer, _MISSING if error["type"] == "missing" else "This is not valid.")
    match error["type"]:
        case "missing":
            return FieldError(pointer, _MISSING)
        case "extra_forbidden":
            return FieldError(pointer, "This field is not known.")
        case "too_long" if isinstance(error.get("input"), str):
            return FieldError(pointer, f"Must have at most {error['ctx']['max_length']} characters.")
        case _:
            return FieldError(pointer, problems.of_validation(error))


def _sent(body: Any, path: Sequence[str | int], *, missing: bool) -> list[str | int]:
    """The path of an error in the body as it was sent.

    Pydantic also names the alternative of a union that it tried. `missing`: the last name is not there, and is meant.
    """
    kept: list[str | int] = []
    for name in path:
        try:
            body = body[name]
        except (KeyError, IndexError, TypeError):
            continue
        kept.append(name)
    return [*kept, path[-1]] if missing and path else kept
