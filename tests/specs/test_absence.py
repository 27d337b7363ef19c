"""Who is away (A21.01)."""

from datetime import UTC, date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.directory import Absence, Person
from shared.rules.absence import absence_of, is_away
from tests.specs.requirement import requirement

OSLO = ZoneInfo("Europe/Oslo")
AWAY = Absence(active=True, first_day=date(2012, 2, 25), last_day=date(2012, 2, 26), substitute=UUID(int=2))


def lise(absence: Absence | None = AWAY, timezone: str | None = None) -> Person:
    return Person(
        id=UUID(int=1),
        login="lise",
        name="Lise",
        email="lise@help.example.org",
        roles=("agent",),
        timezone=timezone,
        absence=absence,
    )


@requirement("A21.01")
@pytest.mark.parametrize(
    ("at", "away"),
    [
        (datetime(2012, 2, 24, 22, 59, 59, tzinfo=UTC), False),  # still the 24th in Oslo
        (datetime(2012, 2, 24, 23, 0, tzinfo=UTC), True),
        (datetime(2012, 2, 26, 22, 59, 59, tzinfo=UTC), True),
        (datetime(2012, 2, 26, 23, 0, tzinfo=UTC), False),
    ],
)
def test_both_days_of_an_absence_belong_to_it(at: datetime, away: bool) -> None:
    assert is_away(lise(), at, OSLO) is away
    assert absence_of(lise(), at, OSLO) == (AWAY if away else None)


def test_days_are_counted_where_the_person_is() -> None:
    moment = datetime(2012, 2, 24, 23, 30, tzinfo=UTC)
    assert is_away(lise(timezone="Europe/Oslo"), moment, UTC)
    assert not is_away(lise(timezone="America/New_York"), moment, OSLO)


def test_a_zone_that_is_unknown_here_counts_as_none() -> None:
    moment = datetime(2012, 2, 24, 23, 30, tzinfo=UTC)
    for zone in ("Mars/Olympus", "../../etc/passwd", "", "Europe"):
        assert is_away(lise(timezone=zone), moment, OSLO)


def test_who_has_no_absence_or_has_switched_it_off_is_there() -> None:
    moment = datetime(2012, 2, 25, 12, 0, tzinfo=UTC)
    assert is_away(lise(), moment, OSLO)
    assert not is_away(lise(None), moment, OSLO)
    assert not is_away(lise(AWAY.model_copy(update={"active": False})), moment, OSLO)


@given(
    first=st.dates(date(2012, 1, 1), date(2012, 12, 31)),
    days=st.integers(-3, 30),
    at=st.datetimes(datetime(2012, 1, 1), datetime(2013, 2, 1), timezones=st.just(UTC)),
    zone=st.sampled_from(["Europe/Oslo", "Pacific/Kiritimati", "America/New_York", "Asia/Kathmandu"]),
)
def test_a_person_is_away_on_exactly_the_days_from_the_first_to_the_last(
    first: date, days: int, at: datetime, zone: str
) -> None:
    last = date.fromordinal(first.toordinal() + days)
    absence = Absence(active=True, first_day=first, last_day=last)
    expected = at.astimezone(ZoneInfo(zone)).date() in {
        date.fromordinal(day) for day in range(first.toordinal(), last.toordinal() + 1)
    }
    assert is_away(lise(absence, timezone=zone), at, OSLO) is expected
