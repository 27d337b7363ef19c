"""How Message-IDs are remembered."""

import hashlib


def hash_of(message_id: str) -> bytes:
    """The hash under which a Message-ID is stored. Case is ignored, because some mail systems change the case of the
    domain."""
    return hashlib.sha256(message_id.lower().encode()).digest()
