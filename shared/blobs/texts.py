"""Long texts: an event carries the beginning, a blob the whole (architecture, section 2)."""

from shared.blobs.store import BlobStore
from shared.contracts.parts import Blob

INLINE_BYTES = 64 * 1024


def beginning(text: str, most: int = INLINE_BYTES) -> str:
    """As much of a text as fits into so many bytes of UTF-8, cut between characters."""
    if len(text) * 4 <= most:
        return text
    return text.encode()[:most].decode(errors="ignore")


async def stored(blobs: BlobStore, text: str) -> tuple[str, Blob | None]:
    """What an event says of a text: all of it, or its beginning and the blob that holds the whole."""
    start = beginning(text)
    if len(start) == len(text):
        return text, None
    return start, await blobs.put(text.encode(), "text/plain; charset=utf-8")
