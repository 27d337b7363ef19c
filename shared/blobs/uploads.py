"""Uploaded files that no ticket names yet.

They are in the blob store under `uploads/` and not in a database, because several services use them and services do not
call each other. Until a ticket names a file, only its uploader has access.
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
    """An uploaded file; `size` in bytes; `scan` is the virus scanner's result, None if there is no scanner."""

    id: UUID
    person: UUID
    name: str
    type: str
    size: int
    scan: ScanResult | None = None


class UploadMissing(LookupError):
    """The upload at this index of a list does not exist, belongs to somebody else, or is too old."""

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
        """Stores a file; returns once it is durable. Raises BlobStoreUnavailable."""
        upload = Upload(uuid7(), person, name, media_type, len(content), scan)
        await self.store.keep(_path(upload.id), orjson.dumps(asdict(upload)) + b"\n" + content)
        return upload

    async def own(self, upload: UUID, person: UUID) -> tuple[Upload, bytes] | None:
        """A person's own upload with its content; None if it is not theirs or does not exist. Raises
        BlobStoreUnavailable."""
        try:
            head, _, content = (await self.store.at(_path(upload))).partition(b"\n")
        except BlobMissing:
            return None
        known = orjson.loads(head)
        if known["person"] != str(person):
            return None
        return Upload(upload, person, known["name"], known["type"], known["size"], known.get("scan")), content

    async def take(self, uploads: Sequence[UUID], person: UUID) -> list[Attachment]:
        """The uploads as attachments of an article; their content is stored for good. Idempotent, so that a retry
        works.

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
        """Removes old uploads; returns how many. Files that a ticket has taken were stored again and stay."""
        return await self.store.remove(FOLDER, datetime.now(UTC) - older_than)


def _path(upload: UUID) -> str:
    return f"{FOLDER}/{upload}"
