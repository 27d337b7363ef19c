from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake.ticket_number import check_digit, numbers_named, ticket_number
from tests.specs.requirement import requirement

COUNTERS = st.integers(1, 10**7)


@requirement("A2.02", "A2.03", "A2.04")
@pytest.mark.parametrize(
    ("day", "counter", "number"),
    [
        (date(2011, 9, 26), 4, "2011092610000048"),
        (date(2013, 6, 17), 64, "2013061710000647"),
        (date(2013, 7, 4), 73, "2013070410000731"),
    ],
)
def test_numbers_are_those_of_the_printed_examples(day: date, counter: int, number: str) -> None:
    assert ticket_number(day, counter) == number


@requirement("A2.04")
@given(st.dates(date(1990, 1, 1), date(2199, 12, 31)), COUNTERS)
def test_the_check_digit_is_never_nought_and_fits(day: date, counter: int) -> None:
    number = ticket_number(day, counter)
    assert number[-1] != "0"
    assert check_digit(number[:-1]) == int(number[-1])


@requirement("A2.02")
@given(st.dates(), st.integers(1, 99_999))
def test_a_number_has_sixteen_digits(day: date, counter: int) -> None:
    assert len(ticket_number(day, counter)) == 16


@given(st.dates(), COUNTERS, COUNTERS)
def test_two_tickets_of_a_day_have_two_numbers(day: date, one: int, other: int) -> None:
    assert (ticket_number(day, one) == ticket_number(day, other)) == (one == other)


def test_more_than_99_999_tickets_a_day_make_longer_numbers() -> None:
    assert len(ticket_number(date(2026, 11, 23), 100_000)) == 17


def test_the_counter_starts_at_one() -> None:
    with pytest.raises(ValueError, match="starts at 1"):
        ticket_number(date(2026, 11, 23), 0)


@requirement("A2.07", "A2.08")
@pytest.mark.parametrize(
    "subject",
    [
        "Re: [Ticket#2013070410000731] Testvraag",
        "AW: [Ticket#2013070410000731] Testvraag",
        "SV: Re: Fwd:[ticket#2013070410000731]",
        "[Ticket# 2013070410000731 ]",
        "x [Ticket#2013070410000731] [Ticket#2013070410000731]",
    ],
)
def test_the_token_in_a_subject_names_the_ticket(subject: str) -> None:
    assert numbers_named(subject) == ["2013070410000731"]


@requirement("A2.05")
def test_a_wrong_check_digit_is_looked_up_all_the_same() -> None:
    assert numbers_named("[Ticket#2013062910000610]") == ["2013062910000610"]


@pytest.mark.parametrize("subject", ["", "2013070410000731", "Ticket 2013070410000731", "[Ticket#]", "[Ticket#12]"])
def test_other_numbers_in_a_subject_name_nothing(subject: str) -> None:
    assert numbers_named(subject) == []


@given(st.text(), st.text())
def test_a_token_is_found_wherever_it_stands(before: str, after: str) -> None:
    assert "2013070410000731" in numbers_named(f"{before}[Ticket#2013070410000731]{after}")
