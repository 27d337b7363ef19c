"""What the subject of a mail says of tickets: their numbers, as our mails and as people write them, and what answers put before it
(requirements A1.28, A2.02 to A2.08).

A number is no proof of anything: it only says which ticket is meant.
"""

import re
import unicodedata
from collections.abc import Iterator
from datetime import date

SYSTEM_ID = "10"
SHORTEST, LONGEST = 16, 20
"""Digits of a number; a day's counter beyond 99 999 makes it longer."""
MOST = 20
"""Numbers that are looked for in one subject."""
LOOKED_AT = 4_000
"""Characters of a subject in which numbers are looked for."""
REPLY = re.compile(
    r"(?:re|aw|sv|vs|antw|antwort|odp|odg|res|resp|rif|ref|ynt|vá|απ|ответ|отв|回复|回覆|答复|返信)"
    r"\s?(?:\[\d{1,3}\]|\(\d{1,3}\)|\^\d{1,3})?\s?[:：]\s*",
    re.IGNORECASE,
)
"""What mail programs put before the subject of an answer."""
_MARKED = re.compile(r"ticket\W{0,5}#\W{0,5}([0-9](?:[ .\-]?[0-9]){7,31})", re.IGNORECASE)
_CALLED = re.compile(
    rf"ticket\W{{0,5}}(?:(?:no|nr|num|number|nummer|id)\W{{0,3}})?([0-9]{{{SHORTEST},{LONGEST}}})(?![0-9])",
    re.IGNORECASE,
)
_BARE = re.compile(rf"(?<![0-9A-Za-z])[0-9]{{{SHORTEST},{LONGEST}}}(?![0-9A-Za-z])")
_WHOLE = re.compile(
    r"[\[(]?\s*(?:ticket\W{0,5}(?:(?:no|nr|num|number|nummer|id)\W{0,3})?)?(?:#\s*:?)?\s*([0-9](?:[ .\-]?[0-9]){7,31})\s*[\])]?",
    re.IGNORECASE,
)


def check_digit(digits: str) -> int:
    """Digits weighted 1, 2, 1, 2, ... from the left; 10 - (sum mod 10); a 10 becomes 1, so that 0 never occurs (A2.04)."""
    total = sum(int(digit) * (1 + position % 2) for position, digit in enumerate(digits))
    return 10 - total % 10 if total % 10 else 1


def token(number: str) -> str:
    """What a subject carries so that a reply finds its ticket (A2.06 to A2.08)."""
    return f"[Ticket#{number}]"


def numbers_named(subject: str) -> list[str]:
    """The numbers in a subject: first those behind `Ticket#`, whatever stands around it and between their digits, or behind `ticket`; then
    those that stand alone.

    The first are looked up as they are: a check digit is not checked (A2.05). The others must have a number's date, system id and check
    digit, because subjects have many long numbers.
    """
    plain = _plain(subject[:LOOKED_AT])
    found = [number for match in _MARKED.finditer(plain) for number in _grouped(match.group(1))]
    found += _CALLED.findall(plain)
    found += [bare for bare in _BARE.findall(plain) if _is_ours(bare)]
    return list(dict.fromkeys(found))[:MOST]


def number_in(reference: str) -> str | None:
    """The number that names a ticket somewhere else than in a subject: alone, or as people write it, in groups and behind `Ticket#` (A1.28, A2.06)."""
    whole = _WHOLE.fullmatch(_plain(reference).strip())
    number = re.sub(r"[ .\-]", "", whole.group(1)) if whole is not None else ""
    return number if SHORTEST <= len(number) <= LONGEST else None


def title_of(subject: str, *numbers: str) -> str:
    """What a subject says without the numbers of the ticket that it answers, and without the prefixes of answers. Other numbers stay:
    the reader's own system may look for them."""
    rest = " ".join(subject.split())
    for number in numbers:
        own = re.compile(rf"[\[(]? ?ticket\W{{0,5}}#\W{{0,5}}{re.escape(number)} ?[\])]?", re.IGNORECASE)
        rest = " ".join(own.sub(" ", rest).split())
    while (prefix := REPLY.match(rest)) is not None:
        rest = rest[prefix.end() :]
    return rest.strip()


def _plain(text: str) -> str:
    """With the usual form of each character (full-width digits and brackets are written in East Asia), without invisible ones."""
    return "".join(each for each in unicodedata.normalize("NFKC", text) if unicodedata.category(each) != "Cf")


def _grouped(digits: str) -> Iterator[str]:
    """The number that is written in groups, or is followed by another one: the first group, and each with what follows that is long enough."""
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
