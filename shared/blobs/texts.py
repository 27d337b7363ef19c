"""Long texts: an event carries the beginning, a blob the whole (architecture, section 2)."""

from pydantic_core import to_json

from shared.blobs.store import BlobStore
from shared.contracts.parts import Blob

INLINE_BYTES = 64 * 1024
"""Of a text's JSON, which is what an event carries: there a character takes up to six."""


def size(text: str) -> int:
    """Bytes of a text in an event."""
    return len(to_json(text)) - len('""')


def fits(text: str, most: int = INLINE_BYTES) -> bool:
    """Whether a text takes at most so many bytes of an event."""
    return len(text) * 6 <= most or size(text) <= most


def beginning(text: str, most: int = INLINE_BYTES) -> str:
    """As much of a text as fits into so many bytes, cut between characters."""
    if fits(text, most):
        return text
    start = text.encode()[:most].decode(errors="ignore")
    while (taken := size(start)) > most:  # some of its characters are escaped
        start = start[: len(start) * most // taken]
    return start


async def stored(blobs: BlobStore, text: str) -> tuple[str, Blob | None]:
    """What an event says of a text: all of it, or its beginning and the blob that holds the whole."""
    start = beginning(text)
    if len(start) == len(text):
        return text, None
    return start, await blobs.put(text.encode(), "text/plain; charset=utf-8")


async def whole(blobs: BlobStore, text: str, blob: Blob | None) -> str:
    """The text of which an event says this. Raises BlobMissing and BlobStoreUnavailable."""
    return text if blob is None else (await blobs.get(blob.sha256)).decode("utf-8", "replace")
