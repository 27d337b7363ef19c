"""Decodes encoded words (RFC 2047) and extended parameters (RFC 2231) of header fields, also those that do not follow
the RFCs."""

import binascii
import re
from urllib.parse import unquote_to_bytes

from services.intake.mail.charsets.decoding import decode
from services.intake.mail.charsets.names import UTF_8, codec_for

_NAME = r"[!-)+->@-~]{0,60}"
# Blanks and question marks are not allowed in an encoded word, but some programs write them.
_ENCODED_WORD = re.compile(
    rf"=\?({_NAME})(?:\*[A-Za-z-]*)?\?([BbQq])\?((?:(?!=\?{_NAME}\?[BbQq]\?).){{0,30000}}?)\?=", re.DOTALL
)
_NOT_BASE64 = re.compile(r"[^A-Za-z0-9+/]")
_EXTENDED = re.compile(r"([A-Za-z0-9_.:+-]{0,60})'([A-Za-z0-9-]{0,20})'(.*%[0-9A-Fa-f]{2}.*)", re.DOTALL)


def words_decoded(value: str) -> str:
    """A field's text with its encoded words decoded. A letter may be split between two adjacent words."""
    out: list[str] = []
    run: list[re.Match[str]] = []
    end = 0
    for word in _ENCODED_WORD.finditer(value):
        between = value[end : word.start()]
        # Blanks between two encoded words do not belong to the text.
        if between.strip() or (not run and between):
            out += [_run(run), between]
            run = []
        run.append(word)
        end = word.end()
    return "".join([*out, _run(run), value[end:]])


def _run(words: list[re.Match[str]]) -> str:
    """Decodes adjacent words; those in the same charset together."""
    out: list[str] = []
    content, name, half = b"", "", ""
    for index, word in enumerate(words):
        charset, encoding, text = word.groups()
        if content and codec_for(charset) != codec_for(name):
            out.append(decode(content, name))
            content = b""
        name = charset
        if encoding in "Qq":
            content += _of_quoted(text, charset)
            continue
        half += text
        following = words[index + 1].group(1, 2) if index + 1 < len(words) else ("", "")
        if _is_cut(half) and following[1] in ("B", "b") and codec_for(following[0]) == codec_for(charset):
            continue  # some programs split base64 anywhere: the next word has the rest of these letters
        content += _of_base64(half)
        half = ""
    out.append(decode(content, name))
    return "".join(out)


def _is_cut(text: str) -> bool:
    return "=" not in text and len(_NOT_BASE64.sub("", text)) % 4 != 0


def _of_base64(text: str) -> bytes:
    """Decodes base64 even if its padding is wrong, missing, or in the middle."""
    return b"".join(_of_one_base64(_NOT_BASE64.sub("", each)) for each in re.split(r"=+", text))


def _of_one_base64(letters: str) -> bytes:
    letters = letters[: len(letters) - (len(letters) % 4 == 1)]
    return binascii.a2b_base64(letters + "=" * (-len(letters) % 4))


def _of_quoted(text: str, charset: str) -> bytes:
    try:
        # Characters that should have been encoded are put back into bytes of the word's charset and decoded with the
        # others.
        raw = text.encode("ascii" if text.isascii() else codec_for(charset) or UTF_8)
    except (LookupError, ValueError):
        raw = text.encode(UTF_8, "replace")
    return binascii.a2b_qp(raw, header=True)


def extended_value(value: str, charset: str | None = None) -> str:
    """A parameter's value. For an extended parameter (RFC 2231), `email` gives its charset and percent-decoded letters.
    Other parameters may be written as extended without being marked so."""
    if charset is not None:
        return decode(value.encode("latin-1"), charset) if max(value, default="") <= "\xff" else value
    written = _EXTENDED.fullmatch(value)
    if written is not None and (not written.group(1) or codec_for(written.group(1))):
        return decode(unquote_to_bytes(written.group(3)), written.group(1))
    return value
