"""Which addresses a mail can be sent to, and to which of them no automatic mail is sent."""

import re
from collections.abc import Collection

from shared.addresses import comparable, received

_ROBOTS = re.compile(
    r"(no|do|donot|dont)[._-]?(not[._-]?)?reply.*|mailer[._-]?daemon|bounces?([+=-].*)?"
    r"|listserv|majordomo|owner-.*|.*-owner|.*-request"
)


def mailable(email: str) -> bool:
    """Whether this is a valid mail address."""
    return received(email) is not None


def is_among(email: str, own: Collection[str]) -> bool:
    """Whether mail to this address arrives at one of these (`comparable`) addresses.

    Mail to `it+anything@` arrives at `it@`.
    """
    address = comparable(email)
    local, at, domain = address.rpartition("@")
    return address in own or f"{local.partition('+')[0]}{at}{domain}" in own


def is_robot(email: str) -> bool:
    """Whether machines send from this address: bounces, mailing lists, no-reply (RFC 3834, section 2)."""
    return _ROBOTS.fullmatch(email.rpartition("@")[0].lower()) is not None
