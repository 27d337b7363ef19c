"""The order in which mails are sent: a slow or throttled domain delays no other one."""

import pytest

from services.notify.sending.domain_queues import BACKOFF, MOST_HELD, DomainQueues, Limit, Limits

NOW = 1_000.0


class Clock:
    now = NOW

    def __call__(self) -> float:
        return self.now


def queues(parallel: int = 16, default: int = 5, **of: Limit) -> tuple[DomainQueues[str], Clock]:
    clock = Clock()
    named = {name.replace("_", "."): limit for name, limit in of.items()}
    return DomainQueues(parallel, Limits(Limit(default), named), clock), clock


def fill(made: DomainQueues[str], domain: str, count: int) -> None:
    for n in range(count):
        made.put(domain, f"{domain} {n}")


def started(made: DomainQueues[str]) -> list[str]:
    found: list[str] = []
    while (item := made.start(lambda _: True)) is not None:
        found.append(item)
    return found


def test_a_domain_has_a_limit_of_mails_at_a_time() -> None:
    made, _ = queues(default=2)
    fill(made, "slow", 4)
    assert started(made) == ["slow 0", "slow 1"]
    made.finish("slow")
    assert started(made) == ["slow 2"]


def test_a_slow_domain_leaves_room_for_others_and_domains_take_turns() -> None:
    made, _ = queues(parallel=4, default=2)
    fill(made, "slow", 9)
    fill(made, "a", 2)
    fill(made, "b", 2)
    assert started(made) == ["slow 0", "a 0", "b 0", "slow 1"]
    made.finish("slow")
    assert started(made) == ["a 1"]
    made.finish("a")
    assert started(made) == ["b 1"]


def test_all_domains_together_have_a_limit() -> None:
    made, _ = queues(parallel=3)
    for domain in "abcdef":
        fill(made, domain, 1)
    assert len(started(made)) == 3


def test_a_limit_per_minute_spreads_the_starts() -> None:
    made, clock = queues(a=Limit(5, 60))
    fill(made, "a", 3)
    assert started(made) == ["a 0"]
    assert made.until_next() == 1.0
    clock.now += 1
    assert started(made) == ["a 1"]


def test_the_backoff_of_a_throttled_domain_grows_and_then_a_single_mail_is_tried() -> None:
    made, clock = queues()
    fill(made, "a", 9)
    fill(made, "b", 1)
    assert len(started(made)) == 6
    for _ in range(5):
        assert made.throttle("a") == BACKOFF[0]  # five on their way hear it at once
        made.finish("a")
    assert started(made) == []
    assert made.closed() == ["a"]
    clock.now += BACKOFF[0]
    assert started(made) == ["a 5"]
    made.finish("a")
    assert made.throttle("a") == BACKOFF[1]
    for expected in (*BACKOFF[2:], BACKOFF[-1]):
        clock.now += 10_000
        assert made.throttle("a") == expected


def test_a_sent_mail_ends_the_backoff() -> None:
    made, clock = queues()
    fill(made, "a", 9)
    made.throttle("a")
    clock.now += BACKOFF[0]
    assert started(made) == ["a 0"]
    made.end_backoff("a")
    assert len(started(made)) == 4
    assert made.backoff_left("a") == 0


def test_waiting_mails_can_be_withdrawn_and_a_full_domain_is_closed() -> None:
    made, _ = queues(default=1)
    fill(made, "a", MOST_HELD)
    assert started(made) == ["a 0"]
    assert made.closed() == ["a"]
    assert made.withdraw(lambda item: item in ("a 0", "a 1", "a 2")) == ["a 1", "a 2"]
    for _ in range(2):
        made.release("a")
    assert made.closed() == []
    made.finish("a")
    made.release("a")
    assert started(made) == ["a 3"]


def test_items_that_do_not_fit_are_skipped() -> None:
    made, _ = queues()
    fill(made, "a", 2)
    assert made.start(lambda item: item != "a 0") == "a 1"
    assert made.start(lambda item: item != "a 0") is None


def test_idle_queues_are_dropped() -> None:
    made, clock = queues()
    for n in range(100):
        domain = f"d{n}"
        fill(made, domain, 1)
        assert started(made) == [f"{domain} 0"]
        made.throttle(domain)
        made.finish(domain)
        made.release(domain)
    made.drop_idle()
    assert len(made.closed()) == 100
    clock.now += 100_000
    made.drop_idle()
    assert made.until_next() is None
    assert made.closed() == []


def test_limits_are_parsed_from_one_line() -> None:
    made = Limits.parse("Outlook.com=2:60  *=7", Limit(5))
    assert made.limit("outlook.com") == Limit(2, 60)
    assert made.limit("elsewhere.example") == Limit(7)
    assert Limits.parse("", Limit(5)).limit("x") == Limit(5)


@pytest.mark.parametrize("text", ["x", "x=", "=3", "x=a", "x=3:", "x=3:b", "x=0", "x=3:0", "x=-1", "x=1.5"])
def test_invalid_limits_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"'x|'=3"):
        Limits.parse(text, Limit(5))
