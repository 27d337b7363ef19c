"""Mails over HTTP: handing in a mail, and the list of mails that arrived."""

from dataclasses import replace
from datetime import UTC
from ipaddress import ip_address
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime, Field

from services.intake.mail.verdict import Outcome
from services.intake.mailroom.envelope import Envelope
from services.intake.mailroom.mailroom import Mailroom
from services.intake.records.mails import Mail
from shared.blobs.store import BlobMissing
from shared.http import problems, story
from shared.http.bodies import Body, content, example
from shared.http.headers.consistency import HEADER, Written, encode
from shared.http.headers.idempotency import HEADER as KEY
from shared.http.headers.idempotency import command_id, json_response
from shared.http.identity import Caller
from shared.http.paging import CursorText, Limit, page
from shared.http.references import TicketNamed
from shared.http.routes import router as strict
from shared.http.serving.limits import MAX_BODY, SMALL_BODY, body_limit
from shared.rules.access import Identity

MOST_RECIPIENTS = 1_000
LONGEST_ADDRESS = 512


TAKEN = {
    "id": story.MAIL,
    "outcome": "created",
    "reason": "a new question",
    "ticket": {"id": story.TICKET, "number": story.NUMBER},
}
LISTED = TAKEN | {
    "received_at": story.OPENED_AT,
    "envelope_from": story.CUSTOMER["email"],
    "envelope_to": ["it@help.example.org"],
    "from": story.CUSTOMER["email"],
    "subject": story.TITLE,
    "size": 2048,
}


class Taken(Body):
    """What became of a mail."""

    model_config = example(TAKEN)

    id: UUID
    outcome: Outcome
    reason: str
    ticket: TicketNamed | None


class MailItem(Taken):
    """A mail in the list."""

    model_config = example(LISTED)

    received_at: AwareDatetime
    envelope_from: str = Field(description="Empty for the null sender.")
    envelope_to: list[str]
    sender: str | None = Field(alias="from", description="The address in the mail's own From.")
    subject: str
    size: int


class MailPage(Body):
    items: list[MailItem]
    next_cursor: str | None


class Bounce(Body):
    """An address that a mail could not be delivered to. `hard`: the address itself is dead."""

    model_config = example(
        {"recipient": "nobody@acme.example", "status": "5.1.1", "hard": True, "diagnostic": "550 5.1.1 User unknown"}
    )

    recipient: str
    status: str
    hard: bool
    diagnostic: str


class SpamVerdict(Body):
    """The verdict of a spam filter in front of the desk; `source` is the header field that has it."""

    is_spam: bool
    score: float | None
    source: str


class MailDetails(MailItem):
    """One mail, with what was found in it; `wrong` lists what could not be read."""

    model_config = example(
        LISTED
        | {
            "message_id": "<20261129091402.17@acme.example>",
            "reasons": ["a new question"],
            "bounces": [],
            "authentication": ["dkim=pass"],
            "spam": None,
            "wrong": [],
        }
    )

    message_id: str | None
    reasons: list[str]
    bounces: list[Bounce]
    authentication: list[str]
    spam: SpamVerdict | None
    wrong: list[str]


HAND_IN = {
    "requestBody": {
        "required": True,
        "content": {"message/rfc822": {"schema": {"type": "string", "format": "binary"}}},
    },
    "parameters": [
        {
            "name": "X-Envelope-From",
            "in": "header",
            "required": True,
            "description": "The envelope's sender; empty or <> for the null sender.",
            "schema": {"type": "string", "maxLength": LONGEST_ADDRESS},
        },
        {
            "name": "X-Envelope-To",
            "in": "header",
            "required": True,
            "description": "The envelope's recipients; the header may be repeated.",
            "schema": {"type": "string"},
        },
        {
            "name": "X-Client-Address",
            "in": "header",
            "required": False,
            "description": "The address of the client that brought the mail to the mail system, if known. SPF needs it.",
            "schema": {"type": "string", "maxLength": 64},
        },
        {
            "name": "X-Client-Helo",
            "in": "header",
            "required": False,
            "description": "The name that this client gave in HELO or EHLO.",
            "schema": {"type": "string", "maxLength": 255},
        },
    ],
}


def router(mailroom: Mailroom) -> APIRouter:
    routes = strict("/api/v1", tags=["mails"])

    @routes.post(
        "/mail",
        operation_id="handInMail",
        status_code=202,
        response_model=Taken,
        summary="Hand in a raw mail",
        openapi_extra=HAND_IN,
    )
    @body_limit(MAX_BODY)
    async def hand_in(request: Request, who: Caller) -> Response:
        if not who.is_admin and "mail" not in (who.scopes or ()):
            raise problems.forbidden("This needs a token with the scope mail.")
        if who.scopes is not None and "mail" not in who.scopes:
            raise problems.forbidden("This token does not have the scope mail.")
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "message/rfc822":
            raise problems.Problem(415, "unsupported-media-type", "Send the raw mail as message/rfc822.")
        # Whoever may change every setting may also give instructions in mails (A1.26).
        trusted = who.is_admin and (who.scopes is None or "manage" in who.scopes)
        envelope = replace(_envelope(request), trusted=trusted)
        raw = await request.body()
        if not raw:
            raise problems.invalid("", "The body is empty: it must be the raw mail.")
        key = request.headers.get(KEY)
        if key is None:
            return _response(await mailroom.take(raw, envelope), 202)
        command = command_id(who.person_id, "POST", request.url.path, key, raw)
        known = await mailroom.records.store.response_of(command)
        if known is not None and known.response is not None:
            return _response(await _mail(mailroom, UUID(known.response["mail"])), 202, replayed=True)
        return _response(await mailroom.take(raw, envelope, command), 202)

    @routes.get("/mails", operation_id="listMails", response_model=MailPage, summary="Mails that arrived, newest first")
    async def mails(request: Request, who: Caller, limit: Limit = 50, cursor: CursorText = None) -> Response:
        _require_administrator(who)
        cursors = request.app.state.cursors
        position = cursors.decode(who, "mails", cursor)
        found = await mailroom.records.mails.newest(before=UUID(position[0]) if position else None, limit=limit + 1)
        more = cursors.encode(who, "mails", [str(found[limit - 1].id)]) if len(found) > limit else None
        return json_response(page([_shown(mail) for mail in found[:limit]], more))

    @routes.get(
        "/mails/{mail_id}",
        operation_id="getMail",
        response_model=MailDetails,
        summary="One mail, with what was found in it",
    )
    async def mail(mail_id: UUID, who: Caller) -> Response:
        _require_administrator(who)
        found = await _mail(mailroom, mail_id)
        details = {key: found.found.get(key, []) for key in ("bounces", "authentication", "wrong")}
        return json_response(
            _shown(found)
            | {"message_id": found.found.get("message_id"), "reasons": [found.reason], "spam": found.found.get("spam")}
            | details
        )

    @routes.get(
        "/mails/{mail_id}/raw",
        operation_id="getRawMail",
        summary="The mail exactly as it arrived",
        **content("message/rfc822", story.RAW_MAIL),
    )
    async def raw(mail_id: UUID, who: Caller) -> Response:
        _require_administrator(who)
        found = await _mail(mailroom, mail_id)
        try:
            raw_mail = await mailroom.blobs.stream(found.blob)
        except BlobMissing:
            raise problems.unavailable("The content of this mail cannot be found in storage.") from None
        headers = {
            "Content-Length": str(found.size),
            "Content-Disposition": f'attachment; filename="{found.id}.eml"',
            "X-Content-Type-Options": "nosniff",
        }
        return StreamingResponse(raw_mail, media_type="message/rfc822", headers=headers)

    @routes.post(
        "/mails/{mail_id}/process", operation_id="processMail", response_model=Taken, summary="Handle a mail again"
    )
    @body_limit(SMALL_BODY)
    async def process(mail_id: UUID, who: Caller) -> Response:
        _require_administrator(who)
        try:
            found = await mailroom.process(mail_id)
        except BlobMissing:
            raise problems.unavailable("The content of this mail cannot be found in storage.") from None
        if found is None:
            raise problems.not_found()
        return _response(found, 200)

    return routes


def _require_administrator(who: Identity) -> None:
    if not who.is_admin:
        raise problems.forbidden("Only administrators may see mails.")


async def _mail(mailroom: Mailroom, mail_id: UUID) -> Mail:
    found = await mailroom.records.mails.get(mail_id)
    if found is None:
        raise problems.not_found()
    return found


def _envelope(request: Request) -> Envelope:
    """The envelope in the headers: exactly one sender (`<>` or empty is the null sender), at least one recipient."""
    senders = request.headers.getlist("x-envelope-from")
    if len(senders) != 1:
        raise problems.invalid("/header/x-envelope-from", "Send this header once; empty or <> for the null sender.")
    recipients = [
        a for value in request.headers.getlist("x-envelope-to") for a in _addresses(value, "/header/x-envelope-to")
    ]
    if not 1 <= len(recipients) <= MOST_RECIPIENTS:
        raise problems.invalid("/header/x-envelope-to", f"Name 1 to {MOST_RECIPIENTS} recipients.")
    sender = _addresses(senders[0], "/header/x-envelope-from")
    client = request.headers.get("x-client-address", "").strip()
    try:
        known = str(ip_address(client)) if client else ""
    except ValueError:
        raise problems.invalid("/header/x-client-address", "This is not an IP address.") from None
    helo = request.headers.get("x-client-helo", "").strip()[:255]
    return Envelope(sender[0] if sender else "", tuple(recipients), client=known, helo=helo)


def _addresses(value: str, pointer: str) -> list[str]:
    """The addresses of one header line. It may have several, because proxies join repeated headers with commas."""
    # ASGI servers decode headers as Latin-1; an address may be UTF-8 (RFC 6531).
    text = value.encode("latin-1", "replace").decode("utf-8", "replace")
    found = [each.strip().removeprefix("<").removesuffix(">").strip() for each in text.split(",")]
    for each in found:
        if len(each) > LONGEST_ADDRESS or any(c <= " " or c == "\x7f" for c in each):
            raise problems.invalid(pointer, "This is not a valid e-mail address.")
    return [each for each in found if each]


def _ticket(mail: Mail) -> dict[str, str] | None:
    return {"id": str(mail.ticket_id), "number": mail.number or ""} if mail.ticket_id else None


def _response(mail: Mail, status: int, *, replayed: bool = False) -> Response:
    headers = {HEADER: encode([Written("intake", mail.ticket_id, 1)])} if mail.ticket_id else None
    taken = {"id": str(mail.id), "outcome": mail.outcome, "reason": mail.reason, "ticket": _ticket(mail)}
    return json_response(taken, status=status, replayed=replayed, headers=headers)


def _shown(mail: Mail) -> dict[str, Any]:
    return {
        "id": str(mail.id),
        "received_at": mail.received_at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "outcome": mail.outcome,
        "reason": mail.reason,
        "ticket": _ticket(mail),
        "envelope_from": mail.envelope_from,
        "envelope_to": list(mail.envelope_to),
        "from": mail.found.get("from"),
        "subject": mail.found.get("subject", ""),
        "size": mail.size,
    }
