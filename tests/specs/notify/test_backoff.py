"""The backoff while the mail server takes no mail at all."""

from services.notify.sending.backoff import SERVER_BACKOFF, ServerBackoff


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_the_backoff_grows_with_each_failed_attempt() -> None:
    clock = Clock()
    server = ServerBackoff(clock)
    for expected in (*SERVER_BACKOFF, SERVER_BACKOFF[-1]):
        assert server.failed("connection refused")
        assert server.left() == expected
        clock.now += expected
    assert server.unavailable


def test_failures_of_mails_that_were_sent_together_count_once() -> None:
    server = ServerBackoff(Clock())
    assert server.failed("connection refused")
    assert not server.failed("timed out")
    assert (server.left(), server.reason) == (SERVER_BACKOFF[0], "connection refused")


def test_an_answer_ends_the_backoff() -> None:
    server = ServerBackoff(Clock())
    server.failed("connection refused")
    assert server.succeeded()
    assert (server.unavailable, server.left() > 0, server.reason) == (False, False, "")
    assert not server.succeeded()
