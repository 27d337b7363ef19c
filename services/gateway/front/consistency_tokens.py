"""Consistency tokens as they stand outside: sealed, so that they tell nothing and nobody makes one up (decision record 0072).

Inside, a token names streams and versions. Whoever could write one would learn from `X-Projection-Lag` which tickets exist and how far they
have come, and whoever could read one would learn of a ticket that theirs was merged into.
"""

import base64
import binascii

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from shared.http import problems
from shared.http.consistency import HEADER, LONGEST

_OVERHEAD = 16
MOST_CHARACTERS = (LONGEST + _OVERHEAD + 2) // 3 * 4


class ConsistencyTokens:
    """AES-SIV (RFC 5297): no nonce that could be used twice, and the same streams are the same token. `key` has 32 bytes."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESSIV(key)

    def seal(self, token: str) -> str:
        """What a caller is given for a service's token."""
        inside = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        return base64.urlsafe_b64encode(self._cipher.encrypt(inside, None)).rstrip(b"=").decode()

    def open(self, text: str) -> str:
        """The service's token again; raises Problem 422 for what was not sealed here."""
        try:
            if len(text) > MOST_CHARACTERS:
                raise ValueError("longer than any token")
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            inside = self._cipher.decrypt(raw, None)
        except (ValueError, binascii.Error, InvalidTag):
            raise problems.invalid(f"/header/{HEADER.lower()}", "is no consistency token of this system") from None
        return base64.urlsafe_b64encode(inside).rstrip(b"=").decode()
