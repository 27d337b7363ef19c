"""Decodes bytes as text, for bodies, header fields, file names and reports."""

import codecs

from services.intake.mail.charsets.detection import detect, mostly_utf_8
from services.intake.mail.charsets.lenient import lenient
from services.intake.mail.charsets.names import (
    GB_18030,
    HZ,
    ISO_2022_CN,
    ISO_2022_JP,
    ISO_2022_KR,
    TWO_BYTES,
    UTF_7,
    UTF_8,
    UTF_16,
    UTF_16_BE,
    UTF_32,
    codec_for,
)
from services.intake.mail.charsets.stateful import decode_stateful, stateful_charset
from services.intake.mail.charsets.viscii import VISCII

_MARKS = (
    (codecs.BOM_UTF8, UTF_8),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (b"\x84\x31\x95\x33", GB_18030),
)
"""Byte order marks, which have precedence over any name (WHATWG Encoding Standard, 6)."""
_STATEFUL = frozenset((ISO_2022_JP, ISO_2022_KR, ISO_2022_CN, HZ, UTF_7))
_WIDE = frozenset((UTF_16, UTF_16_BE, UTF_32))
_BY_CHANCE = 3
"""A text in another multi-byte charset does not have this many letters of UTF-8, and no invalid one, by chance."""
_MOST_LOOKED_AT = 4_096
_MOST_JUDGED = 64 * 1024


def decode(content: bytes, declared: str = "") -> str:
    """Decodes bytes. `declared` is the name of a charset as the mail has it, or empty.

    A byte order mark, valid UTF-8 and escape sequences have precedence over the name; otherwise bytes are decoded as
    browsers do (`names.py`). If no charset is declared, or the declared one clearly fails, it is detected. Invalid
    bytes become U+FFFD, without damage around them. Never raises.
    """
    for mark, codec in _MARKS:
        if content.startswith(mark):
            return lenient(content[len(mark) :], codec)
    codec = codec_for(declared)
    escaped = stateful_charset(content)
    if escaped or codec in _STATEFUL:
        return decode_stateful(content, codec if codec in _STATEFUL else escaped)
    wide = _wide(content, codec)
    if wide:
        return lenient(content, wide)
    if content.isascii():
        return content.decode("ascii")
    return _of_eight_bits(content, "" if codec in _WIDE else codec)


def _of_eight_bits(content: bytes, codec: str) -> str:
    """Decodes bytes beyond ASCII with a stateless codec; an empty name: detect it."""
    utf_8 = _whole_utf_8(content)
    if utf_8 is not None and codec in TWO_BYTES and sum(each > "\x7f" for each in utf_8) < _BY_CHANCE:
        # One or two letters may be UTF-8 by chance: the name decides.
        text = _in(content, codec)
        return utf_8 if "\ufffd" in text else text
    if utf_8 is not None:
        return utf_8
    if codec == UTF_8 or not codec:
        text = content.decode(UTF_8, "replace")
        if mostly_utf_8(content) or (codec and text.count("\ufffd") == 1):
            return text
        return _in(content, detect(content))
    fails = _mostly_invalid(_in(content[:_MOST_JUDGED], codec))
    return _in(content, detect(content) if fails else codec)


def _whole_utf_8(content: bytes) -> str | None:
    try:
        return content.decode(UTF_8)
    except UnicodeDecodeError:
        return None


def _in(content: bytes, codec: str) -> str:
    if codec == "viscii":
        return content.decode("latin-1").translate(VISCII)
    return lenient(content, codec)


def _mostly_invalid(text: str) -> bool:
    """Whether at least as many letters beyond ASCII are invalid as valid."""
    wrong = text.count("\ufffd")
    return wrong > 0 and sum(each > "\x7f" for each in text) < 2 * wrong


def _wide(content: bytes, codec: str) -> str:
    """UTF-16 or UTF-32 with the byte order of the text; empty if the text is neither, whatever is declared."""
    beginning = content[:_MOST_LOOKED_AT]
    if codec == UTF_32:
        return ("utf-32-be" if beginning[:1] == b"\x00" else "utf-32-le") if b"\x00" in beginning else ""
    first, second = (beginning[half::2].count(0) for half in (0, 1))
    if codec in _WIDE:
        if not first and not second and (content.isascii() or _whole_utf_8(content) is not None):
            return ""
    elif max(first, second) * 4 < len(beginning) or min(first, second) * 8 > max(first, second):
        return ""
    if first == second:
        return "utf-16-be" if codec == UTF_16_BE else "utf-16-le"
    return "utf-16-be" if first > second else "utf-16-le"
