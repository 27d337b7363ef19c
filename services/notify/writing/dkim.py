"""DKIM signatures (RFC 6376, RFC 8301, RFC 8463): receivers can tell our domain's mails from forged ones.

Header and body are signed in relaxed canonicalization, because mail servers change white space. The signature depends
only on the mail, the key and the mail's time, so that every attempt has the same bytes.
"""

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

ONCE = (
    "From", "Sender", "Reply-To", "To", "Cc", "Subject", "Date", "Message-ID", "In-Reply-To", "References",
    "MIME-Version", "Content-Type", "Content-Transfer-Encoding",
)  # fmt: skip
"""Fields that are signed once more than they occur, so that adding another one breaks the signature (RFC 6376,
section 8.15)."""
PRESENT = ("Auto-Submitted", "X-Auto-Response-Suppress")
"""Fields that are signed as often as they occur."""
LEAST_BITS = 1024
"""Verifiers ignore signatures of shorter RSA keys (RFC 8301, section 3.2)."""

_SELECTOR = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,61}[A-Za-z0-9])?")
_NEW_FIELD = re.compile(rb"\r\n(?![ \t])")
_SPACE = re.compile(rb"[ \t]+")
_SPACE_AT_END = re.compile(rb"[ \t]+(?=\r\n)")
_LINE = 68


class BadKey(Exception):
    """This key cannot sign. The message says why on one line, and contains nothing of the key."""


@dataclass(frozen=True, slots=True)
class Key:
    """A private key and the selector under which DNS has its public half: `<selector>._domainkey.<domain>`."""

    selector: str
    private: RSAPrivateKey | Ed25519PrivateKey

    @classmethod
    def read(cls, selector: str, path: Path) -> "Key":
        """Reads a private key in PEM. Raises BadKey."""
        if not _SELECTOR.fullmatch(selector):
            raise BadKey(f"{selector[:70]!r} is not a selector: use letters, digits, hyphens and dots")
        try:
            private = load_pem_private_key(path.read_bytes(), None)
        except OSError as error:
            raise BadKey(f"the key {selector} in {path} cannot be read: {error.strerror}") from error
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            reason = "it is encrypted" if isinstance(error, TypeError) else "it is not a private key in PEM"
            raise BadKey(f"the key {selector} in {path} cannot be used: {reason}") from error
        if not isinstance(private, RSAPrivateKey | Ed25519PrivateKey):
            raise BadKey(f"the key {selector} in {path} is neither an RSA nor an Ed25519 key")
        if isinstance(private, RSAPrivateKey) and private.key_size < LEAST_BITS:
            raise BadKey(
                f"the key {selector} in {path} has {private.key_size} bits; receivers require at least {LEAST_BITS}"
            )
        return cls(selector, private)

    @property
    def algorithm(self) -> str:
        return "rsa-sha256" if isinstance(self.private, RSAPrivateKey) else "ed25519-sha256"

    def sign(self, content: bytes) -> bytes:
        if isinstance(self.private, RSAPrivateKey):
            return self.private.sign(content, PKCS1v15(), SHA256())
        return self.private.sign(hashlib.sha256(content).digest())  # of the hash (RFC 8463, section 3)


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs for one domain, once with each key: receivers without Ed25519 verify the RSA signature."""

    domain: str
    keys: tuple[Key, ...]

    def signed(self, content: bytes, date: datetime) -> bytes:
        """The mail with its signatures before its other fields. `content` has CRLF line ends."""
        header, _, body = content.partition(b"\r\n\r\n")
        fields = [_field(each) for each in _NEW_FIELD.split(header)]
        body_hash = base64.b64encode(hashlib.sha256(_relaxed_body(body)).digest()).decode()
        names = _names(fields)
        covered = b"".join(_chosen(fields, names))
        signatures = [self._signature(key, names, covered, body_hash, date) for key in self.keys]
        return b"".join((*signatures, content))

    def _signature(self, key: Key, names: Sequence[str], covered: bytes, body_hash: str, date: datetime) -> bytes:
        lines = (
            f"v=1; a={key.algorithm}; c=relaxed/relaxed; d={self.domain};",
            f"s={key.selector}; t={int(date.timestamp())};",
            f"h={_folded(names)};",
            f"bh={body_hash};",
            "b=",
        )
        value = "\r\n\t".join(lines)
        own = _relaxed(b"dkim-signature", value.encode()).removesuffix(b"\r\n")
        found = base64.b64encode(key.sign(covered + own)).decode()
        pieces = [found[start : start + _LINE] for start in range(0, len(found), _LINE)]
        return f"DKIM-Signature: {value}".encode() + "\r\n\t".join(pieces).encode() + b"\r\n"


def _field(raw: bytes) -> tuple[bytes, bytes]:
    name, _, value = raw.partition(b":")
    return name.strip().lower(), value


def _names(fields: Sequence[tuple[bytes, bytes]]) -> list[str]:
    """Each field to sign as often as it occurs, and those of `ONCE` once more."""
    found = [name for name, _ in fields]
    often = [name for name in ONCE for _ in range(found.count(name.lower().encode()) + 1)]
    return often + [name for name in PRESENT for _ in range(found.count(name.lower().encode()))]


def _chosen(fields: Sequence[tuple[bytes, bytes]], names: Sequence[str]) -> list[bytes]:
    """The fields of these names, the last field of a name first.

    A name without a field stands for nothing (RFC 6376, section 5.4.2).
    """
    left = list(fields)
    chosen: list[bytes] = []
    for name in names:
        wanted = name.lower().encode()
        for n in range(len(left) - 1, -1, -1):
            if left[n][0] == wanted:
                chosen.append(_relaxed(*left.pop(n)))
                break
    return chosen


def _relaxed(name: bytes, value: bytes) -> bytes:
    """A field in relaxed canonicalization (RFC 6376, section 3.4.2)."""
    return name + b":" + _SPACE.sub(b" ", value.replace(b"\r\n", b"")).strip(b" ") + b"\r\n"


def _relaxed_body(body: bytes) -> bytes:
    """A body in relaxed canonicalization (RFC 6376, section 3.4.4)."""
    lines = _SPACE.sub(b" ", _SPACE_AT_END.sub(b"", body)) if b" " in body or b"\t" in body else body
    shortened = lines.rstrip(b"\r\n")
    return shortened + b"\r\n" if shortened else b""


def _folded(names: Sequence[str]) -> str:
    lines = [""]
    for n, name in enumerate(names):
        piece = name if n == len(names) - 1 else f"{name}:"
        if len(lines[-1]) + len(piece) > _LINE:
            lines.append("")
        lines[-1] += piece
    return "\r\n\t ".join(lines)
