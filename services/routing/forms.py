"""From a form's body to an article: texts made safe, attachments taken, standard answers filled in."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from uuid_utils.compat import uuid7

from services.routing.bodies import ReplyBody, Words
from services.routing.desk import Asked, Desk
from services.routing.ticket import Ticket
from shared import richtext, templates
from shared.blobs.uploads import UploadMissing
from shared.contracts.parts import Address, Attachment, Channel, Message
from shared.http import problems

INLINE_TEXT = 64 * 1024
_UPLOADED = re.compile(
    r"""(\bsrc\s?=\s?["']?)(?:cid:|[^"'\s<>]{0,200}/api/v1/blobs/)([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?![\w@-])""",
    re.IGNORECASE,
)
"""An image that is a file of this desk's."""


async def attached(desk: Desk, asked: Asked, uploads: Sequence[UUID]) -> tuple[Attachment, ...]:
    """The files that a form names, which its sender has uploaded. Raises 422 for one that is nobody's or somebody else's."""
    if not uploads:
        return ()
    try:
        return tuple(await desk.uploads.take(uploads, asked.who.person_id))
    except UploadMissing as missing:
        raise problems.invalid(f"/attachments/{missing.index}", "names no blob of yours") from missing


def words(body: Words, channel: Channel, files: tuple[Attachment, ...] = ()) -> Message:
    """The article of a form. Rich text is made safe here, once, and read as plain text where the form has none. Of its files those that it
    shows as pictures get the Content-ID by which it names them."""
    if not body.has_words:
        raise problems.invalid("/text", "a text is missing")
    shown, html = richtext.read(_naming_pictures(body.html, files)) if body.html else ("", None)
    files = tuple(
        each.model_copy(update={"inline_id": _content_id(each)}) if html and _content_id(each) in html else each
        for each in files
    )
    text = body.text if body.text is not None else shown
    if len(text.encode()) > INLINE_TEXT:
        raise problems.invalid("/text", f"is longer than {INLINE_TEXT} bytes; send the rest as an attachment")
    if html is not None and len(html.encode()) > 4 * INLINE_TEXT:
        raise problems.invalid("/html", f"is longer than {4 * INLINE_TEXT} bytes; send the rest as an attachment")
    return Message(
        id=uuid7(),
        channel=channel,
        subject=body.subject,
        text=text,
        html=html,
        attachments=files,
        written_at=datetime.now(UTC),
    )


def _content_id(file: Attachment) -> str:
    return f"{file.id}@ledgerdesk"


def _naming_pictures(html: str, files: tuple[Attachment, ...]) -> str:
    """The HTML with the form's own files, which it shows from where they were uploaded, named as parts of the same mail."""
    known = {str(each.id): _content_id(each) for each in files}

    def named(image: re.Match[str]) -> str:
        content_id = known.get(image.group(2).lower())
        return image.group() if content_id is None else f"{image.group(1)}cid:{content_id}"

    return _UPLOADED.sub(named, html) if known else html


async def article(desk: Desk, asked: Asked, body: Words, channel: Channel) -> Message:
    """The article of a form with its files."""
    return words(body, channel, await attached(desk, asked, body.attachments))


async def remark(desk: Desk, asked: Asked, body: Words) -> Message | None:
    """The note of a form whose text may be left out; none where nothing was written."""
    if body.has_words:
        return await article(desk, asked, body, "note")
    if body.subject.strip() or body.attachments:
        named = body.subject.strip() or "(files)"
        return await article(desk, asked, Words(text=named, subject=body.subject, attachments=body.attachments), "note")
    return None


def answer(
    desk: Desk, asked: Asked, body: ReplyBody, state: Ticket, article_id: UUID, files: tuple[Attachment, ...]
) -> Message:
    """The mail of a reply form, in the form's words or those of a standard answer (A8.01)."""
    if body.template is not None:
        body = _filled(desk, asked, body, state)
    message = words(body, "email", files).model_copy(
        update={"id": article_id, "bcc": tuple(Address(email=each) for each in body.bcc)}
    )
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


def _filled(desk: Desk, asked: Asked, body: ReplyBody, state: Ticket) -> ReplyBody:
    """The form with the standard answer in it, if it has no words of its own. The template must be one of the ticket's queue."""
    template = desk.directory.settings.templates.get(body.template or "")
    slug = state.queue.slug if state.queue else ""
    if template is None or (template.queues and slug not in template.queues):
        raise problems.invalid("/template", "names no standard answer of this queue")
    known = {
        "customer": {"name": state.customer.called, "email": state.customer.email} if state.customer else {},
        "agent": {"name": asked.who.name},
        "queue": {"name": state.queue.name if state.queue else ""},
        "ticket": {"number": state.number, "title": state.title},
    }
    subject = body.subject or " ".join(templates.render(template.subject, known).split())[:500]
    if body.has_words:
        return body.model_copy(update={"subject": subject})
    return body.model_copy(update={"text": templates.render(template.text, known), "subject": subject})
