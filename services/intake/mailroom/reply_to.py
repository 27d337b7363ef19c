"""Whether answers follow the Reply-To of a mail: pure rules. What it asks for is shown to the desk in any case.

A form on a web site and a person with two addresses name the address that they read. A stranger may name somebody else's: what is answered
would go to whoever they choose. So an agent confirms what looks like that, by naming the recipient.
"""

from collections.abc import Collection, Sequence
from typing import Literal

from shared.contracts.parts import Address

Doubt = Literal["", "stranger", "ours", "third_person", "other_domain", "too_many"]
MOST = 3
"""Addresses that are followed; one mail of a stranger's must not have us write to many."""

WORDS: dict[Doubt, str] = {
    "stranger": "its Reply-To is that of somebody who is not known to take part",
    "ours": "its Reply-To names an address of this desk",
    "third_person": "its Reply-To names somebody else who has to do with the ticket",
    "other_domain": "its sender is proven, its Reply-To is of another domain",
    "too_many": "its Reply-To names many addresses",
}


def note(asked: Sequence[Address], doubt: Doubt) -> list[str]:
    """What the desk is told of a wish that is not followed by itself."""
    emails = ", ".join(each.email for each in asked)
    return (
        [f"answers go to its sender, not to {emails}: {WORDS[doubt]}; name the recipient to answer there"]
        if doubt
        else []
    )


def asked_for(reply_to: Sequence[Address], sender: str) -> tuple[Address, ...]:
    """Where a mail wants answers, if not at its sender's own address alone."""
    return () if {each.email for each in reply_to} <= {sender} else tuple(reply_to)


def doubt(
    asked: Sequence[Address], *, sender: str, proven: bool, ours: Collection[str], third_persons: Collection[str]
) -> Doubt:
    """Why answers do not go there by themselves. `ours` and `third_persons` are those of the addresses that are the desk's or its people's, and
    those of others who take part in the ticket or were written to with the mail; `proven`: the mail is from the domain in its From."""
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
    """Whether two addresses are of one domain, or of one and a domain below it."""
    short, long = sorted((one.rpartition("@")[2], other.rpartition("@")[2]), key=len)
    return long == short or ("." in short and long.endswith(f".{short}"))
