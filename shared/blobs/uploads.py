"""Files that somebody has uploaded and that no ticket names yet (api.md, section 3).

They stand in the blob store under `uploads/`, in no database: several services take them, and services do not ask each other. Until a
ticket names one it is its uploader's alone.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import orjson
from uuid_utils.compat import uuid7

from shared.blobs.store import BlobMissing, BlobStore
from shared.contracts.parts import Attachment, ScanResult

FOLDER = "uploads"
KEPT = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Upload:
    """What is known of an uploaded file; `size` in bytes, `scan` what a virus scanner said (null: none was asked)."""

    id: UUID
    person: UUID
    name: str
    type: str
    size: int
    scan: ScanResult | None = None


class UploadMissing(LookupError):
    """The upload at this place of a list is nobody's, somebody else's, or too old."""

    def __init__(self, index: int) -> None:
        super().__init__(index)
        self.index = index


class Uploads:
    """Uploads in a blob store."""

    def __init__(self, store: BlobStore) -> None:
        self.store = store

    async def put(
        self, person: UUID, name: str, media_type: str, content: bytes, scan: ScanResult | None = None
    ) -> Upload:
        """Keeps a file and answers once it is durable. Raises BlobStoreUnavailable."""
        upload = Upload(uuid7(), person, name, media_type, len(content), scan)
        await self.store.keep(_path(upload.id), orjson.dumps(asdict(upload)) + b"\n" + content)
        return upload

    async def own(self, upload: UUID, person: UUID) -> tuple[Upload, bytes] | None:
        """A person's own upload with its content; None for one that is not theirs or not there. Raises BlobStoreUnavailable."""
        try:
            head, _, content = (await self.store.at(_path(upload))).partition(b"\n")
        except BlobMissing:
            return None
        known = orjson.loads(head)
        if known["person"] != str(person):
            return None
        return Upload(upload, person, known["name"], known["type"], known["size"], known.get("scan")), content

    async def take(self, uploads: Sequence[UUID], person: UUID) -> list[Attachment]:
        """The uploads as attachments of an article, their content stored for good. The same again is the same, so that a retry works.

        Raises UploadMissing and BlobStoreUnavailable.
        """
        taken = []
        for index, each in enumerate(uploads):
            found = await self.own(each, person)
            if found is None:
                raise UploadMissing(index)
            upload, content = found
            blob = await self.store.put(content, upload.type)
            taken.append(Attachment(id=upload.id, name=upload.name, blob=blob, scan=upload.scan))
        return taken

    async def sweep(self, older_than: timedelta = KEPT) -> int:
        """Removes uploads of so long ago; what a ticket has taken meanwhile stays, for it was stored again. Answers how many."""
        return await self.store.forget(FOLDER, datetime.now(UTC) - older_than)


def _path(upload: UUID) -> str:
    return f"{FOLDER}/{upload}"
