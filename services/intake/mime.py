"""The structure of a mail: header fields and parts, from any bytes, in bounded time.

Not `email.parser`: its time grows with the square of the nesting (one mail of ../shared/corpora takes it more than 3 s) and its
newer policies raise on malformed header fields. Here nothing raises, and what is too deep or too much stays one opaque part.
"""

import binascii
import codecs
import quopri
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message as Fields
from email.utils import unquote

from services.intake.charsets.decoding import decode
from services.intake.charsets.encoded_words import extended_value, words_decoded
from services.intake.charsets.undeclared import charset_of_mail, field_decoded

DEEPEST = 16
MOST_PARTS = 500
MOST_HEADER_BYTES = 256 * 1024
MOST_FIELD_BYTES = 32 * 1024
MOST_FIELDS = 1_000
MOST_TEXT_BYTES = 4 * 1024 * 1024
MOST_DELIMITERS = 20_000
LONGEST_BOUNDARY = 200
LONGEST_LINE = 1_000
MOST_BELOW = 64 * 1024
"""Of the end of base64 that is looked at for words below it."""

_END_OF_HEADER = re.compile(rb"\r?\n[ \t]*\r?\n|\r\r")
_DELIMITER = re.compile(
    rb"^--([^\s][^\r\n]{0,120}?)[ \t]*(?:\r\n|\n|\r)(?=Content-[A-Za-z-]{1,40}:)", re.MULTILINE | re.IGNORECASE
)
_PARAMETER = re.compile(rb"[A-Za-z][A-Za-z0-9*-]{0,40}=")
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]")
_PADDING = re.compile(rb"=[=\s]*")
_PURE = re.compile(rb"^[A-Za-z0-9+/]{40,}={0,2}\r?$", re.MULTILINE)
_PROSE_BELOW = re.compile(
    rb"(?<=[A-Za-z0-9+/=]\n)(?:[ \t]*\r?\n)+(?=(?:[-_=*]{2,}|[^\s]{1,40} [^\s]{1,40})[^\n]{0,200}(?:\r?\n|\Z))"
)
"""Below an empty line that follows base64: a ruler, or words."""
_UUENCODED = re.compile(rb"^begin [0-7]{3,4} [^\r\n]{0,200}(?:\r?\n|\r)", re.MULTILINE)
_LINE = re.compile(rb"\r\n|\n|\r")
_NAME = re.compile(rb"([!-9;-~]+)[ \t]*:")
_META_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset[ \t]*=[ \t]*[\"']?([A-Za-z0-9_.:-]{2,40})", re.IGNORECASE)
_TOKEN = re.compile(r"[A-Za-z0-9-]+")
_MEDIA_TYPE = re.compile(r"[a-z0-9!#$&^_.+\-]{1,60}/[a-z0-9!#$&^_.+\-]{1,80}")
_UNWANTED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Part:
    """One node of a mail. `children` are the parts of a multipart; `body` is as it stands in the mail, before its transfer decoding."""

    fields: tuple[tuple[str, str], ...]
    type: str
    parameters: Fields
    body: bytes
    children: tuple["Part", ...] = ()

    def get(self, name: str) -> str:
        """The first field of this (lower-case) name, unfolded and decoded from bytes but not from encoded words; or empty."""
        return next((value for known, value in self.fields if known == name), "")

    def all(self, name: str) -> list[str]:
        return [value for known, value in self.fields if known == name]

    def parameter(self, name: str, header: str = "content-type") -> str:
        """A parameter of a structured field, RFC 2231 and encoded words undone; or empty."""
        try:
            found = self.parameters.get_param(name, "", header)
            if not isinstance(found, tuple) and self.parameters[header].count(f"{name}*"):
                # Both forms, as programs write that are not sure what the other side can read: the second one says it in full.
                both = self.parameters.get_params([], header)
                found = next(
                    (value for known, value in both if known.lower() == name and isinstance(value, tuple)), found
                )
            if isinstance(found, tuple):
                return decoded(extended_value(unquote(found[2]), found[0] or ""))
            return decoded(extended_value(str(found)))
        except Exception:
            return ""

    @property
    def file_name(self) -> str:
        return self.parameter("filename", "content-disposition") or self.parameter("name")

    @property
    def disposition(self) -> str:
        return self.get("content-disposition").partition(";")[0].strip().lower()

    @property
    def _transfer_encoding(self) -> str:
        named = _TOKEN.search(self.get("content-transfer-encoding"))
        return named.group().lower() if named else ""

    @property
    def content(self) -> bytes:
        """The body without its transfer encoding; as it is when that is unknown or broken."""
        match self._transfer_encoding:
            case "base64":
                return from_base64(self.body)
            case "quoted-printable":
                return quopri.decodestring(self.body)
            case "x-uuencode" | "uuencode" | "x-uue" | "uue":
                return from_uuencode(self.body)
            case _:
                return self.body

    @property
    def text(self) -> str:
        """The content as text, as far as a text may go; characters that cannot be read are replaced."""
        content = self.content[:MOST_TEXT_BYTES]
        if self._transfer_encoding == "base64" and (below := self.body[_prose(self.body) :].strip()):
            content += b"\n\n" + below[:MOST_TEXT_BYTES]
        charset = self.parameter("charset")
        if not charset and self.type == "text/html":
            named = _META_CHARSET.search(content, 0, 4096)
            charset = named.group(1).decode() if named else ""
        return clean(decode(content, charset))

    @property
    def is_long(self) -> bool:
        return len(self.body) > MOST_TEXT_BYTES and len(self.content) > MOST_TEXT_BYTES


def parse(raw: bytes) -> tuple[Part, list[str]]:
    """The whole mail and what was wrong with its structure. Never raises on purpose; linear in the size of the mail times DEEPEST."""
    wrong: list[str] = []
    budget = [MOST_PARTS]
    root = _part(raw.removeprefix(codecs.BOM_UTF8), 0, budget, wrong, "text/plain", charset_of_mail(raw))
    if budget[0] <= 0:
        wrong.append(f"more than {MOST_PARTS} parts; the rest was not taken apart")
    return root, wrong


def _part(raw: bytes, depth: int, budget: list[int], wrong: list[str], default: str, charset: str) -> Part:
    header, body = _split(raw)
    fields = tuple(_fields(header, charset))
    parameters = Fields()
    for name, value in fields:
        if name in ("content-type", "content-disposition") and name not in parameters:
            parameters[name] = _printable(value)
    wrong += _bounds_reached(header, fields)
    kind = next((value for name, value in fields if name == "content-type"), "").partition(";")[0].strip().lower()
    kind = kind if _MEDIA_TYPE.fullmatch(kind) else ("text/plain" if kind in ("text", "plain") else default)
    part = Part(fields, kind, parameters, body)
    if not kind.startswith("multipart/"):
        return part
    if depth >= DEEPEST:
        wrong.append(f"nested deeper than {DEEPEST} levels; what is below was kept as one file")
        return Part(fields, "application/octet-stream", parameters, raw)
    boundary = part.parameter("boundary").encode(errors="replace")[:LONGEST_BOUNDARY]
    default = "message/rfc822" if kind == "multipart/digest" else "text/plain"
    children = _children(body, boundary, depth, budget, wrong, default, charset) if boundary else ()
    if not children:
        wrong.append("a multipart whose boundary does not occur" if boundary else "a multipart without a boundary")
        guessed = _guessed_boundary(body)
        children = _children(body, guessed, depth, budget, wrong, default, charset) if guessed else ()
    if not children:
        return Part(fields, "text/plain", parameters, body)
    return Part(fields, kind, parameters, b"", children)


def _bounds_reached(header: bytes, fields: tuple[tuple[str, str], ...]) -> list[str]:
    reached: list[str] = []
    if len(header) >= MOST_HEADER_BYTES - LONGEST_LINE:
        reached.append(f"a header of more than {MOST_HEADER_BYTES // 1024} kB; its rest was taken for text")
    if len(fields) >= MOST_FIELDS:
        reached.append(f"more than {MOST_FIELDS} header fields; the rest was not read")
    if len(header) > MOST_FIELD_BYTES and any(len(value) >= MOST_FIELD_BYTES for _, value in fields):
        reached.append(f"a header field of more than {MOST_FIELD_BYTES // 1024} kB; its rest was not read")
    return reached


def _children(
    body: bytes, boundary: bytes, depth: int, budget: list[int], wrong: list[str], default: str, charset: str
) -> tuple[Part, ...]:
    children: list[Part] = []
    for piece in _pieces(body, boundary):
        if budget[0] <= 0:
            break
        budget[0] -= 1
        children.append(_part(piece, depth + 1, budget, wrong, default, charset))
    return tuple(children)


def _split(raw: bytes) -> tuple[bytes, bytes]:
    """Header and body. A mail that begins with an empty line has no header; one without an empty line has no body."""
    if raw[:1] == b"\n" or raw[:2] == b"\r\n":
        return b"", raw[2:] if raw[:1] == b"\r" else raw[1:]
    end = _END_OF_HEADER.search(raw, 0, MOST_HEADER_BYTES + 4)
    if end is not None:
        return raw[: end.start()], raw[end.end() :]
    first = _LINE.search(raw, 0, MOST_HEADER_BYTES)
    if _NAME.match(raw) is None and not (first and raw[:5] == b"From "):
        return b"", raw
    if len(raw) <= MOST_HEADER_BYTES:
        return raw, b""
    cut = raw.rfind(b"\n", 0, MOST_HEADER_BYTES) + 1 or MOST_HEADER_BYTES
    return raw[:cut], raw[cut:]


def _fields(header: bytes, charset: str) -> Iterator[tuple[str, str]]:
    """The header's fields in order, unfolded, names in lower case. A line that is none is passed over."""
    name: bytes | None = None
    value = bytearray()
    count = 0
    for line in _LINE.split(header):
        if line[:1] in (b" ", b"\t"):
            if name is not None and len(value) < MOST_FIELD_BYTES:
                value += b" " + line.strip()
            continue
        if name is not None and value[-1:] == b";" and _PARAMETER.match(line):
            value += b" " + line.strip()  # a parameter whose line lost its indent
            continue
        if name is not None:
            yield name.decode().lower(), field_decoded(bytes(value[:MOST_FIELD_BYTES]), charset)
            count += 1
            if count >= MOST_FIELDS:
                return
        match = _NAME.match(line)
        name = match.group(1) if match else None
        value = bytearray(line[match.end() :].strip()) if match else bytearray()
    if name is not None:
        yield name.decode().lower(), field_decoded(bytes(value[:MOST_FIELD_BYTES]), charset)


def _pieces(body: bytes, boundary: bytes) -> Iterator[bytes]:
    """What stands between a multipart's delimiter lines. A missing end is the end of the body."""
    delimiter = b"--" + boundary
    start: int | None = None
    at = body.find(delimiter)
    for _ in range(MOST_DELIMITERS):
        if at < 0:
            break
        end = at + len(delimiter)
        closes = body[end : end + 2] == b"--"
        rest = body[end + 2 * closes : end + 2 * closes + 80].lstrip(b" \t")
        # The delimiter is the whole of its line; a boundary may be another one's beginning.
        if (at == 0 or body[at - 1] in b"\r\n") and (not rest or rest[:1] in (b"\r", b"\n")):
            if start is not None:
                yield _after_line_break(body, start, _before_line_break(body, at))
            if closes:
                return
            start = end
        at = body.find(delimiter, end)
    if start is not None:
        yield _after_line_break(body, start, len(body))


def _before_line_break(body: bytes, at: int) -> int:
    """Where a part ends: the line break before a delimiter is the delimiter's (RFC 2046, 5.1.1)."""
    if body[max(0, at - 2) : at] == b"\r\n":
        return at - 2
    return at - 1 if at else 0


def _guessed_boundary(body: bytes) -> bytes:
    """The boundary of a multipart that names none, or a wrong one: the first line that looks like a delimiter over a part's header."""
    found = _DELIMITER.search(body, 0, 64 * 1024)
    return found.group(1) if found else b""


def _after_line_break(body: bytes, start: int, end: int) -> bytes:
    if body[start : start + 2] == b"\r\n":
        start += 2
    elif body[start : start + 1] in (b"\n", b"\r"):
        start += 1
    return body[start : max(start, end)]


def is_media_type(value: str) -> bool:
    return _MEDIA_TYPE.fullmatch(value) is not None


def from_base64(text: bytes) -> bytes:
    """What can be read of base64, whatever stands between or below; several encodings one after the other are all read."""
    return b"".join(map(_unpadded, _PADDING.split(text[: _prose(text)])))


def _prose(text: bytes) -> int:
    """Where base64 ends and what mailing lists and scanners write below it begins; the text's end when there is none."""
    found = _PROSE_BELOW.search(text, max(0, len(text) - MOST_BELOW))
    return found.start() if found is not None and _PURE.search(text, found.start()) is None else len(text)


def _unpadded(text: bytes) -> bytes:
    letters = _NOT_BASE64.sub(b"", text)
    if len(letters) % 4 == 1:
        letters = letters[:-1]
    try:
        return binascii.a2b_base64(letters + b"=" * (-len(letters) % 4))
    except binascii.Error:
        return text


def from_uuencode(text: bytes) -> bytes:
    """What can be read of uuencode; the text itself when there is no beginning."""
    begin = _UUENCODED.search(text)
    if begin is None:
        return text
    out = bytearray()
    for line in text[begin.end() :].splitlines():
        if line.strip() in (b"end", b"`", b""):
            break
        try:
            out += binascii.a2b_uu(line)
        except binascii.Error:
            continue
    return bytes(out)


def decoded(value: str) -> str:
    """A header field's text with its encoded words (RFC 2047) undone, on one line."""
    return _printable(words_decoded(value) if "=?" in value else value)


def clean(text: str) -> str:
    """Text that PostgreSQL, JSON and people can hold: line ends as \\n, no NUL, surrogates or other control characters."""
    return _UNWANTED.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))


def _printable(value: str) -> str:
    return " ".join(clean(value).replace("\n", " ").replace("\t", " ").split(" ")).strip()
