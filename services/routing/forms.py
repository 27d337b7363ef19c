"""From a form's body to an article: texts made safe, attachments taken, standard answers filled in."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from uuid_utils.compat import uuid7

from services.routing.bodies import ReplyBody, Words
from services.routing.desk import Asked, Desk
from services.routing.ticket import Ticket
from shared import richtext, templates
from shared.blobs import texts
from shared.blobs.uploads import UploadMissing
from shared.contracts.parts import Address, Attachment, Channel, Message
from shared.http import problems

INLINE_HTML = 256 * 1024
"""Bytes of an event that rich text may take; unlike plain text it is never cut."""


async def attached(desk: Desk, asked: Asked, uploads: Sequence[UUID]) -> tuple[Attachment, ...]:
    """The files that a form names, which its sender has uploaded. Raises 422 for one that is nobody's or somebody else's."""
    if not uploads:
        return ()
    try:
        return tuple(await desk.uploads.take(uploads, asked.who.person_id))
    except UploadMissing as missing:
        raise problems.invalid(f"/attachments/{missing.index}", "names no blob of yours") from missing


def words(body: Words, channel: Channel) -> Message:
    """The article of a form. Rich text is made safe here, once, and read as plain text where the form has none."""
    if not body.has_words:
        raise problems.invalid("/text", "a text is missing")
    shown, html = richtext.read(body.html) if body.html else ("", None)
    if html is not None and not texts.fits(html, INLINE_HTML):
        raise problems.invalid("/html", f"is longer than {INLINE_HTML} bytes; send the rest as an attachment")
    return _message(body, channel, body.text if body.text is not None else shown, html)


def _message(body: Words, channel: Channel, text: str, html: str | None) -> Message:
    return Message(
        id=uuid7(), channel=channel, subject=body.subject, text=text, html=html, written_at=datetime.now(UTC)
    )


async def article(desk: Desk, asked: Asked, body: Words, channel: Channel) -> Message:
    """The article of a form with its files; a long text of it is stored before an event names it."""
    made = words(body, channel)
    text, text_blob = await texts.stored(desk.uploads.store, made.text)
    files = await attached(desk, asked, body.attachments)
    return made.model_copy(update={"text": text, "text_blob": text_blob, "attachments": files})


async def remark(desk: Desk, asked: Asked, body: Words) -> Message | None:
    """The note of a form whose text may be left out; none where nothing was written."""
    if body.has_words:
        return await article(desk, asked, body, "note")
    if body.subject.strip() or body.attachments:
        named = body.subject.strip() or "(files)"
        return await article(desk, asked, Words(text=named, subject=body.subject, attachments=body.attachments), "note")
    return None


async def draft(desk: Desk, asked: Asked, body: ReplyBody) -> Message:
    """The mail of a reply form as far as it is the same on every ticket: without words of its own it waits for those of a standard answer."""
    if body.has_words or body.template is None:
        return await article(desk, asked, body, "email")
    files = await attached(desk, asked, body.attachments)
    return _message(body, "email", "", None).model_copy(update={"attachments": files})


def answer(desk: Desk, asked: Asked, body: ReplyBody, state: Ticket, message: Message) -> Message:
    """The draft as the mail of this ticket, with a standard answer filled in (A8.01)."""
    if body.template is not None:
        message = _filled(desk, asked, body, state, message)
    message = message.model_copy(update={"bcc": tuple(Address(email=each) for each in body.bcc)})
    return addressed(desk, message, state, body.to, body.cc)


def addressed(desk: Desk, message: Message, state: Ticket, to: Sequence[str], cc: Sequence[str]) -> Message:
    """A mail from the address of the queue in which the ticket stands (A8.05)."""
    queue = desk.queue_of(state)
    return message.model_copy(
        update={
            "sender": Address(email=queue.address or "", name=queue.display_name or queue.name) if queue else None,
            "to": tuple(Address(email=each) for each in to),
            "cc": tuple(Address(email=each) for each in cc),
        }
    )


def _filled(desk: Desk, asked: Asked, body: ReplyBody, state: Ticket, message: Message) -> Message:
    """The draft with the standard answer in it, if it has no words of its own. The template must be one of the ticket's queue."""
    template = desk.directory.settings.templates.get(body.template or "")
    slug = state.queue.slug if state.queue else ""
    if template is None or (template.queues and slug not in template.queues):
        raise problems.invalid("/template", "names no standard answer of this queue")
    known = {
        "customer": {"name": state.customer.name, "email": state.customer.email} if state.customer else {},
        "agent": {"name": asked.who.name},
        "queue": {"name": state.queue.name if state.queue else ""},
        "ticket": {"number": state.number, "title": state.title},
    }
    subject = message.subject or " ".join(templates.render(template.subject, known).split())[:500]
    if body.has_words:
        return message.model_copy(update={"subject": subject})
    text = templates.render(template.text, known)
    if not text.strip():
        raise problems.invalid("/template", "has no words for this ticket")
    if not texts.fits(text):
        raise problems.invalid("/template", f"makes a text of more than {texts.INLINE_BYTES} bytes")
    return message.model_copy(update={"text": text, "subject": subject})
