"""The problem document of each exception."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from shared.eventstore.errors import CommandReused, CommandRunning, PreconditionFailed, UnknownStream, VersionConflict
from shared.http import problems
from shared.http.serving.application import protected
from shared.rules import refusals
from shared.rules.rejected import Rejected

TICKET = UUID(int=1)


def asked(error: BaseException, headers: dict[str, str] | None = None) -> Any:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise error

    return TestClient(protected(app), raise_server_exceptions=False).get("/", headers=headers)


@pytest.mark.parametrize(
    ("error", "status", "slug"),
    [
        (Rejected("Ola is working on this ticket"), 409, "rejected"),
        (refusals.NotFound(), 404, "not-found"),
        (refusals.Forbidden("no"), 403, "forbidden"),
        (refusals.Unavailable("not now"), 503, "unavailable"),
        (refusals.TooLarge("too much"), 413, "too-large"),
        (refusals.QuotaExceeded("used up", 7), 429, "too-many-requests"),
        (refusals.invalid("customer", "email", detail="wrong"), 422, "invalid"),
        (VersionConflict(TICKET), 409, "conflict"),
        (CommandReused(), 422, "idempotency-key-reused"),
        (CommandRunning(), 409, "still-running"),
        (UnknownStream(TICKET), 404, "not-found"),
        (asyncpg.ConnectionDoesNotExistError("gone"), 503, "unavailable"),
        (asyncpg.InterfaceError("connection is closed"), 503, "unavailable"),
        (asyncpg.InternalClientError("cannot switch to state"), 503, "unavailable"),
        (asyncpg.CannotConnectNowError("starting up"), 503, "unavailable"),
        (asyncpg.TooManyConnectionsError("full"), 503, "unavailable"),
        (asyncpg.AdminShutdownError("ending"), 503, "unavailable"),
        (asyncpg.QueryCanceledError("statement timeout"), 503, "too-slow"),
        (asyncpg.DiskFullError("full"), 503, "unavailable"),
        (ConnectionRefusedError(111, "refused"), 503, "unavailable"),
        (TimeoutError(), 503, "unavailable"),
        (asyncpg.DataError("value out of range"), 422, "invalid"),
        (asyncpg.exceptions._base.DataError("value out of int32 range"), 422, "invalid"),
        (HTTPException(405), 405, "method-not-allowed"),
        (problems.too_many(7), 429, "too-many-requests"),
        (problems.forbidden(), 403, "forbidden"),
        (asyncpg.UniqueViolationError("a bug"), 500, "internal"),
        (RuntimeError("a bug, with a password=hunter2"), 500, "internal"),
        (RecursionError(), 500, "internal"),
    ],
)
def test_an_exception_becomes_a_problem(error: BaseException, status: int, slug: str) -> None:
    answer = asked(error)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert (body["type"], body["status"]) == (f"/problems/{slug}", status)
    assert body["title"] and body["detail"] and body["trace_id"]
    assert "hunter2" not in answer.text and "Traceback" not in answer.text
    if status in (429, 503):
        assert int(answer.headers["retry-after"]) >= 1
    if status == 422:
        assert body["errors"]


def test_a_conflict_under_if_match_is_a_412() -> None:
    assert asked(PreconditionFailed(TICKET, 3)).status_code == 412


def test_a_412_shows_the_current_ticket() -> None:
    body = asked(problems.precondition_failed({"id": str(TICKET), "title": "hums"})).json()
    assert body["ticket"] == {"id": str(TICKET), "title": "hums"}


def test_further_members_do_not_replace_the_standard_ones() -> None:
    assert asked(problems.Problem(409, "x", extra={"status": 200, "more": 1})).json()["status"] == 409


def test_a_lone_surrogate_in_a_reason_is_no_500() -> None:
    assert asked(Rejected("\ud800")).status_code == 409


def test_the_trace_id_is_the_callers() -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    assert asked(Rejected("no"), {"traceparent": f"00-{trace}-b7ad6b7169203331-01"}).json()["trace_id"] == trace


@pytest.mark.parametrize(
    "header", ["", "x", "00-" + "0" * 32 + "-b7ad6b7169203331-01", "00-" + "g" * 32 + "-b7ad6b7169203331-01"]
)
def test_a_garbled_traceparent_is_ignored(header: str) -> None:
    trace = asked(Rejected("no"), {"traceparent": header}).json()["trace_id"]
    assert len(trace) == 32 and trace.strip("0")


def test_a_started_response_is_aborted_on_an_error() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("half")(scope, receive, send)
        raise RuntimeError("after the beginning")

    with pytest.raises(RuntimeError):
        TestClient(protected(app)).get("/")


@pytest.mark.parametrize(
    "make", [problems.not_found, problems.forbidden, problems.unauthorized, problems.unavailable, problems.key_reused]
)
def test_each_kind_of_problem_has_a_title(make: Callable[[], problems.Problem]) -> None:
    assert make().document()["title"] not in ("", "Error")


def test_an_invalid_argument_is_told_with_its_pointer() -> None:
    body = asked(refusals.invalid("attachments", 2, detail="No such file.")).json()
    assert body["errors"] == [{"pointer": "/attachments/2", "detail": "No such file."}]
