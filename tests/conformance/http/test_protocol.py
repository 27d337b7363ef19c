"""Which connections count as stalled, and which are ended where there are too many."""

from types import SimpleNamespace

from shared.http.protocol import (
    BODY_RATE,
    BODY_SECONDS,
    HEAD_SECONDS,
    IDLE_SECONDS,
    LONGEST_SECONDS,
    STALL_SECONDS,
    BoundedProtocol,
)
from shared.places import Admission


def connection(
    *,
    head: bool = False,
    body: bool = False,
    complete: bool = False,
    paused: bool = False,
    sent: int = 0,
    heard: float = 0.0,
    unread_since: float | None = None,
) -> BoundedProtocol:
    """One that waits for something since 0.0."""
    it = BoundedProtocol.__new__(BoundedProtocol)
    it.since = it.looked = 0.0
    it.heard, it.unread_since = heard, unread_since
    it.in_head, it.in_body, it.body_bytes = head, body, sent
    it.cycle = SimpleNamespace(response_complete=complete)  # type: ignore[assignment]
    it.flow = SimpleNamespace(read_paused=paused)  # type: ignore[assignment]
    return it


def test_a_head_that_takes_too_long_is() -> None:
    assert not connection(head=True).stalled(HEAD_SECONDS - 1)
    assert connection(head=True).stalled(HEAD_SECONDS + 1)


def test_a_small_body_has_a_time_however_it_trickles() -> None:
    assert not connection(body=True, sent=500, heard=BODY_SECONDS - 1).stalled(BODY_SECONDS - 1)
    assert connection(body=True, sent=500, heard=BODY_SECONDS + 1).stalled(BODY_SECONDS + 1)


def test_a_longer_body_has_more_time_but_not_for_ever() -> None:
    minute = 60.0
    assert not connection(body=True, sent=BODY_RATE * 60, heard=minute).stalled(minute)
    assert connection(body=True, sent=BODY_RATE * 30, heard=minute).stalled(minute)
    at = LONGEST_SECONDS + 1
    assert connection(body=True, sent=BODY_RATE * 10_000, heard=at).stalled(at)


def test_a_body_that_does_not_come_is_whatever_has_come_before() -> None:
    assert connection(body=True, sent=BODY_RATE * 10_000).stalled(STALL_SECONDS + 1)


def test_the_rest_of_a_refused_body_has_no_more_time() -> None:
    assert connection(body=True, complete=True, heard=BODY_SECONDS + 1).stalled(BODY_SECONDS + 1)


def test_a_body_that_is_not_wanted_yet_is_not() -> None:
    it = connection(body=True, paused=True)
    assert not it.stalled(STALL_SECONDS * 10)
    it.flow.read_paused = False
    assert not it.stalled(STALL_SECONDS * 10 + BODY_SECONDS - 1), "the time in which nobody wanted it does not count"
    assert it.stalled(STALL_SECONDS * 10 + BODY_SECONDS + 1)


def test_an_answer_that_nobody_reads_is() -> None:
    assert not connection(unread_since=0.0).stalled(STALL_SECONDS - 1)
    assert connection(unread_since=0.0).stalled(STALL_SECONDS + 1)


def test_one_that_is_worked_on_is_not_and_an_idle_one_has_its_time() -> None:
    assert not connection().stalled(LONGEST_SECONDS * 10)
    assert not connection(complete=True).stalled(IDLE_SECONDS - 1)
    assert connection(complete=True).stalled(IDLE_SECONDS + 1)


def admission(most: int, each: int) -> tuple[Admission[str], list[str]]:
    ended: list[str] = []
    return Admission(most, each, ended.append), ended


def test_whoever_waits_longest_makes_room_and_whoever_works_never_does() -> None:
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


def test_places_of_connections_that_end_are_free_again() -> None:
    places, ended = admission(2, 2)
    for n in range(10):
        assert places.admit(f"{n}", "a")
        places.leave(f"{n}")
        places.leave(f"{n}")
    assert ended == [] and not any((places._peers, places._waiting, places._waiting_of, places._places.taken))
