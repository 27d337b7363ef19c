"""Places as text for clients, who can neither read nor make one (decision record 0099)."""

import base64
import binascii
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from services.reporting.feed.place import Place, UnknownPlace

_NONCE_BYTES = 12
LONGEST = 512
"""Characters that may be a place."""


class SealedPlaces:
    """Uses AES-SIV (RFC 5297) with a nonce. `key` has 32 bytes.

    All texts are equally long, and the same place has many: nobody can count events, or learn that there was one that
    they may not see.
    """

    def __init__(self, key: bytes) -> None:
        self._cipher = AESSIV(key)

    def seal(self, place: Place) -> str:
        nonce = os.urandom(_NONCE_BYTES)
        return base64.urlsafe_b64encode(nonce + self._cipher.encrypt(place.packed(), [nonce])).rstrip(b"=").decode()

    def open(self, text: str) -> Place:
        """The place of a text. Raises UnknownPlace if this system did not make it."""
        if len(text) > LONGEST:
            raise UnknownPlace
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            return Place.unpacked(self._cipher.decrypt(raw[_NONCE_BYTES:], [raw[:_NONCE_BYTES]]))
        except (ValueError, binascii.Error, InvalidTag):
            raise UnknownPlace from None
