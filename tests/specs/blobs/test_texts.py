"""What of a text stands in an event, counted as the event's JSON has it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import to_json

from shared.blobs import texts
from shared.blobs.store import BlobStore

ENCODABLE = st.text(st.characters(codec="utf-8"), max_size=300)


@given(text=ENCODABLE, most=st.integers(min_value=0, max_value=300))
def test_a_beginning_fits_and_is_one(text: str, most: int) -> None:
    start = texts.beginning(text, most)
    assert text.startswith(start)
    assert len(to_json(start)) - 2 <= most
    assert (start == text) == texts.fits(text, most)


@pytest.mark.parametrize("letter", ["x", "\u044f", "\u6f22", "\U0001f600", '"', "\x01"])
async def test_a_long_text_of_any_letters_is_kept_whole_in_a_blob(letter: str) -> None:
    blobs, text = BlobStore("memory:///"), letter * 70_000
    start, blob = await texts.stored(blobs, text)
    assert blob is not None and len(to_json(start)) <= texts.INLINE_BYTES + 2
    assert await texts.whole(blobs, start, blob) == text


async def test_a_short_text_needs_no_blob() -> None:
    blobs = BlobStore("memory:///")
    assert await texts.stored(blobs, "\u0414\u0430." * 1_000) == ("\u0414\u0430." * 1_000, None)
    assert await texts.whole(blobs, "short", None) == "short"
