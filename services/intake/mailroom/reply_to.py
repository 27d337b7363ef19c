"""Whether replies go to the Reply-To of a mail. The desk sees the addresses in any case.

A form on a web site, or a person with two addresses, names the address that they read. But a stranger may name somebody
else's address, and replies would go wherever the stranger wants. In such a case an agent confirms the address by naming
the recipient.
"""

from collections.abc import Collection, Sequence
from typing import Literal

from shared.contracts.parts import Address

Doubt = Literal["", "stranger", "ours", "third_person", "other_domain", "too_many"]
MOST = 3
"""Addresses that replies go to: one mail of a stranger must not make the desk write to many people."""

WORDS: dict[Doubt, str] = {
    "stranger": "its Reply-To comes from somebody who is not known to take part",
    "ours": "its Reply-To names an address of this desk",
    "third_person": "its Reply-To names somebody else who is involved in the ticket",
    "other_domain": "its sender is proven, but its Reply-To is of another domain",
    "too_many": "its Reply-To names many addresses",
}


def note(asked: Sequence[Address], doubt: Doubt) -> list[str]:
    """What the desk is told if replies do not go to the Reply-To."""
    emails = ", ".join(each.email for each in asked)
    return (
        [f"replies go to its sender, not to {emails}: {WORDS[doubt]}; name the recipient to reply there"]
        if doubt
        else []
    )


def asked_for(reply_to: Sequence[Address], sender: str) -> tuple[Address, ...]:
    """Where a mail wants replies; empty if only at its sender's own address."""
    return () if {each.email for each in reply_to} <= {sender} else tuple(reply_to)


def doubt(
    asked: Sequence[Address], *, sender: str, proven: bool, ours: Collection[str], third_persons: Collection[str]
) -> Doubt:
    """Why replies do not go to the addresses that a mail asked for; empty if they do.

    `ours`: those addresses that belong to the desk or its people. `third_persons`: those of others who take part in the
    ticket or received the mail. `proven`: the mail is from the domain in its From.
    """
    emails = {each.email for each in asked} - {sender}
    if len(emails) > MOST:
        return "too_many"
    if emails & set(ours):
        return "ours"
    if emails & set(third_persons):
        return "third_person"
    if proven and not all(_same_domain(each, sender) for each in emails):
        return "other_domain"
    return ""


def _same_domain(one: str, other: str) -> bool:
    """Whether two addresses have the same domain, or one domain is below the other."""
    short, long = sorted((one.rpartition("@")[2], other.rpartition("@")[2]), key=len)
    return long == short or ("." in short and long.endswith(f".{short}"))
