"""Which connections count as stalled, and which are closed if there are too many."""

import asyncio
from types import SimpleNamespace

from shared.http.serving.protocol import (
    BODY_BYTES,
    BODY_SECONDS,
    HEAD_SECONDS,
    IDLE_SECONDS,
    LONGEST_SECONDS,
    STALL_SECONDS,
    BoundedProtocol,
)
from shared.runtime.admission import Admission


def connection(
    *,
    head: bool = False,
    body: bool = False,
    complete: bool = False,
    paused: bool = False,
    unread_since: float | None = None,
) -> BoundedProtocol:
    """A connection that has waited since 0.0."""
    it = BoundedProtocol.__new__(BoundedProtocol)
    it.since = it.body_since = it.looked = it.heard = 0.0
    it.unread_since = unread_since
    it.in_head, it.in_body = head, body
    it.body_bytes = it.counted_bytes = 0
    it.admission = Admission(1, 1, lambda _: None)
    it.cycle = SimpleNamespace(response_complete=complete, body=bytearray(), message_event=asyncio.Event())  # type: ignore[assignment]
    it.flow = SimpleNamespace(read_paused=paused, pause_reading=lambda: None)  # type: ignore[assignment]
    it.parser = SimpleNamespace(should_upgrade=lambda: False)  # type: ignore[assignment]
    return it


def test_a_slow_head_is_stalled() -> None:
    assert not connection(head=True).stalled(HEAD_SECONDS - 1)
    assert connection(head=True).stalled(HEAD_SECONDS + 1)


def test_a_slow_body_is_stalled() -> None:
    assert not connection(body=True).stalled(BODY_SECONDS - 1)
    assert connection(body=True).stalled(BODY_SECONDS + 1)


def test_each_part_of_a_longer_body_has_its_time() -> None:
    it = connection(body=True)
    for second in range(1, 400):
        it.heard = float(second)
        it.on_body(b"x" * (BODY_BYTES // 16))
        assert not it.stalled(float(second))
    it.heard += BODY_SECONDS + 1
    it.on_body(b"x")
    assert it.stalled(it.heard), "what came before gives no credit"


def test_the_time_for_a_body_is_limited() -> None:
    it = connection(body=True)
    it.since = LONGEST_SECONDS
    assert it.stalled(LONGEST_SECONDS + 1)


def test_the_rest_of_a_refused_body_has_no_more_time() -> None:
    assert connection(body=True, complete=True).stalled(BODY_SECONDS + 1)


def test_a_body_that_is_not_read_yet_is_not_stalled() -> None:
    it = connection(body=True, paused=True)
    assert not it.stalled(STALL_SECONDS * 10)
    it.flow.read_paused = False
    assert not it.stalled(STALL_SECONDS * 10 + BODY_SECONDS - 1), "the time in which nobody wanted it does not count"
    assert it.stalled(STALL_SECONDS * 10 + BODY_SECONDS + 1)


def test_an_unread_response_is_stalled() -> None:
    assert not connection(unread_since=0.0).stalled(STALL_SECONDS - 1)
    assert connection(unread_since=0.0).stalled(STALL_SECONDS + 1)


def test_a_working_connection_is_not_stalled_and_an_idle_one_has_its_time() -> None:
    assert not connection().stalled(LONGEST_SECONDS * 10)
    assert not connection(complete=True).stalled(IDLE_SECONDS - 1)
    assert connection(complete=True).stalled(IDLE_SECONDS + 1)


def admission(most: int, each: int) -> tuple[Admission[str], list[str]]:
    ended: list[str] = []
    return Admission(most, each, ended.append), ended


def test_the_longest_idle_connection_makes_room_and_a_working_one_never_does() -> None:
    places, ended = admission(3, 3)
    assert all(places.admit(name, name) for name in ("one", "two", "three"))
    places.works("one")
    assert places.admit("four", "four") and ended == ["two"]
    places.works("three")
    places.works("four")
    assert not places.admit("five", "five") and ended == ["two"]
    places.waits("one")
    places.waits("three")
    assert places.admit("five", "five") and ended == ["two", "one"], "it waits for less long than it works"


def test_a_peer_with_its_share_makes_room_of_its_own() -> None:
    places, ended = admission(4, 2)
    assert places.admit("other", "b") and places.admit("first", "a") and places.admit("second", "a")
    assert places.admit("third", "a") and ended == ["first"], "not the other's, which has waited for longer"
    places.works("second")
    places.works("third")
    assert not places.admit("fourth", "a") and ended == ["first"]
    assert places.admit("another", "c"), "there is room for others"


def test_slots_of_ended_connections_are_free_again() -> None:
    places, ended = admission(2, 2)
    for n in range(10):
        assert places.admit(f"{n}", "a")
        places.leave(f"{n}")
        places.leave(f"{n}")
    assert ended == [] and not any((places._peers, places._waiting, places._waiting_of, places._limit.taken))
