"""Which addresses a mail of ours goes to, and which of them no machine should write to."""

import re
from collections.abc import Collection

from shared.addresses import comparable, received

_ROBOTS = re.compile(
    r"(no|do|donot|dont)[._-]?(not[._-]?)?reply.*|mailer[._-]?daemon|bounces?([+=-].*)?|listserv|majordomo|owner-.*|.*-owner|.*-request"
)


def mailable(email: str) -> bool:
    """Whether a mail can be addressed so."""
    return received(email) is not None


def is_among(email: str, own: Collection[str]) -> bool:
    """Whether a mail to this address comes to one of these (`comparable`) ones; what is sent to `it+anything@` comes to `it@` too."""
    address = comparable(email)
    local, at, domain = address.rpartition("@")
    return address in own or f"{local.partition('+')[0]}{at}{domain}" in own


def is_robot(email: str) -> bool:
    """Whether an address is one that machines send from: bounces, lists, no-reply (RFC 3834, section 2)."""
    return _ROBOTS.fullmatch(email.rpartition("@")[0].lower()) is not None
