"""The backoff of password attempts, on plain numbers."""

from hypothesis import given
from hypothesis import strategies as st

from services.gateway.signing_in.backoff import (
    ADDRESS,
    PERSON,
    REMEMBERED_SECONDS,
    Attempts,
    BackoffRule,
    level_after_one_more,
    pause,
)

RULES = st.sampled_from((PERSON, ADDRESS))


def after(number: int, rule: BackoffRule = PERSON) -> Attempts:
    """This many attempts at one moment."""
    attempts = Attempts()
    for _ in range(number):
        attempts = Attempts(level_after_one_more(attempts, rule), 0.0)
    return attempts


def later(attempts: Attempts, seconds: float) -> Attempts:
    return Attempts(attempts.level, attempts.ago + seconds)


def test_a_few_attempts_are_free_then_the_pause_doubles_up_to_a_minute() -> None:
    assert pause(after(PERSON.free - 1), PERSON) == 0
    assert [pause(after(PERSON.free + n), PERSON) for n in range(9)] == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_a_pause_ends_by_itself_and_the_next_attempt_begins_a_new_one() -> None:
    many = after(100)
    assert pause(later(many, PERSON.longest - 0.5), PERSON) == 0.5
    assert pause(later(many, PERSON.longest), PERSON) == 0
    again = Attempts(level_after_one_more(later(many, PERSON.longest), PERSON))
    assert pause(again, PERSON) == PERSON.longest


def test_attempts_are_forgotten_one_by_one() -> None:
    three_less = later(after(PERSON.free), 3 * PERSON.forget)
    assert level_after_one_more(three_less, PERSON) == PERSON.free - 2


@given(RULES, st.integers(0, 10_000))
def test_no_flood_is_remembered_for_longer_than_a_quarter_of_an_hour(rule: BackoffRule, number: int) -> None:
    assert REMEMBERED_SECONDS <= 900
    assert level_after_one_more(later(after(min(number, 100), rule), REMEMBERED_SECONDS), rule) == 1


@given(RULES, st.floats(0, 50), st.floats(0, 10_000), st.floats(0, 10_000))
def test_waiting_never_makes_a_pause_longer(rule: BackoffRule, level: float, ago: float, more: float) -> None:
    attempts = Attempts(level, ago)
    assert 0 <= pause(later(attempts, more), rule) <= pause(attempts, rule) <= rule.longest
    assert level_after_one_more(later(attempts, more), rule) <= level_after_one_more(attempts, rule)
