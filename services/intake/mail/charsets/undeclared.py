"""Decodes header fields with bytes beyond ASCII, which name no charset: they are in UTF-8 (RFC 6532), or in the charset
of the mail's text."""

import re

from services.intake.mail.charsets.decoding import decode
from services.intake.mail.charsets.detection import detect, mostly_utf_8
from services.intake.mail.charsets.names import UTF_8, codec_for

MOST_LOOKED_AT = 256 * 1024

_DECLARED = re.compile(rb"charset[ \t]*=[ \t]*[\"']?([A-Za-z0-9_.:-]{2,40})", re.IGNORECASE)
_UNNAMED_WORD = re.compile(rb"=\?(?:unknown-8bit|x-unknown|unknown)?\?(?=[BbQq]\?)", re.IGNORECASE)


def charset_of_mail(raw: bytes) -> str:
    """The first charset that a mail declares, else the one detected from its bytes; empty for ASCII and UTF-8."""
    beginning = raw[:MOST_LOOKED_AT]
    names = (each.group(1).decode("ascii") for each in _DECLARED.finditer(beginning))
    declared = next((name for name in names if codec_for(name) not in ("", UTF_8)), "")
    if declared or beginning.isascii() or mostly_utf_8(beginning):
        return declared
    return detect(beginning)


def field_decoded(value: bytes, charset: str) -> str:
    """Decodes a field's bytes but not its encoded words. Encoded words without a charset get that of the mail."""
    if charset and b"=?" in value:
        value = _UNNAMED_WORD.sub(b"=?" + charset.encode("ascii") + b"?", value)
    try:
        value.decode(UTF_8)
    except UnicodeDecodeError:
        return decode(value, charset)
    return decode(value)
