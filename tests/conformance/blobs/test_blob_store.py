"""Blobs in a real directory: content-addressed, written once, durable, and refused rather than lost."""

import asyncio
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.blobs.store import BlobMissing, BlobStore, BlobStoreUnavailable
from shared.contracts.parts import Blob

WORDS = b"Since this morning it hums."
SHA256 = hashlib.sha256(WORDS).hexdigest()


@pytest.fixture(params=["file", "memory"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BlobStore]:
    store = BlobStore(f"file://{tmp_path}/blobs" if request.param == "file" else "memory:///")
    yield store
    store.close()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "blobs"


@pytest.fixture
def files(root: Path) -> Iterator[BlobStore]:
    store = BlobStore(f"file://{root}")
    yield store
    store.close()


async def test_a_stored_blob_can_be_read(blobs: BlobStore) -> None:
    assert await blobs.put(WORDS, "text/plain") == Blob(sha256=SHA256, size=len(WORDS), type="text/plain")
    assert await blobs.get(SHA256) == WORDS
    assert b"".join([piece async for piece in await blobs.stream(SHA256)]) == WORDS


@pytest.mark.parametrize("size", [0, 1, 256 * 1024 + 1, 12_000_000])
async def test_any_size(blobs: BlobStore, size: int) -> None:
    content = os.urandom(size)
    blob = await blobs.put(content)
    assert b"".join([piece async for piece in await blobs.stream(blob.sha256)]) == content


async def test_the_same_content_is_one_blob(files: BlobStore, root: Path) -> None:
    await asyncio.gather(*(files.put(WORDS) for _ in range(20)))
    assert [path.name for path in root.rglob("*") if path.is_file()] == [SHA256]
    assert (root / SHA256[:2] / SHA256).read_bytes() == WORDS


@pytest.mark.parametrize("key", [SHA256, "", "../../etc/passwd", "A" * 64, SHA256 + "0"])
async def test_what_is_not_there_is_missing(blobs: BlobStore, key: str) -> None:
    with pytest.raises(BlobMissing):
        await blobs.get(key)
    with pytest.raises(BlobMissing):
        await blobs.stream(key)


async def test_content_and_name_are_flushed_before_the_answer(
    files: BlobStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[str] = []
    fsync = os.fsync

    def watched(handle: int) -> None:
        flushed.append(Path(os.readlink(f"/proc/self/fd/{handle}")).name.split(".")[0])
        fsync(handle)

    monkeypatch.setattr(os, "fsync", watched)
    await files.put(WORDS)
    assert flushed == [SHA256, SHA256[:2]]
    flushed.clear()
    await files.put(WORDS)
    assert flushed == [SHA256[:2]], "another writer's name may not be durable yet"


async def test_a_store_that_is_gone_refuses_and_comes_back(files: BlobStore, root: Path) -> None:
    shutil.rmtree(root)
    with pytest.raises(BlobStoreUnavailable):
        await files.put(WORDS)
    assert not root.exists(), "nothing is written in the place of a volume that is not mounted"
    root.mkdir()
    await files.put(WORDS)
    assert await files.get(SHA256) == WORDS


async def test_directories_that_were_taken_away_are_made_again(files: BlobStore, root: Path) -> None:
    await files.put(WORDS)
    shutil.rmtree(root / SHA256[:2])
    await files.put(WORDS)
    assert await files.get(SHA256) == WORDS


@pytest.mark.parametrize("call", ["write", "fsync"])
async def test_a_full_disk_refuses_and_leaves_nothing_behind(
    files: BlobStore, root: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    await files.put(b"another")

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, call, full)
        with pytest.raises(BlobStoreUnavailable, match="No space left on device"):
            await files.put(WORDS)
    assert not [path for path in root.rglob("*") if path.is_file() and path.name.startswith(SHA256)]
    await files.put(WORDS)
    assert await files.get(SHA256) == WORDS


async def test_a_blob_store_that_cannot_be_created_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(BlobStoreUnavailable, match="cannot be opened"):
        BlobStore(f"file://{tmp_path}/file/blobs")
