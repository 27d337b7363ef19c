"""Keys of processes (decision record 0072): the gateway's key pair for identities, and each service's own secret."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from shared.settings import SettingMissing, env

Key = TypeVar("Key")

SIGNING_KEY = "LEDGERDESK_IDENTITY_SIGNING_KEY"
PUBLIC_KEYS = "LEDGERDESK_IDENTITY_PUBLIC_KEYS"
SERVICE_KEY = "LEDGERDESK_SERVICE_KEY"  # pragma: allowlist secret
SHORTEST_SECRET = 16
"""Characters of a service's secret."""


class SigningKey:
    """The gateway's private key (Ed25519, RFC 8032), written as the base64url of its 32 bytes."""

    def __init__(self, text: str) -> None:
        """Raises ValueError if the text is not a key."""
        self.text = text.strip()
        self._key = Ed25519PrivateKey.from_private_bytes(_raw(self.text))

    @classmethod
    def made(cls) -> "SigningKey":
        """A new key."""
        return cls(_text(Ed25519PrivateKey.generate().private_bytes_raw()))

    @property
    def public(self) -> str:
        """The public key, for the services."""
        return _text(self._key.public_key().public_bytes_raw())

    def sign(self, content: bytes) -> bytes:
        return self._key.sign(content)


@dataclass(frozen=True, slots=True)
class PublicKeys:
    """The gateway's public keys: one, or the old and the new one while a key is replaced."""

    keys: tuple[Ed25519PublicKey, ...]

    @classmethod
    def parsed(cls, text: str) -> "PublicKeys":
        """Keys separated by blanks, line breaks or commas. Raises ValueError if one is not a key, or there is none."""
        keys = tuple(Ed25519PublicKey.from_public_bytes(_raw(word)) for word in text.replace(",", " ").split())
        if not keys:
            raise ValueError("there is no key")
        return cls(keys)

    def signed(self, content: bytes, signature: bytes) -> bool:
        """Whether one of the keys has signed the content."""
        return any(_signed(key, content, signature) for key in self.keys)


@dataclass(frozen=True, slots=True)
class Keys:
    """`gateway`: the keys that verify identities. `own`: the secret that only the processes of this service have."""

    gateway: PublicKeys
    own: bytes

    @classmethod
    def read(cls) -> "Keys":
        """Raises SettingMissing."""
        return cls(_setting(PUBLIC_KEYS, env(PUBLIC_KEYS), PublicKeys.parsed), own_secret())

    def purpose(self, name: str) -> bytes:
        """A key of 32 bytes for one purpose, derived from the service's own secret.

        It is useless for other purposes.
        """
        return hmac.digest(self.own, f"ledgerdesk {name}".encode(), hashlib.sha256)


def signing_keys(text: str) -> list[SigningKey]:
    """The gateway's keys, separated by blanks or line breaks. The first one signs; the others are being replaced.

    Raises ValueError.
    """
    found = [SigningKey(word) for word in text.split()]
    if not found:
        raise ValueError("there is no key")
    return found


def public_keys(signing: str) -> str:
    """The public keys for the services. Raises ValueError."""
    return "\n".join(key.public for key in signing_keys(signing))


def gateways_keys() -> tuple[SigningKey, Keys]:
    """The gateway's signing key, and its keys to verify with, from its environment. Raises SettingMissing."""
    keys = _setting(SIGNING_KEY, env(SIGNING_KEY), signing_keys)
    return keys[0], Keys(PublicKeys.parsed(" ".join(key.public for key in keys)), own_secret())


def own_secret() -> bytes:
    """Raises SettingMissing."""
    secret = env(SERVICE_KEY).strip()
    if len(secret) < SHORTEST_SECRET:
        raise SettingMissing(f"{SERVICE_KEY} must be a random secret of at least {SHORTEST_SECRET} characters")
    return secret.encode()


def _setting(name: str, text: str, parsed: Callable[[str], Key]) -> Key:
    try:
        return parsed(text)
    except ValueError as error:
        raise SettingMissing(f"{name} is not an Ed25519 key: {error}") from error


def _signed(key: Ed25519PublicKey, content: bytes, signature: bytes) -> bool:
    try:
        key.verify(signature, content)
    except InvalidSignature:
        return False
    return True


def _raw(text: str) -> bytes:
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError("it must be base64url") from error
    if len(raw) != 32:
        raise ValueError("it must have 32 bytes")
    return raw


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
