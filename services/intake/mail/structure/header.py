"""Finds the end of a header (RFC 5322, 2.2), also if the empty line after it is missing or not empty.

A line that cannot be a field is text, and so are fields directly above it that mails do not have. Nothing that may be
somebody's words is taken for a header without a note.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

MOST_BYTES = 256 * 1024
MOST_FIELD_BYTES = 32 * 1024
MOST_FIELDS = 1_000
MOST_STRAY_LINES = 20
LONGEST_LINE = 1_000
LONGEST_QUOTED = 400
"""Characters that a note quotes of fields that mails do not have."""

_LINE = re.compile(rb"([^\r\n]*+)(\r\n|\n|\r|\Z)")
_NAME = re.compile(rb"([!-9;-~]++)[ \t]*:")
_PARAMETER = re.compile(rb"[A-Za-z][A-Za-z0-9*-]{0,40}=")
_BEFORE_A_MAIL = re.compile(rb"(?:>?From [^\r\n]*+(?:\r\n|\n|\r))?(?:[ \t]*+(?:\r\n|\n|\r))*+")
_MAIL_FIELDS = re.compile(
    r"(?:from|to|cc|bcc|subject|date|sender|references|keywords|comments|encrypted|organi[sz]ation|priority|precedence|importance|sensitivity|status|lines|xref|path"
    r"|newsgroups|received|expires|supersedes|approved|distribution|language|mailing-list|in-reply-to|reply-to|followup-to|errors-to|user-agent|apparently-to|return-path"
    r"|(?:content|x|list|arc|resent|dkim|domainkey|authentication|mime|message|thread|auto|original|feedback|delivered|disposition|envelope|received|accept|deferred"
    r"|delivery|return|ms|old|iron[a-z]*|google|amazon|require|tls|openpgp|autocrypt)-[!-9;-~]+|openpgp|autocrypt)",
    re.IGNORECASE,
)
_ONCE = frozenset(("from", "to", "cc", "subject", "date", "message-id", "sender", "content-type", "mime-version"))


@dataclass(slots=True)
class Header:
    """The fields of a header in order, unfolded, with names in lower case; `size` is its length in bytes, `body` is
    what follows it."""

    fields: list[tuple[str, bytes]] = field(default_factory=list)
    body: bytes = b""
    size: int = 0
    wrong: list[str] = field(default_factory=list)


def split(raw: bytes, *, is_part: bool) -> Header:
    """Splits a mail, or a part of one, into header and body. Linear in the size of the header."""
    found = Header()
    start = 0 if is_part else _first_field(raw)
    if raw[start : start + 1] in (b"\r", b"\n"):
        found.body = raw[_line(raw, start)[1] :]
        return found
    fields, end = _fields(raw, start, found)
    if fields and not any(_is_mail_field(each.name) for each in fields):
        fields, end = [], start  # text whose first line has a colon
    if is_part and not any(each.name == "content-transfer-encoding" for each in fields):
        fields, end = _split_off_text(fields, end)  # the empty line is between words, and not above them
    elif not is_part:
        _note_text(raw, fields, end, found.wrong)
    found.fields = [(each.name, bytes(each.value[:MOST_FIELD_BYTES])) for each in fields]
    found.body, found.size = raw[end:], end
    return found


@dataclass(slots=True)
class _Field:
    name: str
    value: bytearray
    start: int


def _first_field(raw: bytes) -> int:
    """Where a mail begins: after lines that programs put before it when they store or forward it."""
    start = found.end() if (found := _BEFORE_A_MAIL.match(raw)) is not None else 0
    name = _NAME.match(raw, start)
    return start if name is not None and _is_mail_field(_name(name)) else 0


def _fields(raw: bytes, start: int, found: Header) -> tuple[list[_Field], int]:
    """The fields, and where the body begins."""
    fields: list[_Field] = []
    current: _Field | None = None
    at, limit, folded_until, stray, count = start, start + MOST_BYTES, start, 0, 0
    while at < len(raw):
        line, below = _line(raw, at)
        if at >= limit or below > limit + LONGEST_LINE:
            found.wrong.append(f"a header of more than {MOST_BYTES // 1024} kB; the rest was taken for text")
            return fields, at
        if not line:
            return fields, below
        if not line.strip(b" \t"):
            # A line of blanks is a folded line (RFC 5322, 4.2) if more fields follow.
            if at >= folded_until:
                folded_until = _end_of_fields(raw, below, limit)
                if folded_until < 0:
                    return fields, below
        elif line[:1] in b" \t":
            if current is None:
                return [], start
            if len(current.value) < MOST_FIELD_BYTES:
                current.value += b" " + line.strip()
        elif current is not None and current.value[-1:] == b";" and _PARAMETER.match(line):
            current.value += b" " + line.strip()  # a parameter whose line lost its indent
        elif (name := _NAME.match(line)) is not None:
            current = _Field(_name(name), bytearray(line[name.end() :].strip()), at)
            count += 1
            if count <= MOST_FIELDS:
                fields.append(current)
            elif count == MOST_FIELDS + 1:
                found.wrong.append(f"more than {MOST_FIELDS} header fields; the rest was not read")
        elif current is None:
            return [], start
        elif stray < MOST_STRAY_LINES and _header_continues(raw, below, limit, fields):
            stray += 1
            found.wrong.append(f"a line of its header could not be read: {_text(line)[:100]}")
        else:
            return _split_off_text(fields, at)
        at = below
    return _split_off_text(fields, len(raw))


def _line(raw: bytes, at: int) -> tuple[bytes, int]:
    """A line without its line break, and where the next line begins."""
    line = _LINE.match(raw, at)
    assert line is not None
    return line.group(1), line.end()


def _lines(raw: bytes, at: int, limit: int) -> Iterator[tuple[int, bytes]]:
    """The lines of a header from a position on, up to its empty line or the limit."""
    while at < min(len(raw), limit):
        line, below = _line(raw, at)
        yield below, line
        if not line:
            return
        at = below


def _end_of_fields(raw: bytes, at: int, limit: int) -> int:
    """The position after the next empty line, if only fields come before it; else -1."""
    fields = 0
    for below, line in _lines(raw, at, limit):
        if not line:
            return below if fields else -1
        if line[:1] not in b" \t":
            if _NAME.match(line) is None:
                return -1
            fields += 1
    return -1


def _header_continues(raw: bytes, at: int, limit: int, fields: list[_Field]) -> bool:
    """Whether more of a mail's header follows after a stray line, before an empty line."""
    seen = {each.name for each in fields}
    is_encoded = any(each.name == "content-transfer-encoding" and b"base64" in each.value.lower() for each in fields)
    for _, line in _lines(raw, at, min(limit, at + 64 * LONGEST_LINE)):
        if not line:
            return is_encoded  # text would be encoded too
        name = _NAME.match(line)
        if name is not None and _is_mail_field(known := _name(name)) and not (known in _ONCE and known in seen):
            return True
    return False


def _split_off_text(fields: list[_Field], end: int) -> tuple[list[_Field], int]:
    """For a header without an empty line: fields at its end that mails do not have, or that occurred before, are
    text."""
    seen = [each.name for each in fields]
    while fields and (
        not _is_mail_field(fields[-1].name) or (fields[-1].name in _ONCE and fields[-1].name in seen[: len(fields) - 1])
    ):
        end = fields.pop().start
    return fields, end


def _note_text(raw: bytes, fields: list[_Field], end: int, wrong: list[str]) -> None:
    """Adds a note about text that may be above the empty line: fields at the header's end that mails do not have
    ("Please: call me"). Names with a hyphen come from programs."""
    above, start = list(fields), end
    while above and "-" not in above[-1].name and not _is_mail_field(above[-1].name):
        start = above.pop().start
    if said := " ".join(_text(raw[start:end]).split()):
        more = "... (the rest is in the original mail)" if len(said) > LONGEST_QUOTED else ""
        wrong.append(f"the end of its header says: {said[:LONGEST_QUOTED]}{more}")


def _name(found: "re.Match[bytes]") -> str:
    return found.group(1).decode("ascii").lower()


def _is_mail_field(name: str) -> bool:
    return _MAIL_FIELDS.fullmatch(name) is not None


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace")
