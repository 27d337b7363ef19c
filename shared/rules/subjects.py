"""Ticket numbers in the subjects of mails, and the prefixes of answers (requirements A1.28, A2.02 to A2.08).

A number proves nothing: it only says which ticket is meant.
"""

import re
import unicodedata
from collections.abc import Iterator
from datetime import date

SYSTEM_ID = "10"
SHORTEST, LONGEST = 16, 20
"""Digits of a number. A day's counter above 99 999 makes it longer."""
MOST = 20
"""Numbers that are read from one subject."""
SEARCHED = 4_000
"""Characters of a subject in which numbers are searched."""
REPLY = re.compile(
    r"(?:re|aw|sv|vs|antw|antwort|odp|odg|res|resp|rif|ref|ynt|vá|απ|ответ|отв|回复|回覆|答复|返信)"
    r"\s?(?:\[\d{1,3}\]|\(\d{1,3}\)|\^\d{1,3})?\s?[:：]\s*",
    re.IGNORECASE,
)
"""The prefixes that mail programs put before the subject of an answer."""
_MARKED = re.compile(r"ticket\W{0,5}#\W{0,5}([0-9](?:[ .\-]?[0-9]){7,31})", re.IGNORECASE)
_CALLED = re.compile(
    rf"ticket\W{{0,5}}(?:(?:no|nr|num|number|nummer|id)\W{{0,3}})?([0-9]{{{SHORTEST},{LONGEST}}})(?![0-9])",
    re.IGNORECASE,
)
_BARE = re.compile(rf"(?<![0-9A-Za-z])[0-9]{{{SHORTEST},{LONGEST}}}(?![0-9A-Za-z])")
_WHOLE = re.compile(
    r"[\[(]?\s*(?:ticket\W{0,5}(?:(?:no|nr|num|number|nummer|id)\W{0,3})?)?(?:#\s*:?)?\s*"
    r"([0-9](?:[ .\-]?[0-9]){7,31})\s*[\])]?",
    re.IGNORECASE,
)


def check_digit(digits: str) -> int:
    """Digits are weighted 1, 2, 1, 2, ... from the left. 10 - (sum mod 10); 10 becomes 1, so there is no 0 (A2.04)."""
    total = sum(int(digit) * (1 + position % 2) for position, digit in enumerate(digits))
    return 10 - total % 10 if total % 10 else 1


def token(number: str) -> str:
    """The part of a subject by which a reply finds its ticket (A2.06 to A2.08)."""
    return f"[Ticket#{number}]"


def numbers_named(subject: str) -> list[str]:
    """The numbers in a subject: first those after `Ticket#` or `ticket`, then those that stand alone.

    The first may be written in groups, and their check digit is not checked (A2.05). The others must have the date, the
    system id and the check digit of a ticket number, because subjects contain many long numbers.
    """
    plain = _plain(subject[:SEARCHED])
    found = [number for match in _MARKED.finditer(plain) for number in _grouped(match.group(1))]
    found += _CALLED.findall(plain)
    found += [bare for bare in _BARE.findall(plain) if _is_ours(bare)]
    return list(dict.fromkeys(found))[:MOST]


def number_in(reference: str) -> str | None:
    """The ticket number that a text consists of: alone or after `Ticket#`, possibly in groups (A1.28, A2.06)."""
    whole = _WHOLE.fullmatch(_plain(reference).strip())
    number = re.sub(r"[ .\-]", "", whole.group(1)) if whole is not None else ""
    return number if SHORTEST <= len(number) <= LONGEST else None


def title_of(subject: str, *numbers: str) -> str:
    """A subject without the ticket's own numbers and the prefixes of answers.

    Other numbers are kept: the reader's own system may need them.
    """
    rest = " ".join(subject.split())
    for number in numbers:
        own = re.compile(rf"[\[(]? ?ticket\W{{0,5}}#\W{{0,5}}{re.escape(number)} ?[\])]?", re.IGNORECASE)
        rest = " ".join(own.sub(" ", rest).split())
    while (prefix := REPLY.match(rest)) is not None:
        rest = rest[prefix.end() :]
    return rest.strip()


def _plain(text: str) -> str:
    """The text with normal-width characters (those of East Asia may be full-width) and without invisible ones."""
    return "".join(each for each in unicodedata.normalize("NFKC", text) if unicodedata.category(each) != "Cf")


def _grouped(digits: str) -> Iterator[str]:
    """The numbers that groups of digits may form from the left: a number in groups, or one followed by another."""
    number = ""
    for n, group in enumerate(re.split(r"[ .\-]", digits)):
        number += group
        if (n == 0 and len(number) >= 8) or SHORTEST <= len(number) <= LONGEST:
            yield number


def _is_ours(digits: str) -> bool:
    try:
        date.fromisoformat(f"{digits[:4]}-{digits[4:6]}-{digits[6:8]}")
    except ValueError:
        return False
    return digits[8:10] == SYSTEM_ID and int(digits[-1]) == check_digit(digits[:-1])
