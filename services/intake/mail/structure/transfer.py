"""Decodes transfer encodings (RFC 2045, 6), also of bodies that are only partly encoded, or not at all."""

import binascii
import quopri
import re
from collections.abc import Callable

LONG_LINE = 40
"""A line of base64 with this many characters cannot be a word."""
MOST_BELOW = 64 * 1024
"""Bytes at the end of base64 in which text below it is searched."""

_BLANKS = b" \t\r\n\v\f"
_LETTERS = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
_NO_LETTERS = bytes(set(range(256)) - _LETTERS)
_PADDING = re.compile(rb"=[=\s]*")
_PURE = re.compile(rb"^[ \t]*+([A-Za-z0-9+/]++={0,2})[ \t]*+\r?$", re.MULTILINE)
_PURE_LINE = re.compile(rb"^[A-Za-z0-9+/]{40,}={0,2}\r?$", re.MULTILINE)
_PROSE_BELOW = re.compile(
    rb"(?<=[A-Za-z0-9+/=]\n)(?:[ \t]*\r?\n)+(?=(?:[-_=*]{2,}|[^\s]{1,40} [^\s]{1,40})[^\n]{0,200}(?:\r?\n|\Z))"
)
"""A ruler or text after base64 and an empty line."""
_TELLING = re.compile(
    rb"^[ \t]*+(?:([A-Za-z0-9+/]{%d,}+={0,2}[ \t]*+\r?$)|[-_=*]{2}|[^\n]*?[^\s][ \t]+[^\s])" % LONG_LINE, re.MULTILINE
)
"""A line that can only be base64, a ruler, or text."""
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_QUOTED = re.compile(rb"=[0-9A-Fa-f]{2}")
_NOT_QUOTED = re.compile(rb"=(?![0-9A-Fa-f]{2}|[ \t]*(?:\r|\n|\Z))")
_SOFT_BREAK = re.compile(rb"=[ \t]*\r?\n")
_BEGIN = re.compile(rb"^begin [0-7]{3,4} [^\r\n]{0,200}(?:\r?\n|\r)", re.MULTILINE)

_END = re.compile(rb"^end[ \t]*\r?$", re.MULTILINE)

_TOKEN = re.compile(r"[a-z0-9-]+")
_SPELLINGS = {"base64": re.compile(r"base.{0,2}64"), "quoted-printable": re.compile(r"quote.{0,3}print")}
"""How programs spell these two encodings."""

Unreadable = Callable[[bytes], float]
"""Returns the share of characters that cannot be text, in the charset that was declared for these bytes."""
MOST_JUDGED = 1024 * 1024
"""Bytes that are examined to tell whether an encoding was applied."""
MOST_UNREADABLE = 0.25
"""Share in a short text that may be base64 or words."""


def encoding_named(value: str) -> str:
    """The encoding that a field names, in lower case and correctly spelled; or empty."""
    said = value.lower()
    known = next((name for name, spelling in _SPELLINGS.items() if spelling.search(said)), "")
    named = _TOKEN.search(said)
    return known or (named.group() if named else "")


def file_content(body: bytes, encoding: str) -> bytes:
    """The content of a file; the body unchanged if the encoding is unknown or was not applied."""
    match encoding:
        case "base64":
            return from_base64(body) if _is_mostly_base64(body[: _end_of_base64(body)]) else body
        case "quoted-printable":
            return body if _is_not_quoted(body) else quopri.decodestring(body)
        case "x-uuencode" | "uuencode" | "x-uue" | "uue":
            return from_uuencode(body)
        case _:
            return body


def words(body: bytes, encoding: str, unreadable: Unreadable) -> bytes:
    """The bytes of a text, including text that others have written above or below the encoded lines."""
    match encoding:
        case "base64":
            return _base64_words(body, unreadable)
        case "quoted-printable":
            decoded = quopri.decodestring(body)
            plain = _is_not_quoted(body) or (
                _SOFT_BREAK.search(body) is None and not unreadable(body) and unreadable(decoded) > 0
            )
            return body if plain else decoded
        case "x-uuencode" | "uuencode" | "x-uue" | "uue":
            begin = _BEGIN.search(body)
            if begin is None:
                return from_uuencode(body)
            end = _END.search(body, begin.end())
            below = body[end.end() :] if end is not None else b""
            return b"\n".join(each for each in (body[: begin.start()], from_uuencode(body), below) if each.strip())
        case _:
            return body


def from_base64(text: bytes) -> bytes:
    """Decodes base64, ignoring other characters in it and text below it; several encodings one after the other are all
    decoded."""
    return b"".join(map(_unpadded, _PADDING.split(text[: _end_of_base64(text)])))


def from_uuencode(text: bytes) -> bytes:
    """Decodes uuencode, with or without its first line; returns the text itself if it is not uuencode."""
    begin = _BEGIN.search(text)
    lines = text[begin.end() if begin is not None else 0 :].splitlines()
    out = bytearray()
    for line in lines:
        if line.strip() in (b"end", b"`") or (not line.strip() and out):
            break
        if begin is None and line.strip() and not _is_uuencoded(line):
            return text
        try:
            out += binascii.a2b_uu(line)
        except binascii.Error:
            continue
    return bytes(out) if out or begin is not None else text


def _base64_words(body: bytes, unreadable: Unreadable) -> bytes:
    end = _end_of_base64(body)
    decoded = from_base64(body)
    if decoded and not unreadable(decoded):
        below = body[end:].strip()
        return decoded + (b"\n\n" + below if below else b"")
    body = body.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    out: list[bytes] = []
    start, is_encoded = 0, True
    for line in _TELLING.finditer(body):
        if is_encoded == (line.group(1) is not None):
            continue
        if line.start() > start:
            out.append(_run(body[start : line.start()], unreadable) if is_encoded else body[start : line.start()])
        start, is_encoded = line.start(), not is_encoded
    out.append(_run(body[start:], unreadable) if is_encoded else body[start:])
    return b"".join(out)


def _run(text: bytes, unreadable: Unreadable) -> bytes:
    """Lines that may be base64: decoded if the result is text, or if they can hardly be anything else."""
    decoded = from_base64(text)
    if decoded and not unreadable(decoded):
        return decoded + b"\n"
    bare = text.translate(None, _BLANKS)
    is_whole = len(bare) % 4 == 0 and (bare.endswith(b"=") or unreadable(decoded) <= MOST_UNREADABLE)
    is_encoded = _is_mostly_base64(text) and (len(bare) >= LONG_LINE or (is_whole and _CONTROL.search(decoded) is None))
    return decoded + b"\n" if is_encoded else text


def _is_mostly_base64(body: bytes) -> bool:
    body = body[:MOST_JUDGED].replace(b"\r", b"\n")
    encoded = sum(len(line.group(1)) for line in _PURE.finditer(body))
    return 2 * encoded >= len(body.translate(None, _BLANKS))


def _is_not_quoted(body: bytes) -> bool:
    """Whether a body that is declared as quoted-printable uses `=` as in ordinary text."""
    body = body[:MOST_JUDGED]
    strange = len(_NOT_QUOTED.findall(body))
    return strange > 0 and _SOFT_BREAK.search(body) is None and strange >= len(_QUOTED.findall(body))


def _is_uuencoded(line: bytes) -> bool:
    """Whether a line has the length that its first character says; programs may cut blanks from its end."""
    line = line.rstrip(b"\r\n")
    wanted = 1 + -(-((line[0] - 32) & 63) // 3) * 4
    return all(32 <= each <= 96 for each in line) and wanted - 3 <= len(line) <= wanted + 1


def _end_of_base64(text: bytes) -> int:
    """Where base64 ends and text of mailing lists and scanners begins; the end of the text if there is none."""
    found = _PROSE_BELOW.search(text, max(0, len(text) - MOST_BELOW))
    return found.start() if found is not None and _PURE_LINE.search(text, found.start()) is None else len(text)


def _unpadded(text: bytes) -> bytes:
    letters = text.translate(None, _NO_LETTERS)
    if len(letters) % 4 == 1:
        letters = letters[:-1]
    try:
        return binascii.a2b_base64(letters + b"=" * (-len(letters) % 4))
    except binascii.Error:
        return text
