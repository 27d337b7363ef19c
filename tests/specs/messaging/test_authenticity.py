"""The header of a record tells each reader who wrote it; only its producer can write one that other readers accept."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.topics import DIRECTORY, REPORTS, RULES, TICKETS
from shared.messaging.access.authenticity import (
    CODE_BYTES,
    FOLLOWED,
    PRODUCERS,
    READERS,
    EventKeys,
    NotAuthentic,
)

SECRET = "of the instance"  # pragma: allowlist secret
TOPIC, KEY, VALUE = TICKETS, b"0193e0a4-2d0c-7aaa-8000-000000000001", b'{"specversion":"1.0"}'


def keys(service: str) -> EventKeys:
    return EventKeys.derived(SECRET, service)


@pytest.mark.parametrize(("producer", "reader"), list(product(PRODUCERS, READERS)))
def test_every_reader_of_a_topic_knows_the_producer(producer: str, reader: str) -> None:
    for topic in FOLLOWED[reader]:
        header = keys(producer).sign(topic, KEY, VALUE)
        assert keys(reader).author(topic, KEY, VALUE, header) == producer


@given(st.binary(max_size=40), st.binary(max_size=40), st.binary(max_size=60), st.integers(0, 40))
def test_a_changed_record_has_no_author(topic: bytes, key: bytes, value: bytes, moved: int) -> None:
    """Neither a part, nor the boundary between two parts."""
    header = keys("intake").sign(TOPIC, KEY, VALUE)
    whole = KEY + VALUE
    for changed in (
        (topic.hex(), KEY, VALUE),
        (TOPIC, key, VALUE),
        (TOPIC, KEY, value),
        (TOPIC, whole[:moved], whole[moved:]),
    ):
        if changed != (TOPIC, KEY, VALUE):
            with pytest.raises(NotAuthentic):
                keys("routing").author(*changed, header)


@pytest.mark.parametrize(
    "header",
    [b"", b"\0", b"intake", b"intake\0", b"reporting\0" + bytes(64), b"intake\0" + bytes(64), b"\xff\0" + bytes(64)],
)
def test_an_invalid_header_has_no_author(header: bytes) -> None:
    with pytest.raises(NotAuthentic):
        keys("notify").author(TOPIC, KEY, VALUE, header)


@pytest.mark.parametrize(("broken", "victim"), [(b, v) for b in READERS for v in PRODUCERS if b != v])
def test_a_service_that_was_broken_into_cannot_forge_events_of_another(broken: str, victim: str) -> None:
    """It signs with every key that it has in the victim's name: only the service itself would accept that."""
    own = keys(broken)
    forged = EventKeys(victim, {reader: own.signing.get(reader, own.known[victim]) for reader in READERS}, {})
    for key in (own.known[victim], *own.signing.values()):
        every = EventKeys(victim, dict.fromkeys(READERS, key), {})
        for header in (forged.sign(TOPIC, KEY, VALUE), every.sign(TOPIC, KEY, VALUE)):
            for reader in set(READERS) - {broken}:
                with pytest.raises(NotAuthentic):
                    keys(reader).author(TOPIC, KEY, VALUE, header)


def test_a_service_gets_its_own_keys_and_no_others() -> None:
    for service in {*PRODUCERS, *READERS}:
        told = keys(service).text
        assert EventKeys.parse(told, service) == keys(service)
        assert all(service in line.split("=")[0].split(">") for line in told.splitlines())
        assert SECRET not in told


def test_a_header_has_no_codes_behind_the_last_reader_of_its_topic() -> None:
    for topic, codes in ((TICKETS, 4), (DIRECTORY, 4), (REPORTS, 3), (RULES, 5)):
        assert len(keys("routing").sign(topic, KEY, VALUE)) == len("routing") + 1 + CODE_BYTES * codes
    with pytest.raises(NotAuthentic):
        keys("gateway").author(TICKETS, KEY, VALUE, keys("routing").sign(TICKETS, KEY, VALUE))
