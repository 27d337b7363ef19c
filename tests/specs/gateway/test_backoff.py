"""How guesses slow down: the rules, on plain numbers."""

from hypothesis import given
from hypothesis import strategies as st

from services.gateway.signing_in.backoff import ADDRESS, PERSON, REMEMBERED_SECONDS, Counted, Rule, pause, taken

RULES = st.sampled_from((PERSON, ADDRESS))


def after(guesses: int, rule: Rule = PERSON) -> Counted:
    """So many guesses at one moment."""
    counted = Counted()
    for _ in range(guesses):
        counted = Counted(taken(counted, rule), 0.0)
    return counted


def later(counted: Counted, seconds: float) -> Counted:
    return Counted(counted.level, counted.ago + seconds)


def test_a_few_are_free_then_the_pause_doubles_up_to_a_minute() -> None:
    assert pause(after(PERSON.free - 1), PERSON) == 0
    assert [pause(after(PERSON.free + n), PERSON) for n in range(9)] == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_a_pause_ends_by_itself_and_the_next_guess_begins_a_new_one() -> None:
    many = after(100)
    assert pause(later(many, PERSON.longest - 0.5), PERSON) == 0.5
    assert pause(later(many, PERSON.longest), PERSON) == 0
    again = Counted(taken(later(many, PERSON.longest), PERSON))
    assert pause(again, PERSON) == PERSON.longest


def test_they_are_forgotten_one_by_one() -> None:
    three_less = later(after(PERSON.free), 3 * PERSON.forget)
    assert taken(three_less, PERSON) == PERSON.free - 2


@given(RULES, st.integers(0, 10_000))
def test_no_flood_is_remembered_for_longer_than_a_quarter_of_an_hour(rule: Rule, guesses: int) -> None:
    assert REMEMBERED_SECONDS <= 900
    assert taken(later(after(min(guesses, 100), rule), REMEMBERED_SECONDS), rule) == 1


@given(RULES, st.floats(0, 50), st.floats(0, 10_000), st.floats(0, 10_000))
def test_waiting_never_makes_it_worse(rule: Rule, level: float, ago: float, more: float) -> None:
    counted = Counted(level, ago)
    assert 0 <= pause(later(counted, more), rule) <= pause(counted, rule) <= rule.longest
    assert taken(later(counted, more), rule) <= taken(counted, rule)
