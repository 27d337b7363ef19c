"""Uploads in the local store."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from shared.blobs.store import BlobMissing, BlobStore
from shared.blobs.uploads import UploadMissing, Uploads
from tests.specs.requirement import requirement

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


@requirement("A10.14")
async def test_an_upload_of_a_draft_outlives_the_cleanup_and_can_be_taken(uploads: Uploads) -> None:
    made = await uploads.put(KARI, "a.txt", "text/plain", b"content\nof\x00a file", "clean")
    assert not await uploads.keep_for_draft(made.id, NILS)
    assert not await uploads.keep_for_draft(uuid4(), KARI)
    assert await uploads.keep_for_draft(made.id, KARI)
    assert await uploads.sweep(timedelta(seconds=-60)) == 1
    assert await uploads.own(made.id, KARI) == (made, b"content\nof\x00a file")
    assert await uploads.own(made.id, NILS) is None
    (file,) = await uploads.take([made.id], KARI)
    assert (file.id, file.name, file.scan) == (made.id, "a.txt", "clean")


async def test_an_upload_counts_as_new_each_time_that_a_draft_names_it(uploads: Uploads, tmp_path: Path) -> None:
    made = await uploads.put(KARI, "a.txt", "text/plain", b"content")
    kept = tmp_path / "blobs" / "drafts" / str(made.id)
    long_ago = (datetime.now(UTC) - timedelta(days=40)).timestamp()
    for named_again in (True, False):
        assert await uploads.keep_for_draft(made.id, KARI)
        os.utime(kept, (long_ago, long_ago))
        assert not named_again or await uploads.keep_for_draft(made.id, KARI)
        assert await uploads.sweep() == (0 if named_again else 1)
