"""Uploaded files that no ticket names yet.

They are in the blob store and not in a database, because several services use them and services do not call each
other. Until a ticket names a file, only its uploader has access. A new one is under `uploads/`; one that a draft names
is also under `drafts/`, where it stays longer.
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
FOLDER_OF_DRAFTS = "drafts"
KEPT_FOR_DRAFTS = timedelta(days=32)
"""A draft lasts 30 days and asks once a day that its files are kept."""


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
        await self.store.keep(_path(upload.id), _with_head(upload, content))
        return upload

    async def own(self, upload: UUID, person: UUID) -> tuple[Upload, bytes] | None:
        """A person's own upload with its content; None if it is not theirs or does not exist. Raises
        BlobStoreUnavailable."""
        stored = await self._stored(upload)
        if stored is None:
            return None
        head, _, content = stored.partition(b"\n")
        known = orjson.loads(head)
        if known["person"] != str(person):
            return None
        return Upload(upload, person, known["name"], known["type"], known["size"], known.get("scan")), content

    async def _stored(self, upload: UUID) -> bytes | None:
        for folder in (FOLDER, FOLDER_OF_DRAFTS):
            try:
                return await self.store.at(_path(upload, folder))
            except BlobMissing:
                continue
        return None

    async def keep_for_draft(self, upload: UUID, person: UUID) -> bool:
        """Keeps a person's own upload for a draft, counted from now; False if it is not theirs or does not exist.

        Raises BlobStoreUnavailable.
        """
        found = await self.own(upload, person)
        if found is None:
            return False
        await self.store.replace(_path(upload, FOLDER_OF_DRAFTS), _with_head(*found))
        return True

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
        now = datetime.now(UTC)
        of_drafts = await self.store.remove(FOLDER_OF_DRAFTS, now - max(older_than, KEPT_FOR_DRAFTS))
        return of_drafts + await self.store.remove(FOLDER, now - older_than)


def _path(upload: UUID, folder: str = FOLDER) -> str:
    return f"{folder}/{upload}"


def _with_head(upload: Upload, content: bytes) -> bytes:
    return orjson.dumps(asdict(upload)) + b"\n" + content
