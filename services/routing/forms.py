"""From a form's body to an article: texts made safe, attachments taken, standard answers filled in."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from uuid_utils.compat import uuid7

from services.routing.bodies import ReplyBody, Words
from services.routing.desk import Asked, Desk
from services.routing.ticket import Ticket
from shared import templates
from shared.blobs.uploads import UploadMissing
from shared.bounded import rich_text
from shared.bounded.rich_text import RichText
from shared.contracts.parts import Address, Attachment, Channel, Message
from shared.http import problems

INLINE_TEXT = 64 * 1024


async def attached(desk: Desk, asked: Asked, uploads: Sequence[UUID]) -> tuple[Attachment, ...]:
    """The files that a form names, which its sender has uploaded. Raises 422 for one that is nobody's or somebody else's."""
    if not uploads:
        return ()
    try:
        return tuple(await desk.uploads.take(uploads, asked.who.person_id))
    except UploadMissing as missing:
        raise problems.invalid(f"/attachments/{missing.index}", "names no blob of yours") from missing


def words(body: Words, channel: Channel, rich: RichText, files: tuple[Attachment, ...] = ()) -> Message:
    """The article of a form; `rich` is its rich text, made safe, which is read as plain text where the form has none."""
    if not body.has_words:
        raise problems.invalid("/text", "a text is missing")
    text = rich.beside(body.text)
    if len(text.encode()) > INLINE_TEXT:
        raise problems.invalid("/text", f"is longer than {INLINE_TEXT} bytes; send the rest as an attachment")
    if rich.html is not None and len(rich.html.encode()) > 4 * INLINE_TEXT:
        raise problems.invalid("/html", f"is longer than {4 * INLINE_TEXT} bytes; send the rest as an attachment")
    return Message(
        id=uuid7(),
        channel=channel,
        subject=body.subject,
        text=text,
        html=rich.html,
        attachments=files,
        written_at=datetime.now(UTC),
        reading_notes=rich.notes,
    )


async def article(desk: Desk, asked: Asked, body: Words, channel: Channel) -> Message:
    """The article of a form with its files."""
    made = words(body, channel, await rich_text.read(desk.processes, body.html))
    files = await attached(desk, asked, body.attachments)
    return made.model_copy(update={"attachments": files}) if files else made


async def remark(desk: Desk, asked: Asked, body: Words) -> Message | None:
    """The note of a form whose text may be left out; none where nothing was written."""
    if body.has_words:
        return await article(desk, asked, body, "note")
    if body.subject.strip() or body.attachments:
        named = body.subject.strip() or "(files)"
        return await article(desk, asked, Words(text=named, subject=body.subject, attachments=body.attachments), "note")
    return None


def answer(
    desk: Desk,
    asked: Asked,
    body: ReplyBody,
    rich: RichText,
    state: Ticket,
    article_id: UUID,
    files: tuple[Attachment, ...],
) -> Message:
    """The mail of a reply form, in the form's words or those of a standard answer (A8.01)."""
    if body.template is not None:
        body = _filled(desk, asked, body, state)
    message = words(body, "email", rich, files).model_copy(
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
        "customer": {"name": state.customer.name, "email": state.customer.email} if state.customer else {},
        "agent": {"name": asked.who.name},
        "queue": {"name": state.queue.name if state.queue else ""},
        "ticket": {"number": state.number, "title": state.title},
    }
    subject = body.subject or " ".join(templates.render(template.subject, known).split())[:500]
    if body.has_words:
        return body.model_copy(update={"subject": subject})
    return body.model_copy(update={"text": templates.render(template.text, known), "subject": subject})
