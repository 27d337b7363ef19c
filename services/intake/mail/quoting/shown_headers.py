"""The header fields that mail programs show over a quote ("From: ... Sent: ... To: ... Subject: ..."), in all
languages."""

import re
from collections.abc import Sequence

from services.intake.mail.quoting.languages import LANGUAGES
from services.intake.mail.quoting.patterns import DIGIT, LONGEST_LABEL
from services.intake.mail.quoting.quote_marks import is_quoted, unquoted

_RAW_FIELD = re.compile(
    r"received[ \t]*:[ \t]*(?:from|by)\b|(?:return-path|delivered-to|message-id|in-reply-to|references|mime-version|content-[a-z-]+|dkim-signature"
    r"|authentication-results|arc-[a-z-]+|user-agent|x-[a-z0-9-]+|list-[a-z]+|errors-to|precedence|auto-submitted)[ \t]*:",
    re.IGNORECASE,
)
_SENT = {row.date[0] for row in LANGUAGES if row.date}
_LABELS: dict[str, set[str]] = {}
for _row in LANGUAGES:
    for _kind, _words in (
        ("sender", _row.sender), ("date", _row.date), ("to", _row.to), ("copy", _row.copy), ("subject", _row.subject),
        ("reply_to", _row.reply_to),
    ):  # fmt: skip
        for _word in _words:
            _LABELS.setdefault(_word, set()).add(_kind)


def label(line: str) -> tuple[set[str], str] | None:
    """The kinds of header field that a line may show, in any language, and the value; None if it shows none."""
    beginning = line[: LONGEST_LABEL * 2].replace("：", ":")
    name, colon, _ = beginning.partition(":")
    kinds = _LABELS.get(name.strip(" *_>|\t\xa0").lower()) if colon else None
    return (kinds, line[len(name) + 1 : 1_000].strip(" *_\t\xa0")) if kinds else None


def _is_sent(line: str) -> bool:
    return line.replace("：", ":").partition(":")[0].strip(" *_>|\t\xa0").lower() in _SENT


def is_raw_field(line: str) -> bool:
    """Whether a line is a header field that programs do not show over a quote: somebody pasted the header."""
    return _RAW_FIELD.match(line) is not None


def header_lines(lines: Sequence[str], start: int) -> int:
    """How many lines the header fields over a quote take that begin here; 0 if none do.

    A travel request has From, To and Date too: without a subject, an address or the word for "sent" the lines are words
    of the mail.
    """
    if not (first := label(lines[start])) or not first[0] & {"sender", "subject", "date"}:
        return 0
    seen: set[str] = set()
    fields = end = continued = 0
    telling = False
    for index in range(start, min(start + 14, len(lines))):
        line = unquoted(lines[index]) if is_quoted(lines[start]) else lines[index]
        if not line.strip(" *_"):
            # Rich text that was made plain may have one empty line between two fields.
            following = lines[index + 1] if index + 1 < len(lines) else ""
            if fields and label(following) and index == end:
                continue
            break
        found = label(line)
        if found is None:
            continued += 1
            if continued > 3 or len(line) > 200:
                break
            continue
        kinds, value = found
        fields += 1
        continued = 0
        # A word may name two fields ("Da:"); it counts as the one that is still missing.
        seen |= (kinds - seen) or kinds if len(kinds) == 1 or not kinds & seen else kinds - seen
        telling = telling or "@" in value or "subject" in kinds or (_is_sent(line) and DIGIT.search(value) is not None)
        end = index + 1
    enough = "sender" in seen and len(seen) >= 3 and fields >= 3 and telling
    if not enough:
        return 0
    while end < len(lines) and end - start < 14 and continued and lines[end].strip() and not label(lines[end]):
        end += 1
        continued -= 1
    return end - start
