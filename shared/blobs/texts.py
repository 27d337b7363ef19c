"""Long texts: an event has the beginning, a blob the whole."""

from pydantic_core import to_json

from shared.blobs.store import BlobStore
from shared.contracts.parts import Blob

INLINE_BYTES = 64 * 1024
"""Of a text as JSON in an event, where a character takes up to six bytes."""


def size(text: str) -> int:
    """Bytes of a text in an event."""
    return len(to_json(text)) - len('""')


def fits(text: str, most: int = INLINE_BYTES) -> bool:
    """Whether a text takes at most so many bytes in an event."""
    return len(text) * 6 <= most or size(text) <= most


def beginning(text: str, most: int = INLINE_BYTES) -> str:
    """The beginning of a text that fits into so many bytes, cut between characters."""
    if fits(text, most):
        return text
    start = text.encode()[:most].decode(errors="ignore")
    while (taken := size(start)) > most:  # some characters are escaped in JSON
        start = start[: len(start) * most // taken]
    return start


async def stored(blobs: BlobStore, text: str) -> tuple[str, Blob | None]:
    """The text as an event has it: the whole, or its beginning and the blob with the whole."""
    start = beginning(text)
    if len(start) == len(text):
        return text, None
    return start, await blobs.put(text.encode(), "text/plain; charset=utf-8")


async def whole(blobs: BlobStore, text: str, blob: Blob | None) -> str:
    """The whole text, from what an event has of it. Raises BlobMissing and BlobStoreUnavailable."""
    return text if blob is None else (await blobs.get(blob.sha256)).decode("utf-8", "replace")
