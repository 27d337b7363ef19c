"""Which addresses a mail can go to, and which of them no machine should write to."""

import re
from collections.abc import Collection

_LOCAL = re.compile(r"[^\x00-\x20\x7f-\xa0\s@<>()\[\]\\,;:\"]{1,64}")
_LABEL = re.compile(r"[^\W_](?:[\w-]{0,61}[^\W_])?")
LONGEST = 254
"""Characters of an address (RFC 5321, section 4.5.3.1.3, without the angle brackets)."""

_ROBOTS = re.compile(
    r"(no|do|donot|dont)[._-]?(not[._-]?)?reply.*|mailer[._-]?daemon|bounces?([+=-].*)?|listserv|majordomo|owner-.*|.*-owner|.*-request"
)


def mailable(email: str) -> bool:
    """Whether a mail can be addressed so. Quoted local parts and address literals are not taken; other scripts are."""
    local, at, domain = email.rpartition("@")
    if not at or len(email) > LONGEST or not _LOCAL.fullmatch(local):
        return False
    labels = domain.split(".")
    return all(_LABEL.fullmatch(label) for label in labels) and ascii_domain(domain) is not None


def ascii_domain(domain: str) -> str | None:
    """A domain as DNS knows it; None when it cannot be one."""
    try:
        return domain.encode("idna").decode("ascii")
    except UnicodeError:
        return None


def plain(email: str) -> str:
    """An address as it is compared with others: in lower case, its domain as DNS knows it."""
    local, at, domain = email.strip().lower().rpartition("@")
    return f"{local}{at}{ascii_domain(domain) or domain}"


def is_among(email: str, own: Collection[str]) -> bool:
    """Whether a mail to this address comes to one of these (`plain`) ones; what is sent to `it+anything@` comes to `it@` too."""
    address = plain(email)
    local, at, domain = address.rpartition("@")
    return address in own or f"{local.partition('+')[0]}{at}{domain}" in own


def is_robot(email: str) -> bool:
    """Whether an address is one that machines send from: bounces, lists, no-reply (RFC 3834, section 2)."""
    return _ROBOTS.fullmatch(email.rpartition("@")[0].lower()) is not None
