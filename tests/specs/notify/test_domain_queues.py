"""Whose turn it is: no domain waits for another one's provider."""

import pytest

from services.notify.sending.domain_queues import COOLING, MOST_IN_A_LANE, Lanes, Limit, Limits

NOW = 1_000.0


class Clock:
    now = NOW

    def __call__(self) -> float:
        return self.now


def lanes(parallel: int = 16, default: int = 5, **of: Limit) -> tuple[Lanes[str], Clock]:
    clock = Clock()
    named = {name.replace("_", "."): limit for name, limit in of.items()}
    return Lanes(parallel, Limits(Limit(default), named), clock), clock


def fill(made: Lanes[str], domain: str, count: int) -> None:
    for n in range(count):
        made.put(domain, f"{domain} {n}")


def started(made: Lanes[str]) -> list[str]:
    found: list[str] = []
    while (item := made.start(lambda _: True)) is not None:
        found.append(item)
    return found


def test_one_domain_has_so_many_at_a_time_and_the_next_follows_one_that_ended() -> None:
    made, _ = lanes(default=2)
    fill(made, "slow", 4)
    assert started(made) == ["slow 0", "slow 1"]
    made.ended("slow")
    assert started(made) == ["slow 2"]


def test_a_slow_domain_leaves_room_for_the_others_and_the_lanes_take_turns() -> None:
    made, _ = lanes(parallel=4, default=2)
    fill(made, "slow", 9)
    fill(made, "a", 2)
    fill(made, "b", 2)
    assert started(made) == ["slow 0", "a 0", "b 0", "slow 1"]
    made.ended("slow")
    assert started(made) == ["a 1"]
    made.ended("a")
    assert started(made) == ["b 1"]


def test_all_lanes_together_have_a_limit() -> None:
    made, _ = lanes(parallel=3)
    for domain in "abcdef":
        fill(made, domain, 1)
    assert len(started(made)) == 3


def test_a_limit_by_the_minute_spreads_the_starts() -> None:
    made, clock = lanes(a=Limit(5, 60))
    fill(made, "a", 3)
    assert started(made) == ["a 0"]
    assert made.until_next() == 1.0
    clock.now += 1
    assert started(made) == ["a 1"]


def test_a_domain_that_asks_for_patience_is_left_alone_longer_each_time_and_then_asked_with_one_mail() -> None:
    made, clock = lanes()
    fill(made, "a", 9)
    fill(made, "b", 1)
    assert len(started(made)) == 6
    for _ in range(5):
        assert made.slow_down("a") == COOLING[0]  # five on their way hear it at once
        made.ended("a")
    assert started(made) == []
    assert made.full() == ["a"]
    clock.now += COOLING[0]
    assert started(made) == ["a 5"]
    made.ended("a")
    assert made.slow_down("a") == COOLING[1]
    for expected in (*COOLING[2:], COOLING[-1]):
        clock.now += 10_000
        assert made.slow_down("a") == expected


def test_a_mail_that_is_taken_opens_the_lane_again() -> None:
    made, clock = lanes()
    fill(made, "a", 9)
    made.slow_down("a")
    clock.now += COOLING[0]
    assert started(made) == ["a 0"]
    made.went_well("a")
    assert len(started(made)) == 4
    assert made.cooling("a") == 0


def test_what_waits_can_be_taken_back_and_nothing_more_comes_of_a_full_lane() -> None:
    made, _ = lanes(default=1)
    fill(made, "a", MOST_IN_A_LANE)
    assert started(made) == ["a 0"]
    assert made.full() == ["a"]
    assert made.withdrawn(lambda item: item in ("a 0", "a 1", "a 2")) == ["a 1", "a 2"]
    for _ in range(2):
        made.released("a")
    assert made.full() == []
    made.ended("a")
    made.released("a")
    assert started(made) == ["a 3"]


def test_what_does_not_fit_now_is_passed_over() -> None:
    made, _ = lanes()
    fill(made, "a", 2)
    assert made.start(lambda item: item != "a 0") == "a 1"
    assert made.start(lambda item: item != "a 0") is None


def test_lanes_that_are_over_are_forgotten() -> None:
    made, clock = lanes()
    for n in range(100):
        domain = f"d{n}"
        fill(made, domain, 1)
        assert started(made) == [f"{domain} 0"]
        made.slow_down(domain)
        made.ended(domain)
        made.released(domain)
    made.forget_old()
    assert len(made.full()) == 100
    clock.now += 100_000
    made.forget_old()
    assert made.until_next() is None
    assert made.full() == []


def test_limits_are_written_on_one_line() -> None:
    made = Limits.parse("Outlook.com=2:60  *=7", Limit(5))
    assert made.limit("outlook.com") == Limit(2, 60)
    assert made.limit("elsewhere.example") == Limit(7)
    assert Limits.parse("", Limit(5)).limit("x") == Limit(5)


@pytest.mark.parametrize("text", ["x", "x=", "=3", "x=a", "x=3:", "x=3:b", "x=0", "x=3:0", "x=-1", "x=1.5"])
def test_limits_that_cannot_be_read_are_told(text: str) -> None:
    with pytest.raises(ValueError, match=r"'x|'=3"):
        Limits.parse(text, Limit(5))
