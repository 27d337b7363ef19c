"""Transfer encodings (RFC 2045, 6), undone as far as they were done: what a mail calls encoded may be plain words."""

import binascii
import quopri
import re
from collections.abc import Callable

LONG_LINE = 40
"""Characters of base64 in a line that is nobody's word."""
MOST_BELOW = 64 * 1024
"""Of the end of base64 that is looked at for words below it."""

_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]")
_PADDING = re.compile(rb"=[=\s]*")
_PURE = re.compile(rb"[A-Za-z0-9+/]+={0,2}")
_PURE_LINE = re.compile(rb"^[A-Za-z0-9+/]{40,}={0,2}\r?$", re.MULTILINE)
_PROSE_BELOW = re.compile(
    rb"(?<=[A-Za-z0-9+/=]\n)(?:[ \t]*\r?\n)+(?=(?:[-_=*]{2,}|[^\s]{1,40} [^\s]{1,40})[^\n]{0,200}(?:\r?\n|\Z))"
)
"""Below an empty line that follows base64: a ruler, or words."""
_PROSE = re.compile(rb"\A[-_=*]{2}|\S[ \t]+\S")
"""A ruler, or words in a line."""
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_QUOTED = re.compile(rb"=[0-9A-Fa-f]{2}")
_NOT_QUOTED = re.compile(rb"=(?![0-9A-Fa-f]{2}|[ \t]*(?:\r|\n|\Z))")
_SOFT_BREAK = re.compile(rb"=[ \t]*\r?\n")
_BEGIN = re.compile(rb"^begin [0-7]{3,4} [^\r\n]{0,200}(?:\r?\n|\r)", re.MULTILINE)

_END = re.compile(rb"^end[ \t]*\r?$", re.MULTILINE)

Readable = Callable[[bytes], bool]
"""Whether some bytes are text in the charset that was declared for them."""


def file_content(body: bytes, encoding: str) -> bytes:
    """The content of a file; the body as it is when the encoding is unknown or the body is not in it."""
    match encoding:
        case "base64":
            return from_base64(body) if _is_mostly_base64(body[: _prose(body)]) else body
        case "quoted-printable":
            return body if _is_not_quoted(body) else quopri.decodestring(body)
        case "x-uuencode" | "uuencode" | "x-uue" | "uue":
            return from_uuencode(body)
        case _:
            return body


def words(body: bytes, encoding: str, readable: Readable) -> bytes:
    """The bytes of a text, with what others have written above or below its encoding."""
    match encoding:
        case "base64":
            return _base64_words(body, readable)
        case "quoted-printable":
            decoded = quopri.decodestring(body)
            plain = _is_not_quoted(body) or (
                _SOFT_BREAK.search(body) is None and readable(body) and not readable(decoded)
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
    """What can be read of base64, whatever stands between or below; several encodings one after the other are all read."""
    return b"".join(map(_unpadded, _PADDING.split(text[: _prose(text)])))


def from_uuencode(text: bytes) -> bytes:
    """What can be read of uuencode, with or without its beginning; the text itself when it is none."""
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


def _base64_words(body: bytes, readable: Readable) -> bytes:
    end = _prose(body)
    decoded = from_base64(body)
    if decoded and readable(decoded):
        below = body[end:].strip()
        return decoded + (b"\n\n" + below if below else b"")
    runs: list[tuple[bool, list[bytes]]] = []
    for line in body.splitlines(keepends=True):
        bare = line.strip()
        is_encoded = runs[-1][0] if runs else True
        if _PURE.fullmatch(bare) and len(bare) >= LONG_LINE:
            is_encoded = True
        elif _PROSE.search(bare) is not None:
            is_encoded = False
        if not runs or runs[-1][0] != is_encoded:
            runs.append((is_encoded, []))
        runs[-1][1].append(line)
    return b"".join(_run(b"".join(lines), readable) if is_encoded else b"".join(lines) for is_encoded, lines in runs)


def _run(text: bytes, readable: Readable) -> bytes:
    """Lines that may be base64: decoded if that gives text, or if they can hardly be anything else."""
    decoded = from_base64(text)
    if decoded and readable(decoded):
        return decoded + b"\n"
    bare = b"".join(text.split())
    is_short_and_whole = len(bare) % 4 == 0 and bare.endswith(b"=") and _CONTROL.search(decoded) is None
    is_encoded = _is_mostly_base64(text) and (len(bare) >= LONG_LINE or is_short_and_whole)
    return decoded + b"\n" if is_encoded else text


def _is_mostly_base64(body: bytes) -> bool:
    encoded = others = 0
    for line in body.splitlines():
        bare = line.strip()
        if _PURE.fullmatch(bare):
            encoded += len(bare)
        else:
            others += len(bare)
    return encoded >= others


def _is_not_quoted(body: bytes) -> bool:
    """Whether a body that is called quoted-printable uses `=` as people do."""
    strange = len(_NOT_QUOTED.findall(body))
    return strange > 0 and _SOFT_BREAK.search(body) is None and strange >= len(_QUOTED.findall(body))


def _is_uuencoded(line: bytes) -> bool:
    """Whether a line is as long as its first character says; programs cut blanks from its end."""
    line = line.rstrip(b"\r\n")
    wanted = 1 + -(-((line[0] - 32) & 63) // 3) * 4
    return all(32 <= each <= 96 for each in line) and wanted - 3 <= len(line) <= wanted + 1


def _prose(text: bytes) -> int:
    """Where base64 ends and what mailing lists and scanners write below it begins; the text's end when there is none."""
    found = _PROSE_BELOW.search(text, max(0, len(text) - MOST_BELOW))
    return found.start() if found is not None and _PURE_LINE.search(text, found.start()) is None else len(text)


def _unpadded(text: bytes) -> bytes:
    letters = _NOT_BASE64.sub(b"", text)
    if len(letters) % 4 == 1:
        letters = letters[:-1]
    try:
        return binascii.a2b_base64(letters + b"=" * (-len(letters) % 4))
    except binascii.Error:
        return text
