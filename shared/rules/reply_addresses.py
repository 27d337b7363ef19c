"""The address to which customers answer: the queue's own, with a tag that names the ticket and cannot be guessed.

`it+TICKETSIGNATURE@help.example.org`: the ticket's id in base32 and 65 bits of an HMAC-SHA256 over it, in lower case as
in our Message-IDs. It finds the ticket if a mail program drops In-Reply-To and References and its user removes the
number from the subject. The tag proves nothing about the writer: an address is passed on more easily than a header
(decision 0028).
"""

import base64
import binascii
import hashlib
import hmac
import re
from uuid import UUID

LONGEST_LOCAL = 64
"""Characters before the @ (RFC 5321, section 4.5.3.1.1)."""
_TAG = re.compile(r"\+([a-z2-7]{26})([a-z2-7]{13})\Z", re.IGNORECASE)


def make(key: bytes, ticket: UUID, address: str) -> str | None:
    """The queue's address with the ticket's tag; None if it has no room for the tag, or has a tag already."""
    local, at, domain = address.rpartition("@")
    tagged = f"{local}+{_text(ticket.bytes)}{_signature(key, ticket)}"
    if not at or not local or "+" in local or local.startswith('"') or len(tagged) > LONGEST_LOCAL:
        return None
    return f"{tagged}@{domain}"


def ticket_named(key: bytes, address: str) -> UUID | None:
    """The ticket that an address of ours names; None for any other address, and for a changed or made-up tag."""
    found = _TAG.search(address.rpartition("@")[0])
    if found is None:
        return None
    try:
        ticket = UUID(bytes=base64.b32decode(found.group(1).upper() + "======"))
    except (binascii.Error, ValueError):
        return None
    genuine = hmac.compare_digest(_signature(key, ticket), found.group(2).lower())
    # The last letter of an id has unused bits: only the spelling that we write is ours.
    return ticket if genuine and _text(ticket.bytes) == found.group(1).lower() else None


def _text(raw: bytes) -> str:
    return base64.b32encode(raw).decode("ascii").rstrip("=").lower()


def _signature(key: bytes, ticket: UUID) -> str:
    return _text(hmac.digest(key, b"reply-address" + ticket.bytes, hashlib.sha256))[:13]
