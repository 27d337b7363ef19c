"""Consistency tokens, cursors, entity tags, idempotency keys: written values are read again, anything else is a 422."""

from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.http.headers import consistency, etag, idempotency
from shared.http.headers.consistency import Written, decode, encode, merge
from shared.http.paging import Cursors
from shared.http.problems import Problem
from shared.rules.access import Identity

WRITTEN = st.builds(
    Written, st.sampled_from(("intake", "routing", "notify", "gateway")), st.uuids(), st.integers(0, 2**32 - 1)
)
KARI = Identity(person_id=UUID(int=7), kind="agent", login="kari", name="Kari", email="kari@example.org")
OLA = KARI.model_copy(update={"person_id": UUID(int=8)})
SCALAR = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
)
FILTERS = st.dictionaries(st.sampled_from(("queue", "state", "sort")), SCALAR | st.lists(SCALAR, max_size=3))
CURSORS = Cursors(b"a key")


def is_422(call: object, *args: object) -> bool:
    with pytest.raises(Problem) as caught:
        call(*args)  # type: ignore[operator]
    return caught.value.status == 422 and bool(caught.value.errors)


@given(st.lists(WRITTEN, max_size=20))
def test_a_consistency_token_covers_the_highest_version_of_each_stream(written: list[Written]) -> None:
    highest: dict[tuple[str, UUID], int] = {}
    for service, stream, version in written:
        highest[service, stream] = max(version, highest.get((service, stream), 0))
    assert {(w.service, w.stream): w.version for w in decode(encode(written))} == highest


@given(st.lists(WRITTEN, max_size=5), st.lists(WRITTEN, max_size=5))
def test_a_merged_token_covers_both(some: list[Written], others: list[Written]) -> None:
    assert sorted(decode(merge(encode(some), None, encode(others)))) == sorted(decode(encode([*some, *others])))


@given(st.text(max_size=200) | st.binary(max_size=100).map(lambda raw: raw.decode("latin-1")))
def test_any_text_is_a_token_or_a_422(token: str) -> None:
    try:
        decode(token)
    except Problem as problem:
        assert problem.status == 422
        assert problem.errors


def test_a_bulk_commands_token_fits_into_a_header() -> None:
    token = encode(Written("routing", uuid4(), 2**31) for _ in range(1000))
    assert len(token) < 8000
    assert len(decode(token)) == consistency.MOST


@given(FILTERS, st.lists(SCALAR, max_size=4))
def test_a_cursor_gives_its_position_to_its_person_and_list(query: dict[str, object], position: list[object]) -> None:
    assert CURSORS.decode(KARI, query, CURSORS.encode(KARI, query, position)) == position


@given(FILTERS, FILTERS, st.lists(SCALAR, max_size=4))
def test_a_cursor_is_invalid_for_others(
    query: dict[str, object], other: dict[str, object], position: list[object]
) -> None:
    cursor = CURSORS.encode(KARI, query, position)
    assert is_422(CURSORS.decode, OLA, query, cursor)
    assert is_422(Cursors(b"another key").decode, KARI, query, cursor)
    if other != query:
        assert is_422(CURSORS.decode, KARI, other, cursor)


@given(st.data())
def test_a_cursor_with_another_character_is_refused(data: st.DataObject) -> None:
    cursor = CURSORS.encode(KARI, {}, [1, "two", None])
    at = data.draw(st.integers(0, len(cursor) - 2))  # only some bits of the last character count
    same = {cursor[at], {"-": "+", "_": "/"}.get(cursor[at])}  # Python reads both alphabets of base64
    other = data.draw(st.characters(min_codepoint=1, max_codepoint=0x2FF).filter(lambda c: c not in same))
    assert is_422(CURSORS.decode, KARI, {}, cursor[:at] + other + cursor[at + 1 :])


@given(st.text(max_size=200))
def test_garbage_is_not_a_cursor(cursor: str) -> None:
    assert is_422(CURSORS.decode, KARI, {}, cursor)


def test_no_cursor_is_the_beginning() -> None:
    assert CURSORS.decode(KARI, {}, None) is None


@given(st.integers(0, 10**9 - 1))
def test_an_entity_tag_is_read_again(version: int) -> None:
    assert etag.parse_if_match(etag.etag(version)) == version


@pytest.mark.parametrize(
    ("header", "version"),
    [
        (None, None),
        ("*", None),
        (' "7" ', 7),
        ('"7","7"', 7),
        ('"abc", "7"', 7),
        ('W/"7"', etag.NEVER),
        ('"abc"', etag.NEVER),
        ('""', etag.NEVER),
        ('"07"', etag.NEVER),
        ('"\u00b2"', etag.NEVER),
        ('"99999999999999999999"', etag.NEVER),
    ],
)
def test_if_match(header: str | None, version: int | None) -> None:
    assert etag.parse_if_match(header) == version


@pytest.mark.parametrize("header", ["", "7", '"7', '7"', '"7" "8"', '"7",', '"7","8"', "w/7", '*, "7"', '"a\x00"'])
def test_an_invalid_list_of_entity_tags_is_refused(header: str) -> None:
    assert is_422(etag.parse_if_match, header)


@given(st.text(max_size=60))
def test_any_if_match_is_read_or_a_422(header: str) -> None:
    try:
        etag.parse_if_match(header)
    except Problem as problem:
        assert problem.status == 422


def test_the_same_key_of_the_same_person_is_the_same_command() -> None:
    one = idempotency.command_id("kari", "POST", "/a", "key", b"{}")
    assert idempotency.command_id("kari", "POST", "/a", "key", b"{}") == one
    other_body = idempotency.command_id("kari", "POST", "/a", "key", b"{ }")
    assert other_body.id == one.id
    assert other_body.fingerprint != one.fingerprint


@pytest.mark.parametrize(
    ("person", "method", "path", "key"),
    [
        ("ola", "POST", "/a", "key"),
        ("kari", "PUT", "/a", "key"),
        ("kari", "POST", "/b", "key"),
        ("kari", "POST", "/a", "key2"),
    ],
)
def test_another_person_method_path_or_key_is_another_command(person: str, method: str, path: str, key: str) -> None:
    assert (
        idempotency.command_id(person, method, path, key).id != idempotency.command_id("kari", "POST", "/a", "key").id
    )


def test_without_a_key_every_request_is_its_own_command() -> None:
    assert (
        idempotency.command_id("kari", "POST", "/a", None).id != idempotency.command_id("kari", "POST", "/a", None).id
    )


@pytest.mark.parametrize("key", ["", "x" * 256, "a\x00b", "a\nb", "\u00e9", "\x7f"])
def test_a_key_that_is_no_short_printable_text_is_refused(key: str) -> None:
    assert is_422(idempotency.command_id, "kari", "POST", "/a", key)
