"""The Message-ID of a mail that leaves: it names the ticket, is derived from the notification and cannot be guessed.

`<ld.TICKET.NOTIFICATION.SIGNATURE@domain>`: two ids in base32 and the first 80 bits of an HMAC-SHA256 over them, in lower
case throughout, because mail systems on the way do not all keep the case.
"""

import base64
import hashlib
import hmac
import re
from uuid import UUID

_PATTERN = re.compile(r"<ld\.([a-z2-7]{26})\.([a-z2-7]{26})\.([a-z2-7]{16})@[^<>@\s]{1,255}>", re.IGNORECASE)


def _text(raw: bytes) -> str:
    return base64.b32encode(raw).decode("ascii").rstrip("=").lower()


def _id(text: str) -> UUID:
    return UUID(bytes=base64.b32decode(text.upper() + "======"))


def _signature(key: bytes, ticket: UUID, notification: UUID) -> str:
    return _text(hmac.digest(key, b"message-id" + ticket.bytes + notification.bytes, hashlib.sha256)[:10])


def make(key: bytes, ticket: UUID, notification: UUID, domain: str) -> str:
    """The header's value, angle brackets included."""
    signature = _signature(key, ticket, notification)
    return f"<ld.{_text(ticket.bytes)}.{_text(notification.bytes)}.{signature}@{domain}>"


def tickets_named(key: bytes, header: str) -> list[UUID]:
    """The tickets that our own, genuine Message-IDs in a References or In-Reply-To header name, in their order."""
    found: list[UUID] = []
    for ticket_text, notification_text, signature in _PATTERN.findall(header):
        ticket, notification = _id(ticket_text), _id(notification_text)
        genuine = hmac.compare_digest(_signature(key, ticket, notification), signature.lower())
        if genuine and ticket not in found:
            found.append(ticket)
    return found
