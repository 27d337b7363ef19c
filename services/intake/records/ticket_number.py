"""Ticket numbers: date, system id, the day's counter, check digit (requirements A2.02 to A2.05)."""

from datetime import date

from shared.rules.subjects import SYSTEM_ID, check_digit


def ticket_number(day: date, counter: int) -> str:
    """The number of a day's nth ticket, from 1. A counter beyond 99 999 makes it longer, never wrong."""
    if counter < 1:
        raise ValueError(f"the day's counter starts at 1, not {counter}")
    digits = f"{day.year:04d}{day:%m%d}{SYSTEM_ID}{counter:05d}"
    return f"{digits}{check_digit(digits)}"
