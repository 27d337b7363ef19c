"""HTTP routes for administrators: mails that have not left yet, and decisions about them."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import asyncpg
import orjson
from fastapi import APIRouter, Query, Request, Response

from services.notify.sending.outgoing.outgoing import DecisionResult, NotWaiting, Outgoing, Selection
from services.notify.sending.outgoing.outgoing_bodies import (
    DecisionPage,
    DomainName,
    GiveUpBody,
    MailAnswer,
    OutgoingPage,
    PauseAnswer,
    PauseBody,
    QueueName,
    ResumeBody,
    Summary,
)
from shared.addresses import canonical_domain
from shared.contracts.directory import Queue
from shared.contracts.reports import ReportMailRequested
from shared.directory.copy import DirectoryCopy
from shared.eventstore.runner import once
from shared.eventstore.store import CommandId
from shared.http import problems
from shared.http.headers.consistency import HEADER, Written, encode
from shared.http.headers.idempotency import Command as Key
from shared.http.headers.idempotency import json_response
from shared.http.identity import Caller
from shared.http.paging import CursorText, Limit, page
from shared.http.routes import router as strict
from shared.http.serving.limits import SMALL_BODY, body_limit
from shared.rules.access import Identity
from shared.timestamps import timestamp


def router(outgoing: Outgoing, copy: DirectoryCopy) -> APIRouter:
    routes = strict("/api/v1/outgoing", tags=["outgoing mail"])

    @routes.get("", operation_id="getOutgoing", response_model=Summary, summary="Mails that have not left, in numbers")
    async def summary(who: Caller) -> Response:
        _check_administrator(who)
        found = await outgoing.summary()
        return json_response(
            _counts(found["whole"])
            | {
                "pauses": [_pause(row) for row in found["pauses"]],
                "domains": [_counts(row) | {"domain": row["domain"]} for row in found["domains"]],
                "queues": [_counts(row) | {"queue": _queue(row["queue_id"])} for row in found["queues"]],
            }
        )

    @routes.get(
        "/mails",
        operation_id="listOutgoing",
        response_model=OutgoingPage,
        summary="Mails that have not left, oldest first",
    )
    async def mails(
        request: Request,
        who: Caller,
        queue: Annotated[QueueName | None, Query()] = None,
        domain: Annotated[DomainName | None, Query()] = None,
        limit: Limit = 50,
        cursor: CursorText = None,
    ) -> Response:
        _check_administrator(who)
        selection = _selection(queue, domain, "/query/")
        cursors = request.app.state.cursors
        asked = ["outgoing", str(selection.queue), selection.domain]
        position = cursors.decode(who, asked, cursor)
        after = (datetime.fromisoformat(position[0]), UUID(position[1])) if position else None
        found = await outgoing.mails(selection, after, limit + 1)
        more = None
        if len(found) > limit:
            last = found[limit - 1]
            more = cursors.encode(who, asked, [last["requested_at"].isoformat(), str(last["notification"])])
        return json_response(page([_item(row) for row in found[:limit]], more))

    @routes.get(
        "/decisions",
        operation_id="listOutgoingDecisions",
        response_model=DecisionPage,
        summary="Decisions about outgoing mail, newest first",
    )
    async def decisions(request: Request, who: Caller, limit: Limit = 50, cursor: CursorText = None) -> Response:
        _check_administrator(who)
        cursors = request.app.state.cursors
        position = cursors.decode(who, "decisions", cursor)
        found = await outgoing.decisions(UUID(position[0]) if position else None, limit + 1)
        more = None
        if len(found) > limit:
            more = cursors.encode(who, "decisions", [str(found[limit - 1]["decision"])])
        return json_response(page([_decision(row) for row in found[:limit]], more))

    @routes.post(
        "/pause",
        operation_id="pauseOutgoing",
        response_model=PauseAnswer,
        summary="Hold mail: all, of a queue, or to a domain",
    )
    @body_limit(SMALL_BODY)
    async def pause(who: Caller, key: Key, body: PauseBody) -> Response:
        _check_administrator(who)
        return await _once(key, lambda: outgoing.pause(_selection(body.queue, body.domain), who, body.reason, key))

    @routes.post(
        "/resume", operation_id="resumeOutgoing", response_model=PauseAnswer, summary="Send mail again that was paused"
    )
    @body_limit(SMALL_BODY)
    async def resume(who: Caller, key: Key, body: ResumeBody) -> Response:
        _check_administrator(who)
        return await _once(
            key, lambda: outgoing.resume(_selection(body.queue, body.domain), who, body.reason.strip(), key)
        )

    @routes.post(
        "/mails/{mail}/retry",
        operation_id="retryOutgoing",
        response_model=MailAnswer,
        summary="Try one mail now, even if it is paused",
    )
    @body_limit(SMALL_BODY)
    async def retry(mail: UUID, who: Caller, key: Key) -> Response:
        _check_administrator(who)
        try:
            return _response(await outgoing.retry(mail, who, key))
        except NotWaiting:
            raise problems.not_found() from None

    @routes.post(
        "/mails/{mail}/give-up",
        operation_id="giveUpOutgoing",
        response_model=MailAnswer,
        summary="Never send a mail; its ticket says why",
    )
    @body_limit(SMALL_BODY)
    async def give_up(mail: UUID, who: Caller, key: Key, body: GiveUpBody) -> Response:
        _check_administrator(who)
        try:
            return _response(await outgoing.give_up(mail, who, body.reason, key))
        except NotWaiting:
            raise problems.not_found() from None

    async def _once(key: CommandId, attempt: Callable[[], Awaitable[DecisionResult]]) -> Response:
        return _response(
            await once(outgoing.store, key, attempt, lambda first: DecisionResult(first or {}, replayed=True))
        )

    def _selection(queue: str | None, domain: str | None, below: str = "/") -> Selection:
        """Raises Problem 422 for both a queue and a domain, an unknown queue, and an invalid domain."""
        if queue is not None and domain is not None:
            raise problems.invalid(f"{below}domain", "Name a queue or a domain, not both.")
        if queue is not None:
            found = _found(queue)
            if found is None:
                raise problems.invalid(f"{below}queue", "No such queue.")
            return Selection(queue=found.id)
        if domain is not None:
            known = canonical_domain(domain)
            if known is None:
                raise problems.invalid(f"{below}domain", "This is not a valid domain; write it like outlook.com.")
            return Selection(domain=known)
        return Selection()

    def _found(name: str) -> Queue | None:
        try:
            return copy.queues.by_id.get(UUID(name))
        except ValueError:
            return copy.queues.by_slug.get(name)

    def _queue(queue: UUID | None) -> dict[str, str] | None:
        if queue is None:
            return None
        known = copy.queues.by_id.get(queue)
        return {"id": str(queue), "slug": known.slug if known else "", "name": known.name if known else ""}

    def _pause(row: asyncpg.Record) -> dict[str, Any]:
        return {
            "queue": _queue(row["queue_id"]),
            "domain": row["domain"],
            "by": {"id": str(row["by_id"]), "name": row["by_name"]},
            "reason": row["reason"],
            "since": timestamp(row["since"]),
        }

    def _item(row: asyncpg.Record) -> dict[str, Any]:
        mail, of_report = orjson.loads(row["mail"]), row["type"] == ReportMailRequested.TYPE
        everybody = [each["email"] for name in ("to", "cc", "bcc") for each in mail.get(name, ())]
        return {
            "id": str(row["notification"]),
            "ticket": None if of_report else {"id": str(row["ticket_id"]), "number": row["number"]},
            "report_run": str(row["ticket_id"]) if of_report else None,
            "kind": row["kind"],
            "queue": _queue(row["queue_id"]),
            "domain": row["domain"],
            "recipients": row["remaining"] if row["remaining"] is not None else everybody,
            "subject": mail["subject"],
            "requested_at": timestamp(row["requested_at"]),
            "next_attempt_at": None if row["paused"] else timestamp(max(row["due_at"], datetime.now(UTC))),
            "attempts": row["attempts"],
            "on_its_way": row["on_its_way"],
            "paused": row["paused"],
            "last_words": row["last_words"],
        }

    def _decision(row: asyncpg.Record) -> dict[str, Any]:
        return {
            "id": str(row["decision"]),
            "at": timestamp(row["decided_at"]),
            "action": row["action"],
            "by": {"id": str(row["by_id"]), "name": row["by_name"]},
            "reason": row["reason"],
            "queue": _queue(row["queue_id"]),
            "domain": row["domain"],
            "mail": _text(row["notification"]),
            "ticket": _text(row["ticket_id"]),
        }

    return routes


def _check_administrator(who: Identity) -> None:
    if not who.is_admin:
        raise problems.forbidden("Only administrators may manage outgoing mail.")


def _response(result: DecisionResult) -> Response:
    headers = {HEADER: encode([Written("notify", *result.written)])} if result.written else None
    return json_response(result.response, replayed=result.replayed, headers=headers)


def _counts(row: asyncpg.Record) -> dict[str, Any]:
    return {
        "waiting": row["waiting"],
        "on_their_way": row["on_their_way"],
        "paused": row["paused"],
        "oldest_at": timestamp(row["oldest_at"]),
        "next_attempt_at": timestamp(row["next_attempt_at"]),
        "last_words": row["last_words"],
    }


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)
