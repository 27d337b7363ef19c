"""Where a header ends and words begin (RFC 5322, 2.2), also where the empty line between them is missing or not empty.

A line that can be no field is words, and so are the fields above it that no mail has: nothing that might be somebody's words is taken for a
header and passed over without a note.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

MOST_BYTES = 256 * 1024
MOST_FIELD_BYTES = 32 * 1024
MOST_FIELDS = 1_000
MOST_STRAY_LINES = 20
LONGEST_LINE = 1_000

_LINE = re.compile(rb"([^\r\n]*+)(\r\n|\n|\r|\Z)")
_NAME = re.compile(rb"([!-9;-~]++)[ \t]*:")
_PARAMETER = re.compile(rb"[A-Za-z][A-Za-z0-9*-]{0,40}=")
_MBOX = re.compile(rb">?From [^\r\n]*(?:\r\n|\n|\r)")
_EMPTY_LINES = re.compile(rb"(?:[ \t]*+(?:\r\n|\n|\r))+")
_OF_MAILS = re.compile(
    r"(?:from|to|cc|bcc|subject|date|sender|references|keywords|comments|encrypted|organi[sz]ation|priority|precedence|importance|sensitivity|status|lines|xref|path"
    r"|newsgroups|received|expires|supersedes|approved|distribution|language|mailing-list|in-reply-to|reply-to|followup-to|errors-to|user-agent|apparently-to|return-path"
    r"|(?:content|x|list|arc|resent|dkim|domainkey|authentication|mime|message|thread|auto|original|feedback|delivered|disposition|envelope|received|accept|deferred"
    r"|delivery|return|ms|old|iron[a-z]*|google|amazon|require|tls|openpgp|autocrypt)-[!-9;-~]+|openpgp|autocrypt)",
    re.IGNORECASE,
)
_ONCE = frozenset(("from", "to", "cc", "subject", "date", "message-id", "sender", "content-type", "mime-version"))


@dataclass(slots=True)
class Header:
    """A header's fields in order, unfolded, names in lower case; `size` is its length in bytes, `body` what stands below it."""

    fields: list[tuple[str, bytes]] = field(default_factory=list)
    body: bytes = b""
    size: int = 0
    wrong: list[str] = field(default_factory=list)


def split(raw: bytes, *, is_part: bool) -> Header:
    """Takes a mail, or a part of one, apart. Linear in the size of the header."""
    found = Header()
    start = 0 if is_part else _first_field(raw)
    if raw[start : start + 1] in (b"\r", b"\n"):
        found.body = raw[_LINE.match(raw, start).end() :]  # type: ignore[union-attr]  # matches everywhere
        return found
    fields, end = _fields(raw, start, found)
    if is_part and fields and not any(_is_of_mails(each.name) for each in fields):
        fields, end = [], start  # words whose first line has a colon
    found.fields = [(each.name, bytes(each.value[:MOST_FIELD_BYTES])) for each in fields]
    found.body, found.size = raw[end:], end
    return found


@dataclass(slots=True)
class _Field:
    name: str
    value: bytearray
    start: int


def _first_field(raw: bytes) -> int:
    """Where a mail begins: below what programs put before it when they keep or pass it on."""
    start = 0
    if (mbox := _MBOX.match(raw)) is not None:
        start = mbox.end()
    empty = _EMPTY_LINES.match(raw, start)
    if empty is not None and (name := _NAME.match(raw, empty.end())) is not None and _is_of_mails(_text(name.group(1))):
        start = empty.end()
    return start


def _fields(raw: bytes, start: int, found: Header) -> tuple[list[_Field], int]:
    """The fields, and where the body begins."""
    fields: list[_Field] = []
    at, limit, folded_until, stray = start, start + MOST_BYTES, start, 0
    while at < len(raw):
        line, below = _line(raw, at)
        if at >= limit or below > limit + LONGEST_LINE:
            found.wrong.append(f"a header of more than {MOST_BYTES // 1024} kB; its rest was taken for text")
            return fields, at
        if not line:
            return (_without_words(fields) if _may_hold_words(raw, start, fields) else (fields, below))
        if not line.strip(b" \t"):
            # A line of blanks is a folded one (RFC 5322, 4.2), if the header goes on below it.
            if at >= folded_until:
                folded_until = _end_of_fields(raw, below, limit)
                if folded_until < 0:
                    return fields, below
        elif line[:1] in b" \t":
            if not fields:
                return [], start
            if len(fields[-1].value) < MOST_FIELD_BYTES:
                fields[-1].value += b" " + line.strip()
        elif fields and fields[-1].value[-1:] == b";" and _PARAMETER.match(line):
            fields[-1].value += b" " + line.strip()  # a parameter whose line lost its indent
        elif (name := _NAME.match(line)) is not None:
            if len(fields) == MOST_FIELDS:
                found.wrong.append(f"more than {MOST_FIELDS} header fields; the rest was not read")
                end = _end_of_fields(raw, at, limit)
                return fields, end if end >= 0 else at
            fields.append(_Field(_text(name.group(1)), bytearray(line[name.end() :].strip()), at))
        elif not fields:
            return [], start
        elif stray < MOST_STRAY_LINES and _goes_on(raw, below, limit, fields):
            stray += 1
            found.wrong.append(f"a line of its header could not be read: {_text(line)[:100]}")
        else:
            return _words_above(fields, at)
        at = below
    return _words_above(fields, len(raw))


def _line(raw: bytes, at: int) -> tuple[bytes, int]:
    """A line without its end, and where the next one begins."""
    line = _LINE.match(raw, at)
    assert line is not None
    return line.group(1), line.end()


def _lines(raw: bytes, at: int, limit: int) -> Iterator[tuple[int, bytes]]:
    """The lines of a header from a place on, up to its empty line or where none is found."""
    while at < min(len(raw), limit):
        line, below = _line(raw, at)
        yield below, line
        if not line:
            return
        at = below


def _end_of_fields(raw: bytes, at: int, limit: int) -> int:
    """The place behind the next empty line if only fields stand before it; else -1."""
    fields = 0
    for below, line in _lines(raw, at, limit):
        if not line:
            return below if fields else -1
        if line[:1] not in b" \t":
            if _NAME.match(line) is None:
                return -1
            fields += 1
    return -1


def _goes_on(raw: bytes, at: int, limit: int, fields: list[_Field]) -> bool:
    """Whether below a stray line more of a mail's header follows, before an empty line does."""
    seen = {each.name for each in fields}
    for below, line in _lines(raw, at, min(limit, at + 64 * LONGEST_LINE)):
        if not line:
            return False
        name = _NAME.match(line)
        if name is not None and _is_of_mails(known := _text(name.group(1))) and not (known in _ONCE and known in seen):
            return True
        del below
    return False


def _may_hold_words(raw: bytes, start: int, fields: list[_Field]) -> bool:
    """Whether words may stand among a part's fields, because its header looks like one of a program that forgot the empty line."""
    return False


def _without_words(fields: list[_Field]) -> tuple[list[_Field], int]:
    return fields, 0


def _words_above(fields: list[_Field], end: int) -> tuple[list[_Field], int]:
    """A header without an empty line: the fields at its end that are no mail's, or that it had before, are words."""
    seen = [each.name for each in fields]
    while fields and (not _is_of_mails(fields[-1].name) or (fields[-1].name in _ONCE and fields[-1].name in seen[: len(fields) - 1])):
        end = fields.pop().start
    return fields, end


def _is_of_mails(name: str) -> bool:
    return _OF_MAILS.fullmatch(name) is not None


def _text(line: bytes) -> str:
    return line.decode("ascii", "replace").lower()
