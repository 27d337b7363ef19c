"""The standing of a mail's writer on the ticket that the mail names."""

from typing import Literal

import pytest

from services.intake.mail.verification.authentication_results import SenderProof
from services.intake.mailroom.writer_standing import is_agents_own, writer_standing
from services.intake.ticket.commands import ThreadedBy

Known = Literal["participant", "outsider"] | None


@pytest.mark.parametrize(
    ("threaded_by", "known_as", "sender", "expected"),
    [
        # A token of the desk's: whoever has it got it from the desk, whatever address they write from.
        ("reference", None, "unknown", "participant"),
        ("reference", None, "disproven", "participant"),
        ("reference", "participant", "unknown", "participant"),
        ("reference", "outsider", "proven", "outsider"),
        # Others may see a number or a Message-ID, so the address must be known.
        ("subject", "participant", "unknown", "participant"),
        ("subject", "participant", "proven", "participant"),
        ("subject", "participant", "disproven", "unverified"),
        ("subject", None, "unknown", "unverified"),
        ("subject", None, "proven", "unverified"),
        ("subject", "outsider", "unknown", "outsider"),
        ("subject", "outsider", "disproven", "unverified"),
        ("message-id", "participant", "unknown", "participant"),
        ("message-id", None, "proven", "unverified"),
    ],
)
def test_the_standing_of_a_customer(
    threaded_by: ThreadedBy, known_as: Known, sender: SenderProof, expected: str
) -> None:
    assert writer_standing(threaded_by, known_as=known_as, sender=sender, is_agent=False) == expected


@pytest.mark.parametrize(
    ("known_as", "sender", "expected"),
    [
        ("participant", "unknown", "participant"),
        ("participant", "disproven", "unverified"),
        ("outsider", "proven", "outsider"),
        (None, "proven", "unverified"),
    ],
)
def test_the_tickets_own_address_does_not_prove_the_writer(
    known_as: Known, sender: Literal["proven", "disproven", "unknown"], expected: str
) -> None:
    assert writer_standing("reference", known_as=known_as, sender=sender, is_agent=False, by_address=True) == expected


@pytest.mark.parametrize("threaded_by", ["reference", "message-id", "subject"])
@pytest.mark.parametrize("sender", ["proven", "disproven", "unknown"])
def test_an_agents_name_is_worth_nothing_without_proof(threaded_by: ThreadedBy, sender: SenderProof) -> None:
    assert writer_standing(threaded_by, known_as=None, sender=sender, is_agent=True) == "unverified"
    assert is_agents_own(threaded_by, sender) is (threaded_by == "reference" and sender == "proven")


def test_an_agent_may_be_a_customer() -> None:
    assert writer_standing("subject", known_as="participant", sender="unknown", is_agent=True) == "participant"


@pytest.mark.parametrize("threaded_by", ["reference", "message-id", "subject"])
@pytest.mark.parametrize("known_as", ["participant", "outsider", None])
def test_a_mail_with_several_senders_is_unverified(threaded_by: ThreadedBy, known_as: Known) -> None:
    assert writer_standing(threaded_by, known_as=known_as, sender="ambiguous", is_agent=False) == "unverified"
    assert not is_agents_own(threaded_by, "ambiguous")
