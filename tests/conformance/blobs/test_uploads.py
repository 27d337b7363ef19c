"""Uploads in the local store."""

from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from shared.blobs.store import BlobMissing, BlobStore
from shared.blobs.uploads import UploadMissing, Uploads

KARI, NILS = uuid4(), uuid4()


@pytest.fixture
def uploads(tmp_path: Path) -> Uploads:
    return Uploads(BlobStore((tmp_path / "blobs").as_uri()))


async def test_an_upload_belongs_to_its_person_only(uploads: Uploads) -> None:
    made = await uploads.put(KARI, "burn.html", "text/html", b"<b>\nburns</b>")
    assert await uploads.own(made.id, KARI) == (made, b"<b>\nburns</b>")
    assert await uploads.own(made.id, NILS) is None
    assert await uploads.own(uuid4(), KARI) is None


async def test_a_taken_upload_survives_the_cleanup(uploads: Uploads) -> None:
    made = await uploads.put(KARI, "a.txt", "text/plain", b"content")
    (file,) = await uploads.take([made.id], KARI)
    assert (file.id, file.name, file.blob.size) == (made.id, "a.txt", 7)
    assert await uploads.take([made.id], KARI) == [file]
    assert await uploads.sweep() == 0
    assert await uploads.sweep(timedelta(seconds=-60)) == 1
    assert await uploads.own(made.id, KARI) is None
    assert await uploads.store.get(file.blob.sha256) == b"content"


async def test_the_one_that_is_missing_is_named(uploads: Uploads) -> None:
    made = await uploads.put(KARI, "a.txt", "text/plain", b"content")
    with pytest.raises(UploadMissing) as missing:
        await uploads.take([made.id, uuid4()], KARI)
    assert missing.value.index == 1
    with pytest.raises(UploadMissing):
        await uploads.take([made.id], NILS)
    with pytest.raises(BlobMissing):
        await uploads.store.get("0" * 64)
