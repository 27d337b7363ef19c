"""Finds words of a mail that are missing in its reading, with Python's own mail parser and simple means, independently
of the reader."""

import base64
import binascii
import email
import email.policy
import html
import quopri
import re
from collections.abc import Iterator
from email.message import Message

from services.intake.mail.reading import Reading

WORD = re.compile(r"[A-Za-z]{3,}")
"""Words in ASCII only, which nearly all charsets share, so that the charset of a part does not matter."""
_UNSEEN = re.compile(
    r"<!--.*?--!?>|<(script|style|title)\b.*?</\1\s*>|<[/!?a-zA-Z](?:\"[^\"]*\"|'[^']*'|[^>\"'])*>",
    re.DOTALL | re.IGNORECASE,
)
_TAG = re.compile(r"<[/!?a-zA-Z][^<>]*>?")
_STRUCTURE = re.compile(r"^(?:--\S+|Content-[A-Za-z-]+:.*)$", re.MULTILINE)


def lost_words(raw: bytes, reading: Reading) -> set[str]:
    """The words of text parts that are not in the text, the rich text, a file or a note."""
    kept = [reading.text, _shown(reading.html or ""), *reading.wrong]
    for file in reading.files:
        kept += [file.content.decode("utf-8", "replace"), _shown(file.content.decode("utf-8", "replace"))]
        if b"\0" in file.content[:1000]:
            kept.append(file.content.decode("utf-16", "replace"))
    known = "\n".join(kept).lower()
    return {word for text in _texts(raw) for word in WORD.findall(text) if word.lower() not in known}


def _texts(raw: bytes) -> Iterator[str]:
    root = email.message_from_bytes(raw, policy=email.policy.compat32)
    for part in _parts(root):
        kind = part.get_content_type()
        if part.is_multipart() or kind not in ("text/plain", "text/html"):
            continue
        content = _decoded(part)
        try:
            text = content.decode(str(part.get_param("charset", "ascii")), "replace")
        except (LookupError, ValueError, RuntimeError):
            text = content.decode("latin-1")
        if part.defects and part is root:
            # If it cannot parse a header, it takes the rest of the header, and its parts' delimiters and
            # headers, for text.
            text = _STRUCTURE.sub("", text.replace("\r\n", "\n").partition("\n\n")[2])
        yield _shown(text) if kind == "text/html" else text


def _parts(part: Message) -> Iterator[Message]:
    """All parts except those of enclosed mails, which are files."""
    yield part
    if part.get_content_maintype() == "multipart" and part.is_multipart():
        for child in part.get_payload():
            assert isinstance(child, Message)
            yield from _parts(child)


def _decoded(part: Message) -> bytes:
    payload = part.get_payload()
    body = payload.encode("utf-8", "surrogateescape") if isinstance(payload, str) else b""
    try:
        match str(part.get("content-transfer-encoding", "")).strip().lower():
            case "base64":
                return base64.b64decode(body, validate=True) if b" " not in body.strip() else body
            case "quoted-printable":
                return quopri.decodestring(body)
            case "x-uuencode" | "uuencode":
                return b""
            case _:
                return body
    except (binascii.Error, ValueError):
        try:
            return base64.b64decode(b"".join(body.split()), validate=True)
        except (binascii.Error, ValueError):
            return b""  # neither words nor base64: nobody can say what it should be


def _shown(rich: str) -> str:
    return html.unescape(_TAG.sub(" ", _UNSEEN.sub(" ", rich)))
