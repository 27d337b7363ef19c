"""Which exception becomes which problem document."""

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
_SECRET_WORDS = ("password", "token", "secret", "key")


def problem_of(error: BaseException) -> Problem:
    """The problem that an exception is told as; what nobody expected is a 500 and is logged with its stack trace here."""
    match error:
        case Problem():
            return error
        case Rejected():
            return problems.rejected(error.reason)
        case Refusal():
            return _of_refusal(error)
        case RequestValidationError():
            return _invalid(error.errors())
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
                f"What this would record has {error.size} bytes of at most {error.most}: send less at once, or long texts as attachments."
            )
        case ClientDisconnect():
            return Problem(400, "disconnected", "The request ended before its body.")
        case _ if _unstorable(error):
            log.error("the database refused a value that validation let through", exc_info=error)
            return problems.invalid("", "holds a value that cannot be stored")
        case _ if isinstance(error, TRANSIENT):
            log.warning("a request failed for now: %s: %s", type(error).__name__, error)
            return problems.unavailable()
        case _:
            log.error("a request failed: %s", type(error).__name__, exc_info=error)
            return Problem(500, "internal", "Something went wrong here; the trace id finds it in the logs.")


def install(app: FastAPI) -> None:
    """Problem documents for all that goes wrong in an application: FastAPI's own refusals and what a route raises."""

    app.add_exception_handler(HTTPException, _answer)
    app.add_exception_handler(RequestValidationError, _answer)
    app.add_middleware(Failures)


async def _answer(_: Request, error: Exception) -> Response:
    return problem_of(error).response()


class Failures:
    """ASGI middleware: an exception that leaves the application is answered as a problem, if no answer has begun."""

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
                raise  # half an answer cannot be taken back: the server closes the connection
            await problem.response()(scope, receive, send)


def _unstorable(error: BaseException) -> bool:
    """A value that PostgreSQL does not take, found by the server or already by asyncpg (which mixes ValueError in)."""
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
            return problems.invalid("", str(error.detail))
        case 401:
            return problems.unauthorized()
        case 403:
            return problems.forbidden()
        case 404:
            return problems.not_found("There is nothing at this address.")
        case 413:
            return problems.too_large()
        case status:
            return Problem(status, _SLUGS.get(status, "error"), headers=error.headers)


def _invalid(errors: Sequence[Any]) -> Problem:
    if errors and all(error["loc"][:1] == ("path",) for error in errors):
        return problems.not_found()  # no object has such an id
    return problems.invalid_fields([_field_error(error) for error in errors[:_MOST_ERRORS]])


def _field_error(error: dict[str, Any]) -> FieldError:
    part, *path = error["loc"] or ("body",)
    if error["type"] == "json_invalid":
        return FieldError(
            "", f"is not JSON: {error.get('ctx', {}).get('error', '')} at character {path[0] if path else 0}"
        )
    pointer = problems.pointer(str(part), *path)
    if any(word in pointer.lower() for word in _SECRET_WORDS):  # some messages quote what was sent
        return FieldError(pointer, "is missing" if error["type"] == "missing" else "is not valid")
    match error["type"]:
        case "missing":
            return FieldError(pointer, "is missing")
        case "extra_forbidden":
            return FieldError(pointer, "is not known here")
        case _:
            return FieldError(pointer, str(error["msg"]).removeprefix("Value error, ")[:300])
