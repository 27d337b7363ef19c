"""Two mails are the same if their bytes are equal except for trace fields, whatever the recipient."""

import hashlib
import re

MOST_HEADER_BYTES = 256 * 1024
TRACE_FIELDS = (
    b"return-path", b"received", b"delivered-to", b"x-original-to", b"authentication-results", b"arc-[!-9;-~]*",
)  # fmt: skip
# A field is its line and the lines that continue it. The header ends at the first empty line.
_TRACE = re.compile(
    rb"^(?:" + b"|".join(TRACE_FIELDS) + rb")[ \t]*:[^\r\n]*(?:\r\n|\r|\n|\Z)(?:[ \t]+[^\r\n]*(?:\r\n|\r|\n|\Z))*",
    re.IGNORECASE | re.MULTILINE,
)
_HEADER_END = re.compile(rb"\r?\n\r?\n|\r\r")


def digest(raw: bytes) -> bytes:
    """SHA-256 of a mail without the fields that mail systems add on the way."""
    end = _HEADER_END.search(raw, 0, MOST_HEADER_BYTES)
    header = min(len(raw), MOST_HEADER_BYTES) if end is None else end.end()
    made = hashlib.sha256(_TRACE.sub(b"", raw[:header]))
    made.update(memoryview(raw)[header:])
    return made.digest()
