"""The signatures of a mail: DKIM (RFC 6376, RFC 8301, RFC 8463) and the chain of ARC (RFC 8617), verified by dkimpy.

That library's expressions can be made slow, and a key may be of any size: it runs in a process whose time is limited (worker.py).
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
"""Characters of a key's record: 8192 bits of RSA and its words."""
MOST_BITS = 4_096
MOST_EXPONENT = 1 << 32

_NAME = re.compile(r"[a-z0-9._-]{1,253}")


@dataclass(frozen=True, slots=True)
class DkimSignature:
    """One signature and what was found: `policy` is one that is right and proves too little; `words` say why it is no pass."""

    domain: str
    selector: str
    result: Result
    words: str = ""


@dataclass(frozen=True, slots=True)
class ArcChain:
    """The seals of those who passed a mail on: `none`, `pass` or `fail`; the last sealer, and what it says that it found."""

    result: Literal["none", "pass", "fail", "temperror"]
    sealer: str = ""
    found: str = ""


def dkim_signatures(raw: bytes, queries: DnsQueries, about: str) -> list[DkimSignature]:
    """What the signatures of a mail are worth: at most five, those of the domain in From and its relatives first."""
    try:
        mail = dkim.DKIM(raw, minkey=1024)
    except Exception:  # it is no mail that the library reads, so that nothing in it is signed
        return []
    fields = [value for name, value in mail.headers if name.lower() == b"dkim-signature"]
    found = [(index, tags) for index, value in enumerate(fields[:100]) if (tags := _tags(value)) is not None]
    found.sort(key=lambda each: not _related(each[1].get("d", ""), about))
    return [_verified(mail, index, tags, queries) for index, tags in found[:MOST_SIGNATURES]]


def arc_chain(raw: bytes, queries: DnsQueries) -> ArcChain:
    """The chain of seals, whoever they are: anybody can seal, so that it depends on who is trusted."""
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
    except Exception:  # a chain that a library stumbles over proves nothing
        return ArcChain("fail")


def _verified(mail: dkim.DKIM, index: int, tags: dict[str, str], queries: DnsQueries) -> DkimSignature:
    domain, selector = tags.get("d", "").lower(), tags.get("s", "").lower()
    if not _NAME.fullmatch(domain) or not _NAME.fullmatch(selector):
        return DkimSignature("", "", "permerror", "its domain or selector is none")
    keys = _Keys(queries)
    try:
        good = mail.verify(index, dnsfunc=keys)
    except Unanswered as error:
        return DkimSignature(domain, selector, "temperror", str(error))
    except Exception as error:  # whatever a hostile signature makes of the library, it is no proof
        return DkimSignature(domain, selector, "permerror", type(error).__name__)
    if keys.words:
        return DkimSignature(domain, selector, "permerror", keys.words)
    if not good:
        return DkimSignature(domain, selector, "fail", "it does not fit the mail")
    if "l" in tags:
        return DkimSignature(domain, selector, "policy", "it covers a part of the text only")
    if tags.get("a", "").lower() == "rsa-sha1":
        return DkimSignature(domain, selector, "policy", "its algorithm is broken")
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
    """The keys of signers, as dkimpy asks for them. One that is larger than anybody's is none."""

    def __init__(self, queries: DnsQueries) -> None:
        self._queries = queries
        self.words = ""
        self.is_test = False

    def __call__(self, name: bytes, timeout: float = 0) -> bytes | None:
        texts = self._queries.txt(name.decode("ascii", "replace").rstrip("."))
        if len(texts) != 1:
            self.words = "there is no key" if not texts else "there is more than one key"
            return None
        text = texts[0]
        tags = _tags(text.encode("ascii", "replace")) or {}
        self.is_test = "y" in tags.get("t", "").lower().split(":")
        if len(text) > LONGEST_KEY or (tags.get("k", "rsa").lower() == "rsa" and not _is_of_use(tags.get("p", ""))):
            self.words = "its key was revoked, or is none of use"
            return None
        return text.encode("ascii", "replace")


def _is_of_use(encoded: str) -> bool:
    try:
        key = parse_public_key(base64.b64decode(re.sub(r"\s+", "", encoded)))
    except (UnparsableKeyError, binascii.Error, ValueError, IndexError, TypeError):
        return False
    return int(key["modulus"]).bit_length() <= MOST_BITS and 1 < int(key["publicExponent"]) < MOST_EXPONENT
