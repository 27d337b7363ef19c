from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake.mail.reading import read
from services.intake.records.ticket_number import ticket_number
from shared.rules.subjects import check_digit, number_in, numbers_named, title_of
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
    assert numbers_named("ticket nr. 2013062910000610") == ["2013062910000610"]


@requirement("A1.28", "A2.06")
@pytest.mark.parametrize(
    "subject",
    [
        "About Ticket#2013070410000731",
        "Re: ticket # 2013070410000731 - the printer",
        "(TICKET #: 2013070410000731)",
        "Ticket\u00a0#\u00a02013070410000731",
        "\uff34icket\uff03\uff12\uff10\uff11\uff13\uff10\uff17\uff10\uff14\uff11\uff10\uff10\uff10\uff10\uff17\uff13\uff11",
        "\uff3bTicket\uff032013070410000731\uff3d",
        "Ticket#\u200b2013070410000731",
        "Ticket#2013 0704 1000 0731",
        "Ticket#20130704-10-00073-1 again",
        "Ticket#2013070410000731.",
        "Ticket 2013070410000731",
        "ticket no. 2013070410000731: the printer",
        "#2013070410000731",
        "2013070410000731",
        "My request 2013070410000731, once more",
    ],
)
def test_a_number_as_people_write_it_names_the_ticket(subject: str) -> None:
    assert "2013070410000731" in numbers_named(subject)


def test_what_follows_a_number_does_not_hide_it() -> None:
    assert numbers_named("Ticket#2013070410000731 2 printers")[0] == "2013070410000731"


@pytest.mark.parametrize(
    "subject",
    [
        "",
        "[Ticket#]",
        "[Ticket#12]",
        "Order 2013070410000732",  # the check digit is another
        "Order 2013990410000731",  # no date
        "Card 4012888888881881",
        "IBAN NO2013070410000731",
        "Order 20130704100007310000000",
        "Two tickets for Oslo on 24 December, 12:30, rows 10 and 11",
    ],
)
def test_other_numbers_in_a_subject_name_nothing(subject: str) -> None:
    assert numbers_named(subject) == []


@given(st.text(max_size=2_000))
def test_any_subject_can_be_looked_at(subject: str) -> None:
    assert len(numbers_named(subject)) <= 20


def test_a_number_at_the_end_of_a_long_subject_counts_although_the_title_is_cut() -> None:
    mail = f"From: x@y.example\r\nSubject: {'so many words ' * 40}[Ticket#2013070410000731]\r\n\r\nx\r\n"
    assert read(mail.encode()).numbers == ("2013070410000731",)


@requirement("A2.06")
@pytest.mark.parametrize(
    "reference",
    [
        "2013070410000731",
        "Ticket#2013070410000731",
        "[Ticket#2013070410000731]",
        "ticket# 2013070410000731",
        "#2013070410000731",
        "ticket 2013070410000731",
        "Ticket no. 2013070410000731",
        "Ticketnummer: 2013070410000731",
        "20130704 10000731",
        "Ticket#20130704-10000731",
    ],
)
def test_a_ticket_is_named_by_its_number_as_it_is_shown(reference: str) -> None:
    assert number_in(reference) == "2013070410000731"


@pytest.mark.parametrize(
    "reference",
    [
        "",
        "12",
        "2013070410000731 or 2",
        "01936b1e-7e0a-7000-8000-000000000000",
        "Ticket#",
        "x2013070410000731",
        "2013070410000731 2013061710000647",
        "01936100-7000-7000-8000-000000000000",
    ],
)
def test_other_references_are_no_number(reference: str) -> None:
    assert number_in(reference) is None


@requirement("A2.07")
@pytest.mark.parametrize(
    ("subject", "title"),
    [
        ("Re: Re: [Ticket#2013070410000731] The lift", "The lift"),
        ("AW: SV[2]: [Ticket#2013070410000731] Re: The lift", "The lift"),
        ("The lift (Ticket # 2013070410000731) again", "The lift again"),
        ("Re: [Ticket#2013070410000731]", ""),
        ("[Ticket#2013061710000647] The lift", "[Ticket#2013061710000647] The lift"),
        ("Reparation of the lift", "Reparation of the lift"),
    ],
)
def test_a_title_has_neither_the_old_tickets_number_nor_prefixes(subject: str, title: str) -> None:
    assert title_of(subject, "2013070410000731") == title


@given(st.text(), st.text())
def test_a_token_is_found_anywhere_in_a_subject(before: str, after: str) -> None:
    assert "2013070410000731" in numbers_named(f"{before}[Ticket#2013070410000731]{after}")
