"""From what somebody wrote to an article: rich text made safe, files attached, standard answers filled in."""

import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

from uuid_utils.compat import uuid7

from services.routing.operations.request import CommandRequest
from services.routing.operations.tickets import TicketOperations
from services.routing.ticket import Ticket
from services.routing.ticket.context import Actor
from shared import templates
from shared.blobs import texts
from shared.blobs.uploads import UploadMissing
from shared.bounded import rich_text
from shared.bounded.rich_text import RichText
from shared.contracts.parts import Address, Attachment, Channel, Message
from shared.rules.refusals import invalid

INLINE_HTML = 256 * 1024
"""Bytes of an event that rich text may take. Unlike plain text, it is never cut."""
_UPLOADED = re.compile(
    r"""(\bsrc\s?=\s?["']?)(?:cid:|[^"'\s<>]{0,200}/api/v1/blobs/)"""
    r"""([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?![\w@-])""",
    re.IGNORECASE,
)
"""An image that is an uploaded file."""
_EMBEDDED = re.compile(
    r"""\bsrc\s?=\s?(["']?)(data:image/(png|jpeg|gif|webp);base64,([A-Za-z0-9+/\s]+={0,2}))\s?\1""", re.IGNORECASE
)
"""An image whose bytes are in the HTML itself, as editors write a pasted picture."""
MOST_EMBEDDED = 20
"""Pictures that the HTML of one article may embed."""


@dataclass(frozen=True, slots=True)
class Content:
    """What somebody wrote: a text, plain or rich or both, with files that they uploaded before."""

    text: str | None = None
    html: str | None = None
    subject: str = ""
    attachments: tuple[UUID, ...] = ()

    @property
    def has_text(self) -> bool:
        return bool((self.text or "").strip() or (self.html or "").strip())


@dataclass(frozen=True, slots=True)
class Recipients:
    to: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()


async def article(operations: TicketOperations, request: CommandRequest, content: Content, channel: Channel) -> Message:
    """The article of what somebody wrote. A long text is stored before an event names it."""
    content = await _with_embedded_pictures_as_files(operations, request.actor, content)
    files = await _attached(operations, request.actor, content.attachments)
    html = naming_pictures(content.html, files) if content.html else None
    made = message(content, channel, await rich_text.read(operations.processes, html), files)
    text, text_blob = await texts.stored(operations.uploads.store, made.text)
    return made.model_copy(update={"text": text, "text_blob": text_blob})


async def note(operations: TicketOperations, request: CommandRequest, content: Content) -> Message | None:
    """The note of a command whose text may be left out; None if nothing was written."""
    if content.has_text:
        return await article(operations, request, content, "note")
    if content.subject.strip() or content.attachments:
        text = content.subject.strip() or "(files)"
        return await article(operations, request, replace(content, text=text, html=None), "note")
    return None


async def empty_note(operations: TicketOperations, request: CommandRequest, content: Content) -> Message:
    """A note without a text, which the decider may give it."""
    files = await _attached(operations, request.actor, content.attachments)
    return _message(content, "note", "", RichText(""), files)


async def draft(
    operations: TicketOperations, request: CommandRequest, content: Content, template: str | None
) -> Message:
    """A reply as far as it is the same for every ticket. Without a text it waits for that of a standard answer."""
    if content.has_text or template is None:
        return await article(operations, request, content, "email")
    files = await _attached(operations, request.actor, content.attachments)
    return _message(content, "email", "", RichText(""), files)


def addressed(operations: TicketOperations, draft: Message, ticket: Ticket, recipients: Recipients) -> Message:
    """The draft as a mail from the address of the ticket's queue (A8.05)."""
    queue = operations.queue_of(ticket)
    return draft.model_copy(
        update={
            "sender": Address(email=queue.address or "", name=queue.display_name or queue.name) if queue else None,
            "to": tuple(Address(email=each) for each in recipients.to),
            "cc": tuple(Address(email=each) for each in recipients.cc),
            "bcc": tuple(Address(email=each) for each in recipients.bcc),
        }
    )


def filled(
    operations: TicketOperations, draft: Message, ticket: Ticket, actor: Actor, template: str, content: Content
) -> Message:
    """The draft with a standard answer of the ticket's queue (A8.01). A text that somebody wrote is kept."""
    answer = operations.directory.configuration.templates.get(template)
    slug = ticket.queue.slug if ticket.queue else ""
    if answer is None or (answer.queues and slug not in answer.queues):
        raise invalid("template", detail="This queue has no such standard answer.")
    variables = {
        "customer": {"name": ticket.customer.called, "email": ticket.customer.email} if ticket.customer else {},
        "agent": {"name": actor.name},
        "queue": {"name": ticket.queue.name if ticket.queue else ""},
        "ticket": {"number": ticket.number, "title": ticket.title},
    }
    subject = draft.subject or " ".join(templates.render(answer.subject, variables).split())[:500]
    if content.has_text:
        return draft.model_copy(update={"subject": subject})
    text = templates.render(answer.text, variables)
    if not text.strip():
        raise invalid("template", detail="This standard answer has no text for this ticket.")
    if not texts.fits(text):
        raise invalid("template", detail=f"This standard answer has more than {texts.INLINE_BYTES} bytes of text here.")
    return draft.model_copy(update={"text": text, "subject": subject})


def message(content: Content, channel: Channel, rich: RichText, files: tuple[Attachment, ...] = ()) -> Message:
    """The article of some content. `rich` is its rich text made safe, whose text stands in for a missing plain one.

    Files that the rich text shows as pictures get the Content-ID by which it names them.
    """
    if not content.has_text:
        raise invalid("text", detail="The text is missing.")
    files = tuple(
        each.model_copy(update={"inline_id": _content_id(each)})
        if rich.html and _content_id(each) in rich.html
        else each
        for each in files
    )
    if rich.html is not None and not texts.fits(rich.html, INLINE_HTML):
        raise invalid("html", detail=f"Rich text can have at most {INLINE_HTML} bytes. Send the rest as an attachment.")
    return _message(content, channel, rich.beside(content.text), rich, files)


def _message(content: Content, channel: Channel, text: str, rich: RichText, files: tuple[Attachment, ...]) -> Message:
    return Message(
        id=uuid7(),
        channel=channel,
        subject=content.subject,
        text=text,
        html=rich.html,
        attachments=files,
        written_at=datetime.now(UTC),
        reading_notes=rich.notes,
    )


async def _attached(operations: TicketOperations, actor: Actor, uploads: Sequence[UUID]) -> tuple[Attachment, ...]:
    """Files that the actor has uploaded."""
    if not uploads:
        return ()
    try:
        return tuple(await operations.uploads.take(uploads, actor.id))
    except UploadMissing as missing:
        raise invalid("attachments", missing.index, detail="You have not uploaded a file with this id.") from missing


def _content_id(file: Attachment) -> str:
    return f"{file.id}@ledgerdesk"


def naming_pictures(html: str, files: tuple[Attachment, ...]) -> str:
    """The HTML in which uploaded pictures are named as parts of the same mail, and not by their addresses."""
    known = {str(each.id): _content_id(each) for each in files}

    def named(image: re.Match[str]) -> str:
        content_id = known.get(image.group(2).lower())
        return image.group() if content_id is None else f"{image.group(1)}cid:{content_id}"

    return _UPLOADED.sub(named, html) if known else html


def embedded_pictures(html: str) -> dict[str, tuple[str, bytes]]:
    """Type and content of each picture that is embedded in the HTML, by its address there."""
    found: dict[str, tuple[str, bytes]] = {}
    for image in _EMBEDDED.finditer(html):
        try:
            found[image.group(2)] = (image.group(3).lower(), binascii.a2b_base64(image.group(4)))
        except binascii.Error:
            continue
    return found


async def _with_embedded_pictures_as_files(operations: TicketOperations, actor: Actor, content: Content) -> Content:
    """The content with pasted pictures as files: mail programs show no image that is embedded in the HTML."""
    pictures = embedded_pictures(content.html) if content.html else {}
    if not pictures or content.html is None:
        return content
    if len(pictures) > MOST_EMBEDDED:
        raise invalid("html", detail=f"A text can embed at most {MOST_EMBEDDED} pictures. Upload them as files.")
    html, uploads = content.html, list(content.attachments)
    for n, (address, (kind, picture)) in enumerate(pictures.items(), 1):
        ending = "jpg" if kind == "jpeg" else kind
        upload = await operations.uploads.put(actor.id, f"image-{n}.{ending}", f"image/{kind}", picture)
        html = html.replace(address, f"cid:{upload.id}")
        uploads.append(upload.id)
    return replace(content, html=html, attachments=tuple(uploads))
