"""Encrypts consistency tokens, so that callers can neither read nor make one (decision record 0072).

A token names streams and versions. Somebody who could make one would learn from `X-Projection-Lag` which tickets exist
and how many changes they have. Somebody who could read one would learn of the ticket that theirs was merged into.
"""

import base64
import binascii

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from shared.http import problems
from shared.http.headers.consistency import HEADER, LONGEST

_OVERHEAD = 16
MOST_CHARACTERS = (LONGEST + _OVERHEAD + 2) // 3 * 4


class ConsistencyTokens:
    """Uses AES-SIV (RFC 5297): there is no nonce to reuse, and equal contents give equal tokens. `key` has 32 bytes."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESSIV(key)

    def seal(self, token: str) -> str:
        """The token for the caller, from the token of a service."""
        inside = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        return base64.urlsafe_b64encode(self._cipher.encrypt(inside, None)).rstrip(b"=").decode()

    def open(self, text: str) -> str:
        """The token of the service. Raises Problem 422 if this system did not make it."""
        try:
            if len(text) > MOST_CHARACTERS:
                raise ValueError("longer than any token")
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            inside = self._cipher.decrypt(raw, None)
        except (ValueError, binascii.Error, InvalidTag):
            raise problems.invalid(
                f"/header/{HEADER.lower()}", "This is not a consistency token of this system."
            ) from None
        return base64.urlsafe_b64encode(inside).rstrip(b"=").decode()
