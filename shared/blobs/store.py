"""Content-addressed blobs: raw mails, attachments and long texts.

A blob's key is the SHA-256 of its content, so the same content is one blob and blobs never change. When `put` returns
the blob is durable: an event may name it (decision record 0020).
"""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import LocalStore, MemoryStore, ObjectStore, from_url
from prometheus_client import Counter

from shared.blobs.local import DurableFiles
from shared.contracts.parts import Blob

REFUSED = Counter("ledgerdesk_blobs_refused", "Blobs that the store did not take: it is full, gone or not reachable")
CHUNK = 256 * 1024
WRITERS = 8
_SHA256 = re.compile(r"[0-9a-f]{64}")


class BlobStoreUnavailable(OSError):
    """The store cannot be reached, is full, or refuses. Nothing was acknowledged; the same request may succeed later
    (503)."""


class BlobMissing(LookupError):
    """There is no blob with this key."""


def key_of(content: bytes) -> str:
    """The key of a content: its SHA-256 in hex."""
    return hashlib.sha256(content).hexdigest()


def path_of(sha256: str) -> str:
    """The path of a blob in the store. Raises BlobMissing for an invalid key."""
    if not _SHA256.fullmatch(sha256):
        raise BlobMissing(sha256)
    return f"{sha256[:2]}/{sha256}"


class BlobStore:
    """Blobs at a URL: `file:///directory`, `s3://bucket/prefix`, or `memory:///` in tests. No call blocks the event
    loop."""

    def __init__(self, url: str) -> None:
        self._files: DurableFiles | None = None
        self._root: Path | None = None
        self._writers = ThreadPoolExecutor(WRITERS, thread_name_prefix="blobs")
        parts = urlsplit(url)
        self._objects: ObjectStore
        if parts.scheme == "file":
            root = self._root = Path(unquote(parts.path))
            try:
                self._files = DurableFiles(root)
                self._objects = LocalStore(root)
            except (OSError, BaseError) as error:
                raise BlobStoreUnavailable(f"the blob store {root} cannot be opened: {_brief(error)}") from error
        elif parts.scheme == "memory":
            self._objects = MemoryStore()
        else:
            self._objects = from_url(url)

    async def put(self, content: bytes, media_type: str = "application/octet-stream") -> Blob:
        """Stores a content; returns once it is durable. Raises BlobStoreUnavailable."""
        loop = asyncio.get_running_loop()
        key = key_of(content) if len(content) <= CHUNK else await loop.run_in_executor(self._writers, key_of, content)
        await self.keep(path_of(key), content)
        return Blob(sha256=key, size=len(content), type=media_type)

    async def keep(self, path: str, content: bytes) -> None:
        """Stores a content at a path unless one is there; returns once it is durable. Raises BlobStoreUnavailable."""
        await self._store(path, content, replace=False)

    async def replace(self, path: str, content: bytes) -> None:
        """Stores a content at a path, where it counts as new; returns once it is durable. Raises
        BlobStoreUnavailable."""
        await self._store(path, content, replace=True)

    async def _store(self, path: str, content: bytes, *, replace: bool) -> None:
        try:
            if self._files is not None:
                write = self._files.replace if replace else self._files.write
                await asyncio.get_running_loop().run_in_executor(self._writers, write, path, content)
            else:
                await obstore.put_async(self._objects, path, content, mode="overwrite" if replace else "create")
        except AlreadyExistsError:
            pass
        except (OSError, BaseError) as error:
            REFUSED.inc()
            raise BlobStoreUnavailable(f"a blob of {len(content)} bytes cannot be stored: {_brief(error)}") from error

    async def get(self, sha256: str) -> bytes:
        """The whole content. Raises BlobMissing and BlobStoreUnavailable."""
        return await self.at(path_of(sha256))

    async def at(self, path: str) -> bytes:
        """The content at a path. Raises as `get` does."""
        try:
            found = await obstore.get_async(self._objects, path)
            return bytes(await found.bytes_async())
        except FileNotFoundError:
            raise self._missing(path) from None
        except (OSError, BaseError) as error:
            raise BlobStoreUnavailable(f"blob {path} cannot be read: {_brief(error)}") from error

    async def remove(self, folder: str, before: datetime) -> int:
        """Removes everything that was stored in a folder before a time; returns how many. Raises
        BlobStoreUnavailable."""
        count = 0
        try:
            async for batch in obstore.list(self._objects, prefix=folder):
                old = [each["path"] for each in batch if each["last_modified"] < before]
                if old:
                    await obstore.delete_async(self._objects, old)
                    count += len(old)
        except (OSError, BaseError) as error:
            raise BlobStoreUnavailable(f"old files in {folder} cannot be removed: {_brief(error)}") from error
        return count

    async def stream(self, sha256: str) -> AsyncIterator[bytes]:
        """The content in pieces. Raises as `get` does, before the first piece."""
        path = path_of(sha256)
        try:
            found = await obstore.get_async(self._objects, path)
        except FileNotFoundError:
            raise self._missing(sha256) from None
        except (OSError, BaseError) as error:
            raise BlobStoreUnavailable(f"blob {sha256} cannot be read: {_brief(error)}") from error

        async def pieces() -> AsyncIterator[bytes]:
            async for piece in found.stream(min_chunk_size=CHUNK):
                yield bytes(piece)

        return pieces()

    def _missing(self, sha256: str) -> Exception:
        """If the whole directory is gone (a volume that is not mounted), the store is unavailable; otherwise the blob
        is missing."""
        if self._root is not None and not self._root.is_dir():
            return BlobStoreUnavailable(f"the blob store {self._root} is gone")
        return BlobMissing(sha256)

    def close(self) -> None:
        self._writers.shutdown(wait=True)


def _brief(error: Exception) -> str:
    """The first line of an error: obstore adds a page of debugging output."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).partition("\n")[0]
