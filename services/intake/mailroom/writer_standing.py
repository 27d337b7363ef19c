"""What the writer of a mail is to the ticket that it names: a pure rule over how it names it and whom the ticket knows."""

from typing import Literal

from services.intake.mail.verification.authentication_results import Proof
from shared.contracts.parts import Standing

ThreadedBy = Literal["", "reference", "message-id", "subject"]


def standing(
    threaded_by: ThreadedBy,
    *,
    known_as: Literal["participant", "outsider"] | None,
    sender: Proof,
    is_agent: bool,
    by_address: bool = False,
) -> Standing:
    """`known_as` is what the ticket knows of the address in From, `sender` whether the mail is proven to be from there.

    A Message-ID of ours (`reference`) cannot be guessed: who has it was written to by us. Anything else can be read over
    a shoulder or made up, and so can From. An agent's name is worth more than a customer's: without proof it is worth nothing.
    `by_address`: only the address that the mail was sent to names the ticket. It cannot be guessed either, but its owner may have given it to
    somebody else, such as a service that sends codes to it for whoever reads the ticket: so it finds the ticket, and lets nobody in.
    Of several senders none is known to have written, whatever names the ticket (RFC 7489, 6.6.1).
    """
    if sender == "ambiguous" or (is_agent and known_as is None):
        return "unverified"
    if threaded_by == "reference" and not by_address:
        return known_as or "participant"
    if sender == "disproven":
        return "unverified"
    return known_as or "unverified"


def is_agents_own(threaded_by: ThreadedBy, sender: Proof) -> bool:
    """Whether a mail from an agent's address is the agent's: with a token of ours, and proof that it is from there."""
    return threaded_by == "reference" and sender == "proven"
