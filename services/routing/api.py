"""The desk's commands over HTTP: one endpoint each (api.md, section 3)."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Response
from uuid_utils.compat import uuid7

from services.routing.bodies import CloseBody, LockBody, NoteBody, ReopenBody, ReplyBody, UnlockBody, Words
from services.routing.commands import AddNote, Close, Command, Lock, NextState, Reopen, Reply, Unlock
from services.routing.desk import Desk
from shared import richtext
from shared.contracts.access import Identity
from shared.contracts.event import Event
from shared.contracts.parts import Address, Channel, Message, PersonRef
from shared.contracts.states import OPEN, STANDARD
from shared.http import problems
from shared.http.bodies import Body
from shared.http.consistency import HEADER, Written, encode
from shared.http.etag import IfMatch, etag
from shared.http.idempotency import Command as Key
from shared.http.idempotency import answer
from shared.http.identity import Caller
from shared.http.routes import router as strict

Ref = Annotated[str, Path(max_length=64, description="the ticket's id or number")]
INLINE_TEXT = 64 * 1024


class Done(Body):
    """What a command answers: the ticket's new version and, where one was written, the article's id."""

    version: int
    article_id: UUID | None = None


def router(desk: Desk) -> APIRouter:
    routes = strict("/api/v1/tickets", tags=["desk"])

    async def give(
        ref: str,
        action: str,
        command: Command,
        who: Identity,
        key: Key,
        expected: int | None,
        article: UUID | None = None,
    ) -> Response:
        def told(events: Sequence[Event], version: int) -> dict[str, Any]:
            return {"version": version} | ({"article_id": str(article)} if article else {})

        stream, outcome = await desk.handle(ref, action, command, who=who, key=key, expected=expected, answer=told)
        return answer(
            outcome.answer,
            replayed=outcome.replayed,
            headers={HEADER: encode([Written("routing", stream, outcome.version)]), "ETag": etag(outcome.version)},
        )

    @routes.post("/{ref}/lock", operation_id="lockTicket", response_model=Done, summary="Lock a ticket to yourself")
    async def lock(ref: Ref, who: Caller, key: Key, expected: IfMatch, body: LockBody | None = None) -> Response:
        asked = body or LockBody()
        if asked.take_over and not asked.text.strip():
            raise problems.invalid("/text", "a take-over needs its reason")
        wanted = Lock(actor(who), take_over=asked.take_over, reason=asked.text, may_take_over=True)
        return await give(ref, "lock", wanted, who, key, expected)

    @routes.post("/{ref}/unlock", operation_id="unlockTicket", response_model=Done, summary="Give a lock back")
    async def unlock(ref: Ref, who: Caller, key: Key, expected: IfMatch, body: UnlockBody | None = None) -> Response:
        return await give(ref, "unlock", Unlock(actor(who), may_take_over=who.is_admin), who, key, expected)

    @routes.post("/{ref}/reply", operation_id="replyToTicket", response_model=Done, summary="Answer the customer")
    async def reply(ref: Ref, who: Caller, key: Key, expected: IfMatch, body: ReplyBody) -> Response:
        state = await desk.state(ref)
        queue = desk.directory.queues.by_id.get(state.queue.id) if state.queue else None
        following = body.wanted() or STANDARD.get(queue.next_state_after_reply if queue else "open", OPEN)
        sender = Address(email=queue.address or "", name=queue.display_name or queue.name) if queue else None
        message = words(body, "email").model_copy(
            update={
                "sender": sender,
                "to": tuple(Address(email=a) for a in body.to),
                "cc": tuple(Address(email=a) for a in body.cc),
                "bcc": tuple(Address(email=a) for a in body.bcc),
            }
        )
        owner = await desk.owner(body.owner, state) if body.owner is not None else None
        wanted = Reply(actor(who), message, NextState(following, body.pending_until), owner, body.time_units)
        return await give(ref, "reply", wanted, who, key, expected, message.id)

    @routes.post(
        "/{ref}/note",
        operation_id="addNote",
        response_model=Done,
        summary="Write a note, internal unless told otherwise",
    )
    async def note(ref: Ref, who: Caller, key: Key, expected: IfMatch, body: NoteBody) -> Response:
        message = words(body, "note")
        following = body.wanted()
        wanted = AddNote(
            actor(who),
            message,
            body.internal,
            NextState(following, body.pending_until) if following else None,
            body.time_units,
        )
        return await give(ref, "note", wanted, who, key, expected, message.id)

    @routes.post("/{ref}/close", operation_id="closeTicket", response_model=Done, summary="Close a ticket")
    async def close(ref: Ref, who: Caller, key: Key, expected: IfMatch, body: CloseBody | None = None) -> Response:
        asked = body or CloseBody()
        message = remark(asked.text, asked.subject)
        wanted = Close(actor(who), STANDARD[asked.state], message, asked.time_units)
        return await give(ref, "close", wanted, who, key, expected, message.id if message else None)

    @routes.post(
        "/{ref}/reopen", operation_id="reopenTicket", response_model=Done, summary="Open a closed ticket again"
    )
    async def reopen(ref: Ref, who: Caller, key: Key, expected: IfMatch, body: ReopenBody | None = None) -> Response:
        asked = body or ReopenBody()
        message = remark(asked.text, asked.subject)
        wanted = Reopen(actor(who), message, asked.time_units)
        return await give(ref, "reopen", wanted, who, key, expected, message.id if message else None)

    return routes


def actor(who: Identity) -> PersonRef:
    return PersonRef(id=who.person_id, name=who.name)


def words(body: Words, channel: Channel) -> Message:
    """The article of a form. Rich text is made safe here, once, and read as plain text where the form has none."""
    if not body.has_words:
        raise problems.invalid("/text", "a text is missing")
    if body.attachments:
        raise problems.invalid("/attachments/0", "names no blob of yours")
    shown, html = richtext.read(body.html) if body.html else ("", None)
    text = body.text if body.text is not None else shown
    if len(text.encode()) > INLINE_TEXT:
        raise problems.invalid("/text", f"is longer than {INLINE_TEXT} bytes; send the rest as an attachment")
    if html is not None and len(html.encode()) > 4 * INLINE_TEXT:
        raise problems.invalid("/html", f"is longer than {4 * INLINE_TEXT} bytes; send the rest as an attachment")
    return Message(
        id=uuid7(), channel=channel, subject=body.subject, text=text, html=html, written_at=datetime.now(UTC)
    )


def remark(text: str | None, subject: str) -> Message | None:
    """The note of a close or reopen form; none where nothing was written."""
    if not (text or "").strip() and not subject.strip():
        return None
    return words(Words(text=text or subject, subject=subject), "note")
