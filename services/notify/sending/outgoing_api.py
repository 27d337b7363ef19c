"""Mails that have not left yet, over HTTP: seen, paused, resumed, tried at once, given up. For administrators."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import asyncpg
import orjson
from fastapi import APIRouter, Query, Request, Response
from pydantic import AfterValidator, AwareDatetime, Field

from services.notify.sending.outgoing import Action, Done, NotWaiting, Outgoing, Part
from shared.addresses import canonical_domain
from shared.contracts.directory import Queue
from shared.directory.copy import DirectoryCopy
from shared.eventstore.runner import once
from shared.eventstore.store import CommandId
from shared.http import problems
from shared.http.bodies import Body, Line
from shared.http.consistency import HEADER, Written, encode
from shared.http.idempotency import Command as Key
from shared.http.idempotency import json_response
from shared.http.identity import Caller
from shared.http.paging import CursorText, Limit, page
from shared.http.serving.limits import SMALL_BODY, body_limit
from shared.http.serving.routes import router as strict
from shared.rules.access import Identity


def _said(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty: those who come after you want to know why")
    return text.strip()


Reason = Annotated[Line, Field(max_length=500, description="why, for those who come after you"), AfterValidator(_said)]
QueueName = Annotated[Line, Field(min_length=1, max_length=254, description="a queue by slug or id")]
DomainName = Annotated[
    Line, Field(min_length=1, max_length=253, description="the domain of the recipients, such as outlook.com")
]


class QueueOfMail(Body):
    id: UUID
    slug: str
    name: str


class TicketOfMail(Body):
    id: UUID
    number: str | None


class Who(Body):
    id: UUID
    name: str


class PartBody(Body):
    """Which mail is meant: of a queue, to a domain, or all of it."""

    queue: QueueName | None = None
    domain: DomainName | None = None


class PauseBody(PartBody):
    """What is not to leave for now, and why."""

    reason: Reason


class ResumeBody(PartBody):
    """What is to leave again: exactly what was paused."""

    reason: Annotated[Line, Field(max_length=500)] = ""


class GiveUpBody(Body):
    """Why this mail is never to leave."""

    reason: Reason


class Waiting(Body):
    """`on_their_way` and `paused` count among `waiting`; `last_words`: what a server said last of one of them."""

    waiting: int
    on_their_way: int
    paused: int
    oldest_at: AwareDatetime | None
    next_attempt_at: AwareDatetime | None
    last_words: str | None


class WaitingDomain(Waiting):
    domain: str


class WaitingQueue(Waiting):
    queue: QueueOfMail


class Pause(Body):
    queue: QueueOfMail | None
    domain: str | None
    by: Who
    reason: str
    since: AwareDatetime


class Summary(Waiting):
    """All mails that have not left."""

    pauses: list[Pause]
    domains: list[WaitingDomain]
    queues: list[WaitingQueue]


class OutgoingItem(Body):
    """A mail that has not left. `recipients` are those who do not have it yet."""

    id: UUID
    ticket: TicketOfMail
    kind: str
    queue: QueueOfMail | None
    domain: str
    recipients: list[str]
    subject: str
    requested_at: AwareDatetime
    next_attempt_at: AwareDatetime | None = Field(description="null while it is paused")
    attempts: int
    on_its_way: bool
    paused: bool
    last_words: str | None = Field(description="what the server said at the last attempt")


class OutgoingPage(Body):
    items: list[OutgoingItem]
    next_cursor: str | None


class Decision(Body):
    id: UUID
    at: AwareDatetime
    action: Action
    by: Who
    reason: str
    queue: QueueOfMail | None
    domain: str | None
    mail: UUID | None
    ticket: UUID | None


class DecisionPage(Body):
    items: list[Decision]
    next_cursor: str | None


class PauseAnswer(Body):
    paused: bool


class MailAnswer(Body):
    id: UUID


def router(outgoing: Outgoing, copy: DirectoryCopy) -> APIRouter:
    routes = strict("/api/v1/outgoing", tags=["outgoing mail"])

    @routes.get("", operation_id="getOutgoing", response_model=Summary, summary="Mails that have not left, in numbers")
    async def summary(who: Caller) -> Response:
        _administrators(who)
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
        _administrators(who)
        part = _part(queue, domain, "/query/")
        cursors = request.app.state.cursors
        asked = ["outgoing", str(part.queue), part.domain]
        position = cursors.decode(who, asked, cursor)
        after = (datetime.fromisoformat(position[0]), UUID(position[1])) if position else None
        found = await outgoing.mails(part, after, limit + 1)
        more = None
        if len(found) > limit:
            last = found[limit - 1]
            more = cursors.encode(who, asked, [last["requested_at"].isoformat(), str(last["notification"])])
        return json_response(page([_item(row) for row in found[:limit]], more))

    @routes.get(
        "/decisions",
        operation_id="listOutgoingDecisions",
        response_model=DecisionPage,
        summary="What was decided about outgoing mail, newest first",
    )
    async def decisions(request: Request, who: Caller, limit: Limit = 50, cursor: CursorText = None) -> Response:
        _administrators(who)
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
        summary="Keep mail from leaving: all, of a queue, or to a domain",
    )
    @body_limit(SMALL_BODY)
    async def pause(who: Caller, key: Key, body: PauseBody) -> Response:
        _administrators(who)
        return await _once(key, lambda: outgoing.pause(_part(body.queue, body.domain), who, body.reason, key))

    @routes.post(
        "/resume", operation_id="resumeOutgoing", response_model=PauseAnswer, summary="Let mail leave that was paused"
    )
    @body_limit(SMALL_BODY)
    async def resume(who: Caller, key: Key, body: ResumeBody) -> Response:
        _administrators(who)
        return await _once(key, lambda: outgoing.resume(_part(body.queue, body.domain), who, body.reason.strip(), key))

    @routes.post(
        "/mails/{mail}/retry",
        operation_id="retryOutgoing",
        response_model=MailAnswer,
        summary="Try one mail at once, even if it is paused",
    )
    @body_limit(SMALL_BODY)
    async def retry(mail: UUID, who: Caller, key: Key) -> Response:
        _administrators(who)
        try:
            return _told(await outgoing.retry(mail, who, key))
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
        _administrators(who)
        try:
            return _told(await outgoing.give_up(mail, who, body.reason, key))
        except NotWaiting:
            raise problems.not_found() from None

    async def _once(key: CommandId, doing: Callable[[], Awaitable[Done]]) -> Response:
        return _told(await once(outgoing.store, key, doing, lambda told: Done(told or {}, replayed=True)))

    def _part(queue: str | None, domain: str | None, below: str = "/") -> Part:
        """Raises Problem 422 for both at once, a queue that does not exist, and what is no domain."""
        if queue is not None and domain is not None:
            raise problems.invalid(f"{below}domain", "name a queue or a domain, not both")
        if queue is not None:
            found = _found(queue)
            if found is None:
                raise problems.invalid(f"{below}queue", "there is no such queue")
            return Part(queue=found.id)
        if domain is not None:
            known = canonical_domain(domain)
            if known is None:
                raise problems.invalid(f"{below}domain", "is no domain such as outlook.com")
            return Part(domain=known)
        return Part()

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
            "since": _moment(row["since"]),
        }

    def _item(row: asyncpg.Record) -> dict[str, Any]:
        mail = orjson.loads(row["mail"])
        everybody = [each["email"] for name in ("to", "cc", "bcc") for each in mail.get(name, ())]
        return {
            "id": str(row["notification"]),
            "ticket": {"id": str(row["ticket_id"]), "number": row["number"]},
            "kind": row["kind"],
            "queue": _queue(row["queue_id"]),
            "domain": row["domain"],
            "recipients": row["remaining"] if row["remaining"] is not None else everybody,
            "subject": mail["subject"],
            "requested_at": _moment(row["requested_at"]),
            "next_attempt_at": None if row["paused"] else _moment(max(row["due_at"], datetime.now(UTC))),
            "attempts": row["attempts"],
            "on_its_way": row["on_its_way"],
            "paused": row["paused"],
            "last_words": row["last_words"],
        }

    def _decision(row: asyncpg.Record) -> dict[str, Any]:
        return {
            "id": str(row["decision"]),
            "at": _moment(row["decided_at"]),
            "action": row["action"],
            "by": {"id": str(row["by_id"]), "name": row["by_name"]},
            "reason": row["reason"],
            "queue": _queue(row["queue_id"]),
            "domain": row["domain"],
            "mail": _text(row["notification"]),
            "ticket": _text(row["ticket_id"]),
        }

    return routes


def _administrators(who: Identity) -> None:
    if not who.is_admin:
        raise problems.forbidden("Only administrators look after outgoing mail.")


def _told(done: Done) -> Response:
    headers = {HEADER: encode([Written("notify", *done.written)])} if done.written else None
    return json_response(done.answer, replayed=done.replayed, headers=headers)


def _counts(row: asyncpg.Record) -> dict[str, Any]:
    return {
        "waiting": row["waiting"],
        "on_their_way": row["on_their_way"],
        "paused": row["paused"],
        "oldest_at": _moment(row["oldest_at"]),
        "next_attempt_at": _moment(row["next_attempt_at"]),
        "last_words": row["last_words"],
    }


def _moment(value: datetime | None) -> str | None:
    return None if value is None else value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)
