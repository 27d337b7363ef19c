"""Types of the values that people and programs send: names, addresses, lines, texts, numbers.

A value of such a type fits into PostgreSQL and JSON, and cannot smuggle control characters into mails and logs.
"""

import re
from datetime import date
from functools import cache
from typing import Annotated, Any, Literal
from uuid import UUID
from zoneinfo import available_timezones

from pydantic import AfterValidator, BeforeValidator, Field, StrictBool

from shared.addresses import canonical_domain, valid

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_SLUG = r"^[a-z0-9]+(-[a-z0-9]+)*$"
_LOGIN = r"^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$"
_LANGUAGE = r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$"
_TIME_OF_DAY = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"
_WALL_TIME = r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$"
SHAPES = {
    _SLUG: "Use lower-case letters and digits, with single hyphens between them, such as it-support.",
    _LOGIN: "Use lower-case letters and digits; between them also dots, hyphens and underscores.",
    _LANGUAGE: "This is not a language; write it like nb or en-GB.",
    _TIME_OF_DAY: "This is not a time of day; write it like 08:00.",
    _WALL_TIME: "This is not a time of day; write it like 08:00.",
}
"""What to tell somebody whose value does not match a pattern of these types."""


def one_line(text: str) -> str:
    """The text, if it is one line: no control characters (CR, LF, NUL ...), no line separators, no lone surrogates."""
    if not text.isprintable() and any(ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 or c in "\u2028\u2029" for c in text):
        raise ValueError("Must be one line without control characters.")
    return _encodable(text)


def any_text(text: str) -> str:
    """The text, if PostgreSQL and JSON can hold it: no NUL, no lone surrogates."""
    if "\x00" in text:
        raise ValueError("Must not contain NUL characters.")
    return _encodable(text)


def is_id(text: str) -> bool:
    """Whether a reference is an id rather than a slug, login or address."""
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _encodable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("Must not contain lone surrogates.") from None
    return text


@cache
def _time_zones() -> frozenset[str]:
    return frozenset(available_timezones()) - {"localtime", "Factory"}  # whatever the machine has, and none


def _time_zone(text: str) -> str:
    if text not in _time_zones():
        raise ValueError("This is not a time zone; write it like Europe/Oslo.")
    return text


def _day(value: Any) -> Any:
    if isinstance(value, date):
        return value
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        raise ValueError("This is not a date; write it like 2026-12-24.")
    return value


def _not_an_id(text: str) -> str:
    if is_id(text):
        raise ValueError("Must not look like an id.")
    return text


def _mail_domain(text: str) -> str:
    known = canonical_domain(text)
    if known is None or "." not in known:
        raise ValueError("This is not a valid domain; write it like acme.example.")
    return known


Line = Annotated[str, AfterValidator(one_line), Field(max_length=500)]
"""One line: subjects, names, titles. For another length: `Annotated[Line, Field(max_length=80)]`."""
Text = Annotated[str, AfterValidator(any_text), Field(max_length=1_000_000)]
"""Any number of lines: bodies, salutations."""
Flag = StrictBool
"""true or false, not "yes" or 1."""
Whole = Annotated[int, Field(strict=True, ge=-(2**31), le=2**31 - 1)]
"""A whole number that fits an SQL integer; no text, no fraction. Narrow it with `Annotated[Whole, Field(ge=1)]`."""
Slug = Annotated[
    str,
    Field(strict=True, min_length=1, max_length=64, pattern=_SLUG),
    AfterValidator(_not_an_id),
]
"""A short name for URLs: lower-case letters, digits and hyphens."""
Login = Annotated[
    str,
    Field(strict=True, min_length=1, max_length=64, pattern=_LOGIN),
    AfterValidator(_not_an_id),
]
"""What a person signs in with: lower-case letters, digits, dot, hyphen, underscore."""
MailAddress = Annotated[
    str, Field(strict=True, max_length=254, json_schema_extra={"format": "email"}), AfterValidator(valid)
]
MailDomain = Annotated[str, Field(strict=True, max_length=253), AfterValidator(_mail_domain)]
Language = Annotated[str, Field(strict=True, max_length=35, pattern=_LANGUAGE)]
"""A language tag such as `nb` or `en-GB` (RFC 5646)."""
TimeOfDay = Annotated[str, Field(strict=True, max_length=5, pattern=_TIME_OF_DAY)]
"""Hours and minutes, such as 07:00."""
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WallTime = Annotated[str, Field(strict=True, max_length=5, pattern=_WALL_TIME)]
"""Hours and minutes of a day, such as 07:00. 24:00 is its end."""
Hours = dict[Weekday, Annotated[list[tuple[WallTime, WallTime]], Field(max_length=24)]]
"""The hours of each weekday, as from and to."""
Day = Annotated[date, BeforeValidator(_day)]
"""A date such as 2026-12-24."""
TimeZone = Annotated[str, Field(strict=True, max_length=64), AfterValidator(_time_zone)]
"""A name of the IANA time zone database, such as Europe/Oslo."""
Title = Annotated[Line, Field(min_length=1, max_length=200)]
Reference = Annotated[Line, Field(min_length=1, max_length=254)]
"""Names another document: by id, slug or login, a person also by e-mail address."""
