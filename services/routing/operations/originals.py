"""The articles that a command is about, as reporting has them, and the first articles that a split makes of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from uuid_utils.compat import uuid7

from shared.blobs import texts
from shared.blobs.store import BlobMissing, BlobStore
from shared.contracts.parts import AnyWriterKind, Message, Writer
from shared.http import problems

MOST_JOINED = 16 * 1024 * 1024
"""Bytes of text that one split makes one article of; all of it stands in memory meanwhile."""
SENT_ON = frozenset(("forward", "bounce"))


class Original(Message):
    """An article: its message, whose words it has, and whether it is for the desk alone. What is not said, as by a reporting of before, is
    internal."""

    written_by: AnyWriterKind = "agent"
    author: str | None = None
    kind: str = "message"
    internal: bool = True

    @property
    def message(self) -> Message:
        return Message.model_construct(**{name: getattr(self, name) for name in Message.model_fields})

    @property
    def writer(self) -> Writer:
        return Writer(kind=self.written_by, name=self.author or "")

    @property
    def never_leaves(self) -> bool:
        """Whether it is a note or a call, which is for the desk alone (A7.10), and not a mail between the desk and others."""
        return self.internal and self.written_by == "agent" and self.kind not in SENT_ON


@dataclass(frozen=True, slots=True)
class TakenOut:
    """What a ticket begins with that was split off: `note` is the rest, for the desk alone, of what the customer reads in part."""

    message: Message
    writer: Writer
    internal: bool
    note: Message | None = None


async def taken_out(blobs: BlobStore, originals: Sequence[Original]) -> TakenOut:
    """What is internal stays internal: beside words that the customer reads it becomes a note. Raises Problem 422 for more text than is joined, 503
    for a text that is not in the blob store."""
    public = [each for each in originals if not each.internal]
    internal = [each for each in originals if each.internal]
    first = public or internal
    note = await _joined(blobs, internal) if public and internal else None
    return TakenOut(await _joined(blobs, first), first[0].writer, not public, note)


async def _joined(blobs: BlobStore, originals: Sequence[Original]) -> Message:
    """The first article with the texts and files of the others below it. Where the writer changes, a line tells who goes on."""
    first = originals[0]
    joined = first.message.model_copy(update={"id": uuid7(), "bcc": ()})
    if len(originals) == 1:
        return joined
    if sum(each.text_blob.size if each.text_blob else len(each.text.encode()) for each in originals) > MOST_JOINED:
        raise problems.invalid("/articles", f"have more than {MOST_JOINED >> 20} MiB of text: take fewer at once")
    pieces: list[str] = []
    writer = first.writer
    for each in originals:
        if each.writer != writer:
            writer = each.writer
            pieces.append(f"{writer.name or writer.kind}:")
        pieces.append(await _whole(blobs, each))
    text, text_blob = await texts.stored(blobs, "\n\n".join(filter(None, pieces)))
    return joined.model_copy(
        update={
            "text": text,
            "text_blob": text_blob,
            "new_text": None,
            "html": None,
            "attachments": tuple({file.id: file for each in originals for file in each.attachments}.values()),
            "reading_notes": tuple(dict.fromkeys(note for each in originals for note in each.reading_notes)),
        }
    )


async def _whole(blobs: BlobStore, message: Message) -> str:
    try:
        return await texts.whole(blobs, message.text, message.text_blob)
    except BlobMissing:
        raise problems.unavailable("The text of an article is not in the blob store.") from None
