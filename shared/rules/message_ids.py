"""The Message-ID of a mail that leaves: it names the ticket, is derived from the notification and cannot be guessed.

`<ld.TICKET.NONCE.SIGNATURE@domain>`: the ticket's id in base32, 35 bits of the notification's hash, and 65 bits of an
HMAC-SHA256 over both. All in lower case, because some mail systems change the case. Short enough for one line of a
header, because some mail libraries break or encode longer ones.
"""

import base64
import hashlib
import hmac
import re
from uuid import UUID

_PATTERN = re.compile(r"<ld\.([a-z2-7]{26})\.([a-z2-7]{7})\.([a-z2-7]{13})@[^<>@\s]{1,255}>", re.IGNORECASE)


def _text(raw: bytes) -> str:
    return base64.b32encode(raw).decode("ascii").rstrip("=").lower()


def _id(text: str) -> UUID:
    return UUID(bytes=base64.b32decode(text.upper() + "======"))


def _signature(key: bytes, ticket: UUID, nonce: str) -> str:
    return _text(hmac.digest(key, b"message-id" + ticket.bytes + nonce.encode(), hashlib.sha256))[:13]


def make(key: bytes, ticket: UUID, notification: UUID, domain: str) -> str:
    """The header's value, angle brackets included."""
    nonce = _text(hashlib.sha256(notification.bytes).digest())[:7]
    return f"<ld.{_text(ticket.bytes)}.{nonce}.{_signature(key, ticket, nonce)}@{domain}>"


def tickets_named(key: bytes, header: str) -> list[UUID]:
    """The tickets that our own, genuine Message-IDs in a References or In-Reply-To header name, in their order."""
    found: list[UUID] = []
    for ticket_text, nonce, signature in _PATTERN.findall(header):
        ticket = _id(ticket_text)
        genuine = hmac.compare_digest(_signature(key, ticket, nonce.lower()), signature.lower())
        if genuine and ticket not in found:
            found.append(ticket)
    return found
