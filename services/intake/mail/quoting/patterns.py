"""Patterns that the modules of this folder share.

Every pattern is tried on a few hundred characters at most, so that no line makes the reading slow.
"""

import re
from collections.abc import Iterable

LONGEST_SEPARATOR = 120
LONGEST_LABEL = 40


def any_of(words: Iterable[str]) -> str:
    """A pattern of alternatives, the longer ones first, with any blank between their words."""
    found = sorted({word for word in words if word}, key=lambda word: (-len(word), word))
    return "(?:" + "|".join(re.escape(word).replace(r"\ ", r"\s+").replace("'", "['’]") for word in found) + ")"


EMAIL = r"[^\s<>\"',;:()\[\]]{1,64}@[^\s<>\"',;:()\[\]]{1,190}"
DIGIT = re.compile(r"\d")
YEAR = re.compile(r"(?<!\d)\d{4}(?!\d)")
CLOCK = re.compile(r"(?<![\d.])\d{1,2}[:.]\d{2}(?:[:.]\d{2})?(?![\d.])")
URL = re.compile(r"<?https?://[^\s>)]{1,2000}>?\)?")
