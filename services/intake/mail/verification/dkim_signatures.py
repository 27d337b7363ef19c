"""Verifies DKIM signatures (RFC 6376, RFC 8301, RFC 8463) and ARC chains (RFC 8617) with dkimpy.

An attacker can make the library's regular expressions slow, and a key may have any size. So it runs in a process with
limited time (worker.py).
"""

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Literal

import dkim
from dkim.crypto import UnparsableKeyError, parse_public_key
from dkim.util import InvalidTagValueList, parse_tag_value

from services.intake.mail.verification.dns import DnsQueries, Unanswered

Result = Literal["pass", "fail", "policy", "temperror", "permerror"]

MOST_SIGNATURES = 5
MOST_SEALS = 10
LONGEST_KEY = 2_048
"""Characters of a key's record: RSA with 8192 bits, and its tags."""
MOST_BITS = 4_096
MOST_EXPONENT = 1 << 32

_NAME = re.compile(r"[a-z0-9._-]{1,253}")


@dataclass(frozen=True, slots=True)
class DkimSignature:
    """One signature and its result. `policy`: it is valid but proves too little. `reason`: why it is not `pass`."""

    domain: str
    selector: str
    result: Result
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ArcChain:
    """The ARC seals of servers that forwarded a mail: the result, the last sealer, and the results that it reports."""

    result: Literal["none", "pass", "fail", "temperror"]
    sealer: str = ""
    found: str = ""


def dkim_signatures(raw: bytes, queries: DnsQueries, about: str) -> list[DkimSignature]:
    """Verifies at most five signatures, those of the domain in From and related domains first."""
    try:
        mail = dkim.DKIM(raw, minkey=1024)
    except Exception:  # the library cannot read the mail, so nothing in it is signed
        return []
    fields = [value for name, value in mail.headers if name.lower() == b"dkim-signature"]
    found = [(index, tags) for index, value in enumerate(fields[:100]) if (tags := _tags(value)) is not None]
    found.sort(key=lambda each: not _related(each[1].get("d", ""), about))
    return [_verified(mail, index, tags, queries) for index, tags in found[:MOST_SIGNATURES]]


def arc_chain(raw: bytes, queries: DnsQueries) -> ArcChain:
    """Verifies the chain of seals. Anybody can seal a mail, so it counts only if the sealer is trusted."""
    try:
        mail = dkim.ARC(raw, minkey=1024)
        seals = sum(name.lower() == b"arc-seal" for name, _ in mail.headers)
        if not seals:
            return ArcChain("none")
        if seals > MOST_SEALS:
            return ArcChain("fail")
        result, sets, _ = mail.verify(dnsfunc=_Keys(queries))
        if result != dkim.CV_Pass or not sets or sets[0]["as-domain"].lower() != sets[0]["ams-domain"].lower():
            return ArcChain("fail")
        sealer = sets[0]["as-domain"].decode("ascii").lower()
        return ArcChain("pass", sealer, sets[0]["aar-value"].decode("utf-8", "replace"))
    except Unanswered:
        return ArcChain("temperror")
    except Exception:  # a chain that the library cannot read proves nothing
        return ArcChain("fail")


def _verified(mail: dkim.DKIM, index: int, tags: dict[str, str], queries: DnsQueries) -> DkimSignature:
    domain, selector = tags.get("d", "").lower(), tags.get("s", "").lower()
    if not _NAME.fullmatch(domain) or not _NAME.fullmatch(selector):
        return DkimSignature("", "", "permerror", "its domain or selector is not valid")
    keys = _Keys(queries)
    try:
        good = mail.verify(index, dnsfunc=keys)
    except Unanswered as error:
        return DkimSignature(domain, selector, "temperror", str(error))
    except Exception as error:  # a hostile signature may make the library fail in any way; it proves nothing
        return DkimSignature(domain, selector, "permerror", type(error).__name__)
    if keys.reason:
        return DkimSignature(domain, selector, "permerror", keys.reason)
    if not good:
        return DkimSignature(domain, selector, "fail", "it does not match the mail")
    if "l" in tags:
        return DkimSignature(domain, selector, "policy", "it covers only a part of the text")
    if tags.get("a", "").lower() == "rsa-sha1":
        return DkimSignature(domain, selector, "policy", "its algorithm is insecure")
    if keys.is_test:
        return DkimSignature(domain, selector, "policy", "its key is for tests")
    return DkimSignature(domain, selector, "pass")


def _tags(value: bytes) -> dict[str, str] | None:
    try:
        tags = parse_tag_value(value)
    except InvalidTagValueList:
        return None
    return {name.decode("ascii", "replace"): text.decode("ascii", "replace") for name, text in tags.items()}


def _related(domain: str, about: str) -> bool:
    domain = domain.lower()
    return bool(domain) and (about == domain or about.endswith(f".{domain}") or domain.endswith(f".{about}"))


class _Keys:
    """Looks up the keys of signers for dkimpy. A key that is too large counts as missing."""

    def __init__(self, queries: DnsQueries) -> None:
        self._queries = queries
        self.reason = ""
        self.is_test = False

    def __call__(self, name: bytes, timeout: float = 0) -> bytes | None:
        texts = self._queries.txt(name.decode("ascii", "replace").rstrip("."))
        if len(texts) != 1:
            self.reason = "there is no key" if not texts else "there is more than one key"
            return None
        text = texts[0]
        tags = _tags(text.encode("ascii", "replace")) or {}
        self.is_test = "y" in tags.get("t", "").lower().split(":")
        if len(text) > LONGEST_KEY or (tags.get("k", "rsa").lower() == "rsa" and not _is_usable(tags.get("p", ""))):
            self.reason = "its key was revoked, or is not usable"
            return None
        return text.encode("ascii", "replace")


def _is_usable(encoded: str) -> bool:
    try:
        key = parse_public_key(base64.b64decode(re.sub(r"\s+", "", encoded)))
    except (UnparsableKeyError, binascii.Error, ValueError, IndexError, TypeError):
        return False
    return int(key["modulus"]).bit_length() <= MOST_BITS and 1 < int(key["publicExponent"]) < MOST_EXPONENT
