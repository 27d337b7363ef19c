"""Articles that a command is about, as reporting has them, and what a split makes of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from uuid_utils.compat import uuid7

from shared.blobs import texts
from shared.blobs.store import BlobMissing, BlobStore
from shared.contracts.parts import AnyWriterKind, Message, Writer
from shared.rules.refusals import Unavailable, invalid

MOST_JOINED = 16 * 1024 * 1024
"""Bytes of text that one split joins. All of it is in memory meanwhile."""
SENT_ON = frozenset(("forward", "bounce"))
NOTES = frozenset(("note", "solution", "move", "assign"))
"""The notes that a rule writes in nobody's name."""


class Original(Message):
    """An article: its message, its writer, and whether it is internal. An article that does not say so is internal."""

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
        """Whether it is an internal note or call (A7.10), and not a mail between the desk and others."""
        by_a_rule = self.written_by == "system" and self.kind in NOTES
        return self.internal and (by_a_rule or self.written_by == "agent") and self.kind not in SENT_ON


@dataclass(frozen=True, slots=True)
class SplitContent:
    """What the new ticket of a split begins with: its first article, and a note with the internal ones among public."""

    message: Message
    writer: Writer
    internal: bool
    note: Message | None = None


async def split_content(blobs: BlobStore, originals: Sequence[Original]) -> SplitContent:
    """Internal articles stay internal: among public ones they become a note.

    Raises Invalid for too much text, and Unavailable for a text that is not in the blob store.
    """
    public = [each for each in originals if not each.internal]
    internal = [each for each in originals if each.internal]
    first = public or internal
    note = await _joined(blobs, internal) if public and internal else None
    return SplitContent(await _joined(blobs, first), first[0].writer, not public, note)


async def _joined(blobs: BlobStore, originals: Sequence[Original]) -> Message:
    """The first article with the texts and files of the others. A line with the name shows where the writer changes."""
    first = originals[0]
    joined = first.message.model_copy(update={"id": uuid7(), "bcc": ()})
    if len(originals) == 1:
        return joined
    if sum(each.text_blob.size if each.text_blob else len(each.text.encode()) for each in originals) > MOST_JOINED:
        most = f"{MOST_JOINED >> 20} MiB"
        raise invalid("articles", detail=f"These articles have more than {most} of text. Choose fewer at once.")
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
        raise Unavailable("The text of an article cannot be found in storage.") from None
