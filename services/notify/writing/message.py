"""Encodes a mail (RFC 5322, MIME): the same bytes for every attempt.

The header is written field by field (decision 0042). A value is made one line before it is folded, so that it cannot
add a field. Ids are neither folded nor encoded, so that threading survives.
"""

import base64
import binascii
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.header import Header
from email.message import MIMEPart
from email.policy import SMTP
from email.utils import format_datetime
from functools import lru_cache
from uuid import UUID

from shared.addresses import received
from shared.contracts.notify import OutgoingMail
from shared.contracts.parts import Address, Attachment
from shared.file_names import safe_name

LONGEST_NAME = 200
LONGEST_SUBJECT = 2_000
"""Characters; a longer one is cut and ends in an ellipsis."""
LONGEST_ID = 900
"""A line has at most 998 octets (RFC 5322, section 2.1.1), and an id cannot be folded."""
LONGEST_REFERENCES = 998 - len("References: ")
"""Characters of all ids together: some servers unfold the field, and it must still fit into one line (RFC 5322,
section 2.1.1)."""
MOST_BYTES = 25 * 1024 * 1024
"""Bytes of all files of a mail before they are encoded; few mail servers take more."""
_WIDTH = 76
_BASE64_LINE = 57
"""Bytes that make a line of `_WIDTH` characters."""

_ID = re.compile(rf"<[!-;=?-~]{{1,{LONGEST_ID}}}>")
_INVISIBLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029]+")
_BEYOND_ASCII = re.compile(rb"[\x80-\xff]+")
_MBOX_LINE = re.compile(rb"\A>?From [^\r\n]*\r?\n")
"""A line that some programs write before a stored mail.

It is not part of the mail, and would end a header that has fields before it.
"""
_TYPE = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9!#$&^_.+-]{0,126}/[a-zA-Z0-9][a-zA-Z0-9!#$&^_.+-]{0,126}")
_DOCUMENT = '<!DOCTYPE html>\n<html>\n<head><meta charset="utf-8"></head>\n<body>\n{}\n</body>\n</html>'
_INLINE_ID = re.compile(r"[!-;=?-~]{1,200}")


class Unsendable(Exception):
    """This mail can never be sent as it is; the message says why."""


@dataclass(frozen=True, slots=True)
class EncodedMail:
    """What a transport takes: envelope and content.

    `sender` is empty for automatic mail, so that nobody gets its bounces (RFC 3834, section 3.3). `international`: an
    address needs SMTPUTF8 (RFC 6531).
    """

    notification: UUID
    sender: str
    recipients: tuple[str, ...]
    content: bytes
    international: bool = False


def encode(
    notification: UUID,
    mail: OutgoingMail,
    date: datetime,
    files: Sequence[tuple[Attachment, bytes]] = (),
    remaining: Sequence[str] | None = None,
    resent: bytes = b"",
) -> EncodedMail:
    """Encodes a mail. `files` are in base64 (`base64_lines`); `resent` is the mail that `mail.resent` names.

    `remaining` limits the recipients to those who do not have the mail yet. Raises Unsendable.
    """
    recipients = tuple(dict.fromkeys(_spec(each.email) for each in (*mail.to, *mail.cc, *mail.bcc)))
    if remaining is not None:
        recipients = tuple(each for each in recipients if each in remaining)
    if not recipients:
        raise Unsendable("the mail has no recipient")
    sender = _spec(mail.sender.email)
    if mail.resent is None:
        content = _lines(_fields(mail, date)) + _body(mail, files, notification)
    else:
        content = _lines(_resent_fields(mail, date)) + _MBOX_LINE.sub(b"", resent, count=1)
    international = not all(each.isascii() for each in (sender, *recipients))
    return EncodedMail(notification, "" if mail.auto_submitted else sender, recipients, content, international)


def size_of_files(mail: OutgoingMail) -> int:
    """Bytes of the mail's files, or of the mail that is resent, before they are encoded."""
    return sum(each.blob.size for each in mail.attachments) + (mail.resent.size if mail.resent is not None else 0)


async def base64_lines(pieces: AsyncIterator[bytes]) -> bytes:
    """A file's content as lines of base64, encoded piece by piece as it arrives."""
    lines: list[bytes] = []
    rest = b""
    async for piece in pieces:
        rest += piece
        whole = len(rest) - len(rest) % _BASE64_LINE
        lines.append(_base64(rest[:whole]))
        rest = rest[whole:]
    return b"".join((*lines, _base64(rest)))


def _base64(content: bytes) -> bytes:
    return base64.encodebytes(content).replace(b"\n", b"\r\n")


def _lines(fields: Iterator[tuple[str, str]]) -> bytes:
    return "".join(f"{name}: {value}\r\n" for name, value in fields).encode()


def _resent_fields(mail: OutgoingMail, date: datetime) -> Iterator[tuple[str, str]]:
    """The fields before a mail that is resent as it came in (RFC 5322, section 3.6.6)."""
    yield "Resent-Message-ID", _own_id(mail.message_id)
    yield "Resent-Date", format_datetime(date.astimezone(UTC))
    yield "Resent-From", _mailbox(mail.sender)
    yield "Resent-To", _list(mail.to)


def _fields(mail: OutgoingMail, date: datetime) -> Iterator[tuple[str, str]]:
    yield "Message-ID", _own_id(mail.message_id)
    yield "Date", format_datetime(date.astimezone(UTC))
    yield "From", _mailbox(mail.sender)
    yield "To", _list(mail.to) if mail.to else "undisclosed-recipients:;"
    if mail.cc:
        yield "Cc", _list(mail.cc)
    if mail.reply_to is not None:
        yield "Reply-To", _mailbox(mail.reply_to)
    yield "Subject", _unstructured(one_line(mail.subject, LONGEST_SUBJECT), "Subject")
    answered = _ids((mail.in_reply_to,) if mail.in_reply_to else ())
    if answered:
        yield "In-Reply-To", answered[0]
    references = _shortened(_ids(mail.references))
    if references:
        yield "References", "\r\n ".join(references)
    if mail.auto_submitted in ("auto-replied", "auto-generated"):
        yield "Auto-Submitted", mail.auto_submitted
        yield "X-Auto-Response-Suppress", "All"


def one_line(text: str, most: int) -> str:
    """A text without line breaks, control characters and runs of spaces."""
    line = " ".join(_INVISIBLE.sub(" ", text).split())
    return line if len(line) <= most else f"{line[: most - 1].rstrip()}…"


def _ids(values: Sequence[str]) -> list[str]:
    """The well-formed message ids, each once. Malformed ones of other mail programs cannot be referred to."""
    return list(dict.fromkeys(found for value in values for found in _ID.findall(value)))


def _own_id(message_id: str) -> str:
    """Raises Unsendable if this is not exactly one message id."""
    if not _ID.fullmatch(message_id):
        raise Unsendable("the mail's Message-ID is not valid")
    return message_id


def _shortened(ids: list[str]) -> list[str]:
    """The first id, which names the conversation, and as many of the last ones as fit (RFC 5537, section 3.4.4).

    Some mail programs cut off the last ones instead, but those are the ones that the reader's program looks for.
    """
    first, *rest = ids or [""]
    room = LONGEST_REFERENCES - len(first)
    kept: list[str] = []
    for each in reversed(rest):
        room -= len(each) + 1
        if room < 0:
            break
        kept.append(each)
    return ids if len(kept) == len(rest) else [first, *reversed(kept)]


def _unstructured(line: str, name: str) -> str:
    plain = line.isascii() and "=?" not in line and all(len(word) < _WIDTH - len(name) for word in line.split(" "))
    if not plain:
        return _encoded(line, len(name) + 2)
    lines, width = [""], len(name) + 1
    for word in line.split(" "):
        if lines[-1] and width + 1 + len(word) > _WIDTH:
            lines.append(word)
            width = len(word) + 1
        else:
            lines[-1] = f"{lines[-1]} {word}" if lines[-1] else word
            width += 1 + len(word)
    return "\r\n ".join(lines)


def _encoded(text: str, used: int) -> str:
    """UTF-8 as encoded words (RFC 2047), folded between them."""
    return Header(text, "utf-8", maxlinelen=_WIDTH - 1, header_name="x" * max(0, used - 2)).encode(linesep="\r\n")


def _list(addresses: Sequence[Address]) -> str:
    return ",\r\n ".join(_mailbox(address) for address in addresses)


def _mailbox(address: Address) -> str:
    name, spec = one_line(address.name, LONGEST_NAME), _spec(address.email)
    if not name:
        return spec
    if name.isascii() and "=?" not in name:
        quoted = name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{quoted}" <{spec}>'
    return f"{_encoded(name, 10)} <{spec}>"


@lru_cache(maxsize=1024)
def _spec(email: str) -> str:
    """The address with its domain as DNS knows it. Raises Unsendable if it is not valid."""
    known = received(email)
    if known is None:
        raise Unsendable("an address is not a valid e-mail address")
    return known


def _body(mail: OutgoingMail, files: Sequence[tuple[Attachment, bytes]], notification: UUID) -> bytes:
    """The MIME fields and all parts: the text, beside it the same in HTML with the images that it shows, then files."""
    part = _text_part(mail.text, "plain")
    rest = [(file, content) for file, content in files if not _is_shown(file, mail.html)]
    if mail.html is not None:
        rich = _text_part(_DOCUMENT.format(mail.html), "html")
        shown = [_file_part(file, content, shown=True) for file, content in files if _is_shown(file, mail.html)]
        if shown:
            rich = _multipart('related; type="text/html"', f"r_{notification.hex}", [rich, *shown])
        part = _multipart("alternative", f"a_{notification.hex}", [part, rich])
    if rest:
        part = _multipart("mixed", notification.hex, [part, *(_file_part(file, content) for file, content in rest)])
    return b"MIME-Version: 1.0\r\n" + part


def _is_shown(file: Attachment, html: str | None) -> bool:
    """Whether the HTML shows this file inline."""
    return bool(html and file.inline_id and _INLINE_ID.fullmatch(file.inline_id) and f"cid:{file.inline_id}" in html)


def _multipart(kind: str, boundary: str, parts: Sequence[bytes]) -> bytes:
    mark = f"=_{boundary}".encode()
    return b"".join(
        (
            f'Content-Type: multipart/{kind}; boundary="=_{boundary}"\r\n\r\n'.encode(),
            *(piece for part in parts for piece in (b"--", mark, b"\r\n", part, b"\r\n")),
            b"--" + mark + b"--\r\n",
        )
    )


def _text_part(text: str, kind: str) -> bytes:
    """A text as a part, in an encoding that every server passes on."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "").rstrip("\n") + "\n"
    raw = lines.encode("utf-8", "replace")
    if lines.isascii() and all(len(line) <= _WIDTH and line.isprintable() for line in lines.split("\n")):
        encoding, content = b"7bit", raw
    elif sum(map(len, _BEYOND_ASCII.findall(raw))) * 6 < len(raw):
        encoding, content = b"quoted-printable", binascii.b2a_qp(raw, istext=True)
    else:
        encoding, content = b"base64", base64.encodebytes(raw)
    field = f'Content-Type: text/{kind}; charset="utf-8"\r\nContent-Transfer-Encoding: '.encode()
    return field + encoding + b"\r\n\r\n" + content.replace(b"\n", b"\r\n")


def _file_part(attachment: Attachment, content: bytes, *, shown: bool = False) -> bytes:
    """A file as a part; `content` is in base64. `shown`: the HTML shows it inline."""
    kind = attachment.blob.type.partition(";")[0].strip().lower()
    if not _TYPE.fullmatch(kind) or kind.startswith(("multipart/", "message/")):
        kind = "application/octet-stream"  # a message part may not be base64, so it is sent as an ordinary file
    maintype, subtype = kind.split("/")
    part = MIMEPart(policy=SMTP)
    disposition = "inline" if shown else "attachment"
    part.set_content(
        b"", maintype, subtype, disposition=disposition, filename=safe_name(attachment.name, attachment.blob.type)
    )
    named = f"Content-ID: <{attachment.inline_id}>\r\n".encode() if shown else b""
    return named + part.as_bytes() + content
