"""E-mail addresses: one definition for everything that comes in, is stored, compared, sent to and shown (decision
0088).

The canonical form is stored and compared: Unicode NFC, lower case, the domain as A-labels (IDNA 2008 with UTS 46)
without a final dot; the local part in quotes only if RFC 5321 requires them. The shown form has the domain as U-labels.
"""

import re
import unicodedata

import idna

LONGEST = 254
"""Octets of an address (RFC 5321, section 4.5.3.1.3, without the angle brackets)."""
LONGEST_LOCAL = 64
"""Octets before the @ (RFC 5321, section 4.5.3.1.1)."""
LONGEST_DOMAIN = 253

_ATOM = re.compile(r"[^\x00-\x20\x7f-\xa0\s()<>\[\]:;@\\,.\"]+(?:\.[^\x00-\x20\x7f-\xa0\s()<>\[\]:;@\\,.\"]+)*")
"""A local part without quotes (RFC 5321's Dot-string, with letters of other scripts as in RFC 6531)."""
_QUOTED = re.compile(r'"((?:[^\x00-\x1f\x7f-\x9f"\\]|\\[\x20-\x7e])+)"')
_SPECIAL = re.compile(r'(["\\])')
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?")
"""A label of a host name (RFC 1123). Private networks have names with underscores."""
_TOP = re.compile(r"[0-9]+")
_UNSEEN = re.compile("[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
"""Invisible characters that are copied along with an address: they must not make two people of one."""


def canonical(address: str) -> str | None:
    """The address as it is stored and compared; None if it is not valid. Address literals (`[192.0.2.1]`) and comments
    are not allowed."""
    local, at, domain = unicodedata.normalize("NFC", _UNSEEN.sub("", address)).strip().rpartition("@")
    known = canonical_domain(domain)
    name = _local(local)
    if not at or known is None or name is None:
        return None
    made = f"{name}@{known}"
    return made if len(made.encode()) <= LONGEST else None


def valid(address: str) -> str:
    """The canonical form. Raises ValueError, for a request's body."""
    found = canonical(address)
    if found is None:
        raise ValueError("This is not a valid e-mail address.")
    return found


def canonical_domain(domain: str) -> str | None:
    """A domain as in the DNS, in lower case; None if it is not valid."""
    name = domain.strip().removesuffix(".")
    if name.isascii():
        name = name.lower()
    else:
        try:
            name = idna.encode(name, uts46=True, transitional=False).decode("ascii")
        except (idna.IDNAError, UnicodeError):
            return None
        name = name.removesuffix(".")
    labels = name.split(".")
    if len(name) > LONGEST_DOMAIN or not all(map(_LABEL.fullmatch, labels)) or _TOP.fullmatch(labels[-1]):
        return None
    return name


def received(address: str) -> str | None:
    """Like `canonical`, for addresses in mails: real mailboxes have dots in places where RFC 5321 requires quotes."""
    found = canonical(address)
    local, at, domain = address.strip().rpartition("@")
    if found is None and at and ".." in f".{local}.":
        return canonical(f'"{local}"@{domain}')
    return found


def comparable(address: str) -> str:
    """The canonical form, for comparing addresses; the text in lower case if it is not a valid address."""
    return canonical(address) or address.strip().lower()


def domain_of(address: str) -> str:
    """The domain of an address as in the DNS; empty if it has none."""
    return canonical_domain(address.rpartition("@")[2]) or ""


def shown(address: str) -> str:
    """The address as it is shown to people."""
    local, at, domain = address.rpartition("@")
    return f"{local}{at}{shown_domain(domain)}"


def shown_domain(domain: str) -> str:
    """The domain in its own script, if IDNA 2008 allows it."""
    try:
        return idna.decode(domain) if "xn--" in domain else domain
    except (idna.IDNAError, UnicodeError):
        return domain


def _local(local: str) -> str | None:
    quoted = _QUOTED.fullmatch(local)
    if quoted is not None:
        plain = re.sub(r"\\(.)", r"\1", quoted.group(1))
        local = plain if _ATOM.fullmatch(plain) else '"{}"'.format(_SPECIAL.sub(r"\\\1", plain))
    elif not _ATOM.fullmatch(local):
        return None
    name = unicodedata.normalize("NFC", local.lower())
    return name if len(name.encode()) <= LONGEST_LOCAL else None
