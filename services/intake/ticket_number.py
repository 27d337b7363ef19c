"""Ticket numbers: date, system id, the day's counter, check digit (requirements A2.02 to A2.05)."""

import re
from datetime import date

SYSTEM_ID = "10"
_TOKEN = re.compile(r"\[\s*Ticket\s*#\s*:?\s*([0-9]{8,32})\s*\]", re.IGNORECASE)


def check_digit(digits: str) -> int:
    """Digits weighted 1, 2, 1, 2, ... from the left; 10 - (sum mod 10); a 10 becomes 1, so that 0 never occurs (A2.04)."""
    total = sum(int(digit) * (1 + position % 2) for position, digit in enumerate(digits))
    return 10 - total % 10 if total % 10 else 1


def ticket_number(day: date, counter: int) -> str:
    """The number of a day's nth ticket, from 1. A counter beyond 99 999 makes it longer, never wrong."""
    if counter < 1:
        raise ValueError(f"the day's counter starts at 1, not {counter}")
    digits = f"{day.year:04d}{day:%m%d}{SYSTEM_ID}{counter:05d}"
    return f"{digits}{check_digit(digits)}"


def numbers_named(subject: str) -> list[str]:
    """The numbers in a subject's `[Ticket#...]` tokens, in their order. Looked up as they are: a check digit is not checked (A2.05)."""
    return list(dict.fromkeys(_TOKEN.findall(subject)))
