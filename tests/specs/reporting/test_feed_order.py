"""The order of the event feed, and places in it, as pure rules."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.reporting.feed.merging import Change, Merging, Part
from services.reporting.feed.place import Place, UnknownPlace
from services.reporting.feed.sealed_places import SealedPlaces

START = datetime(2026, 11, 29, tzinfo=UTC)
places = st.builds(
    Place,
    st.uuids(),
    st.tuples(*[st.integers(0, 2**62)] * 12),
    st.integers(0, 2**40),
    st.integers(0, 2**62),
)


@st.composite
def topics(draw: Any) -> list[list[Change]]:
    """Twelve partitions with gaps between offsets. A cause is somewhere before its effect in time of writing; clocks
    of services differ, so that its time may be later."""
    partitions: list[list[Change]] = [[] for _ in range(12)]
    written: list[Change] = []
    for n in range(draw(st.integers(0, 40))):
        where = draw(st.integers(0, 3))
        before = partitions[where][-1].position if partitions[where] else -1
        cause = draw(st.sampled_from(written)) if written and draw(st.booleans()) else None
        change = Change(
            where, before + draw(st.integers(1, 3)), UUID(int=n), UUID(int=1), n, START + timedelta(seconds=draw(st.integers(0, 9))),
            "helpdesk.TagsAdded.v1", "routing", n, "agent", None, cause.id if cause else None,
            (cause.partition, cause.position) if cause else None,
        )  # fmt: skip
        partitions[where].append(change)
        written.append(change)
    return partitions


def parts_from(partitions: Sequence[Sequence[Change]], offsets: Sequence[int], most: int) -> list[Part]:
    found = [[change for change in part if change.position >= offsets[n]] for n, part in enumerate(partitions)]
    ends = [part[-1].position + 2 if part else 0 for part in partitions]
    return [Part(n, part[:most], ends[n], len(part) <= most) for n, part in enumerate(found)]


@given(topics(), st.integers(1, 5), st.integers(1, 9))
def test_pages_of_any_size_tell_each_change_once_and_no_effect_before_its_cause(
    partitions: list[list[Change]], rows: int, limit: int
) -> None:
    offsets: tuple[int, ...] = (0,) * 12
    told, at_end = list[Change](), False
    while not at_end:
        merging = Merging(offsets, parts_from(partitions, offsets, rows), lambda _: True)
        page = list(merging.run(limit))
        assert 0 < len(page) <= limit or merging.at_end
        told += [change for change, _ in page]
        offsets, at_end = merging.offsets, merging.at_end
    assert sorted(change.number for change in told) == list(range(len(told))) == [*range(sum(map(len, partitions)))]
    order = {change.id: n for n, change in enumerate(told)}
    for change in told:
        assert change.cause is None or order[change.cause] < order[change.id]
    for part in partitions:
        assert [order[change.id] for change in part] == sorted(order[change.id] for change in part)


@given(topics(), st.integers(0, 12))
def test_the_place_after_a_change_leads_to_the_next_one(partitions: list[list[Change]], at: int) -> None:
    whole = list(Merging((0,) * 12, parts_from(partitions, (0,) * 12, 99), lambda _: True).run(99))
    offsets = whole[at][1] if at < len(whole) else (0,) * 12
    rest = list(Merging(offsets, parts_from(partitions, offsets, 99), lambda _: True).run(99))
    assert [change for change, _ in rest] == [change for change, _ in whole[at + 1 if at < len(whole) else 0 :]]


def test_tickets_that_wait_for_each_other_are_told_all_the_same() -> None:
    """A republished topic has one ticket after the other, so an effect may stand before its cause."""
    one, two, three, four = (
        Change(n % 2, n // 2, UUID(int=n), UUID(int=n), n, START, "x", "x", n, "agent", None, UUID(int=3 - n), at)
        for n, at in enumerate([(1, 1), (0, 1), None, None])
    )
    last = [each._replace(cause=None) for each in (three, four)]
    merging = Merging((0,) * 12, parts_from([[one, last[0]], [two, last[1]]], (0,) * 12, 9), lambda _: True)
    assert len(list(merging.run(9))) == 4
    assert merging.at_end


@given(places)
def test_a_place_is_the_same_after_packing_and_sealing(place: Place) -> None:
    seals = SealedPlaces(bytes(32))
    assert Place.unpacked(place.packed()) == place
    assert seals.open(seals.seal(place)) == place
    assert len(seals.seal(place)) == len(seals.seal(Place.first(place.incarnation, 0)))


@given(st.one_of(st.text(max_size=300), st.binary(max_size=200).map(lambda data: data.hex())))
def test_any_other_text_is_no_place(text: str) -> None:
    with pytest.raises(UnknownPlace):
        SealedPlaces(bytes(32)).open(text)


@given(places, st.integers(0, 1000))
def test_a_place_with_one_other_character_is_none(place: Place, at: int) -> None:
    sealed = SealedPlaces(bytes(32)).seal(place)
    at %= len(sealed) - 1  # the last character has bits that mean nothing
    with pytest.raises(UnknownPlace):
        SealedPlaces(bytes(32)).open(sealed[:at] + ("-" if sealed[at] != "-" else "_") + sealed[at + 1 :])
