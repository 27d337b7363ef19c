"""What the writer of a mail is to the ticket that the mail names: a participant, an outsider, or unverified."""

from typing import Literal

from services.intake.mail.verification.authentication_results import SenderProof
from services.intake.ticket.commands import ThreadedBy
from shared.contracts.parts import Standing


def writer_standing(
    threaded_by: ThreadedBy,
    *,
    known_as: Literal["participant", "outsider"] | None,
    sender: SenderProof,
    is_agent: bool,
    by_address: bool = False,
) -> Standing:
    """`known_as` is the ticket's record of the address in From; `sender` tells whether the mail is proven to come from
    that address.

    A Message-ID of the desk's (`reference`) cannot be guessed: whoever has it got a mail from the desk. Everything
    else, From too, may be seen by somebody else or made up. An agent's name is worth more than a customer's, so without
    proof it counts for nothing. `by_address`: only the address that the mail was sent to names the ticket. It cannot be
    guessed either, but its owner may have given it to somebody else, such as a service that sends codes to it. So it
    finds the ticket but gives no access. Of several senders nobody is known to have written the mail, whatever names
    the ticket (RFC 7489, 6.6.1).
    """
    if sender == "ambiguous" or (is_agent and known_as is None):
        return "unverified"
    if threaded_by == "reference" and not by_address:
        return known_as or "participant"
    if sender == "disproven":
        return "unverified"
    return known_as or "unverified"


def is_agents_own(threaded_by: ThreadedBy, sender: SenderProof) -> bool:
    """Whether a mail from an agent's address is the agent's: it names a Message-ID of the desk's, and is proven to come
    from that address."""
    return threaded_by == "reference" and sender == "proven"
