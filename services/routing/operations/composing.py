"""From a form's body to an article: texts made safe, attachments taken, standard answers filled in."""

import binascii
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from uuid_utils.compat import uuid7

from services.routing.api.bodies import ReplyBody, Words
from services.routing.operations.tickets import Asked, Desk
from services.routing.ticket import Ticket
from shared import templates
from shared.blobs import texts
from shared.blobs.uploads import UploadMissing
from shared.bounded import rich_text
from shared.bounded.rich_text import RichText
from shared.contracts.parts import Address, Attachment, Channel, Message
from shared.http import problems

INLINE_HTML = 256 * 1024
"""Bytes of an event that rich text may take; unlike plain text it is never cut."""
_UPLOADED = re.compile(
    r"""(\bsrc\s?=\s?["']?)(?:cid:|[^"'\s<>]{0,200}/api/v1/blobs/)([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?![\w@-])""",
    re.IGNORECASE,
)
"""An image that is a file of this desk's."""
_IN_PLACE = re.compile(
    r"""\bsrc\s?=\s?(["']?)(data:image/(png|jpeg|gif|webp);base64,([A-Za-z0-9+/\s]+={0,2}))\s?\1""", re.IGNORECASE
)
"""An image whose bytes stand in the HTML, as editors write it that somebody pasted a picture into."""
MOST_IN_PLACE = 20
"""Pictures of one form that stand in its HTML."""


async def attached(desk: Desk, asked: Asked, uploads: Sequence[UUID]) -> tuple[Attachment, ...]:
    """The files that a form names, which its sender has uploaded. Raises 422 for one that is nobody's or somebody else's."""
    if not uploads:
        return ()
    try:
        return tuple(await desk.uploads.take(uploads, asked.who.person_id))
    except UploadMissing as missing:
        raise problems.invalid(f"/attachments/{missing.index}", "names no blob of yours") from missing


def words(body: Words, channel: Channel, rich: RichText, files: tuple[Attachment, ...] = ()) -> Message:
    """The article of a form; `rich` is its rich text, made safe, which is read as plain text where the form has none. Of its files those that
    it shows as pictures get the Content-ID by which it names them."""
    if not body.has_words:
        raise problems.invalid("/text", "a text is missing")
    files = tuple(
        each.model_copy(update={"inline_id": _content_id(each)})
        if rich.html and _content_id(each) in rich.html
        else each
        for each in files
    )
    if rich.html is not None and not texts.fits(rich.html, INLINE_HTML):
        raise problems.invalid("/html", f"is longer than {INLINE_HTML} bytes; send the rest as an attachment")
    return _message(body, channel, rich.beside(body.text), rich, files)


def _message(body: Words, channel: Channel, text: str, rich: RichText, files: tuple[Attachment, ...]) -> Message:
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


def _content_id(file: Attachment) -> str:
    return f"{file.id}@ledgerdesk"


def naming_pictures(html: str, files: tuple[Attachment, ...]) -> str:
    """The HTML with the form's own files, which it shows from where they were uploaded, named as parts of the same mail."""
    known = {str(each.id): _content_id(each) for each in files}

    def named(image: re.Match[str]) -> str:
        content_id = known.get(image.group(2).lower())
        return image.group() if content_id is None else f"{image.group(1)}cid:{content_id}"

    return _UPLOADED.sub(named, html) if known else html


def pictures_in_place(html: str) -> dict[str, tuple[str, bytes]]:
    """The type and the content of each picture that stands in the HTML itself, by its address there."""
    found: dict[str, tuple[str, bytes]] = {}
    for image in _IN_PLACE.finditer(html):
        try:
            found[image.group(2)] = (image.group(3).lower(), binascii.a2b_base64(image.group(4)))
        except binascii.Error:
            continue
    return found


async def _with_pictures_as_files(desk: Desk, asked: Asked, body: Words) -> Words:
    """The form whose pasted pictures are files of its sender's: mail programs show no image that stands in the HTML itself."""
    pictures = pictures_in_place(body.html) if body.html else {}
    if not pictures or body.html is None:
        return body
    if len(pictures) > MOST_IN_PLACE:
        raise problems.invalid("/html", f"has more than {MOST_IN_PLACE} pictures in it; upload them")
    html, uploads = body.html, list(body.attachments)
    for n, (address, (kind, content)) in enumerate(pictures.items(), 1):
        ending = kind.replace("jpeg", "jpg")
        upload = await desk.uploads.put(asked.who.person_id, f"image-{n}.{ending}", f"image/{kind}", content)
        html = html.replace(address, f"cid:{upload.id}")
        uploads.append(upload.id)
    return body.model_copy(update={"html": html, "attachments": uploads})


async def article(desk: Desk, asked: Asked, body: Words, channel: Channel) -> Message:
    """The article of a form with its files; a long text of it is stored before an event names it."""
    body = await _with_pictures_as_files(desk, asked, body)
    files = await attached(desk, asked, body.attachments)
    made = words(body, channel, await rich_text_of(desk, body, files), files)
    text, text_blob = await texts.stored(desk.uploads.store, made.text)
    return made.model_copy(update={"text": text, "text_blob": text_blob})


async def rich_text_of(desk: Desk, body: Words, files: tuple[Attachment, ...]) -> RichText:
    """A form's rich text, made safe, in which the form's own files are pictures of the same mail."""
    return await rich_text.read(desk.processes, naming_pictures(body.html, files) if body.html else None)


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
    return _message(body, "email", "", RichText(""), await attached(desk, asked, body.attachments))


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
    template = desk.directory.configuration.templates.get(body.template or "")
    slug = state.queue.slug if state.queue else ""
    if template is None or (template.queues and slug not in template.queues):
        raise problems.invalid("/template", "names no standard answer of this queue")
    known = {
        "customer": {"name": state.customer.called, "email": state.customer.email} if state.customer else {},
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
