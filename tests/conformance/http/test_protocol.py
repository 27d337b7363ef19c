"""Which connections count as stalled."""

from types import SimpleNamespace

from shared.http.protocol import HEAD_SECONDS, STALL_SECONDS, BoundedProtocol


def connection(
    *, in_head: bool, more_body: bool = False, complete: bool = False, paused: bool = False
) -> BoundedProtocol:
    it = BoundedProtocol.__new__(BoundedProtocol)
    it.heard = it.waiting_since = 0.0
    it.in_head = in_head
    it.cycle = SimpleNamespace(more_body=more_body, response_complete=complete)  # type: ignore[assignment]
    it.flow = SimpleNamespace(read_paused=paused)  # type: ignore[assignment]
    return it


def test_a_head_that_takes_too_long_is() -> None:
    assert not connection(in_head=True).stalled(HEAD_SECONDS - 1)
    assert connection(in_head=True).stalled(HEAD_SECONDS + 1)


def test_a_body_that_does_not_come_is() -> None:
    assert not connection(in_head=False, more_body=True).stalled(STALL_SECONDS - 1)
    assert connection(in_head=False, more_body=True).stalled(STALL_SECONDS + 1)


def test_a_body_that_is_not_wanted_yet_is_not() -> None:
    assert not connection(in_head=False, more_body=True, paused=True).stalled(STALL_SECONDS * 10)


def test_an_idle_or_answering_connection_is_not() -> None:
    assert not connection(in_head=False, more_body=True, complete=True).stalled(STALL_SECONDS * 10)
    assert not connection(in_head=False).stalled(STALL_SECONDS * 10)
