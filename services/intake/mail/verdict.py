"""Decides what becomes of a mail. Pure rules over its reading and the ticket that it names.

A mail that a person may have written always becomes an article; in doubt it only gets no receipt.
"""

from dataclasses import dataclass
from typing import Literal, assert_never

from services.intake.mail.reading import Reading
from services.intake.mail.verification.authentication_results import SenderProof

Outcome = Literal["created", "appended", "bounce_recorded", "auto_reply_recorded", "ignored", "held"]

NULL_SENDER = "from the null sender"
_MASS = frozenset(("bulk", "junk", "list"))


@dataclass(frozen=True, slots=True)
class Verdict:
    """`automatic`: the desk sends no automatic reply to it. `reason` is shown in the list of mails."""

    outcome: Outcome
    reason: str
    automatic: bool = False


def judge(
    reading: Reading,
    *,
    envelope_from: str,
    names_ticket: bool,
    is_ours: bool,
    from_our_address: bool,
    opens_reports: bool = False,
    sender: SenderProof = "unknown",
    infected: bool = False,
) -> Verdict:
    """The verdict on a mail.

    - `envelope_from`: empty for the null sender.
    - `names_ticket`: it answers an existing ticket.
    - `is_ours`: the desk made its Message-ID, so it has come back.
    - `from_our_address`: its sender is the address of a queue.
    - `opens_reports`: its queue wants automatic mails that belong to no ticket as tickets.
    - `sender`: whether it is proven to come from the address in From.
    - `infected`: a scanner found malware in it.
    """
    if is_ours:
        return Verdict("ignored", "our own mail came back", automatic=True)
    recorded = _reported(reading, envelope_from)
    if recorded is None and _is_auto_reply(reading, envelope_from):
        recorded = Verdict("auto_reply_recorded", "an automatic reply", automatic=True)
    if recorded is not None:
        if opens_reports and not names_ticket:
            return Verdict("created", f"{recorded.reason}, which its queue wants", automatic=True)
        return recorded
    if names_ticket and not envelope_from:
        return Verdict("auto_reply_recorded", f"automatic: {NULL_SENDER}", automatic=True)
    unanswered = _takes_no_automatic_answer(reading, envelope_from)
    if names_ticket:
        reason = f"answers a ticket; no automatic reply is sent: {unanswered}" if unanswered else "answers a ticket"
        return Verdict("appended", reason, automatic=bool(unanswered))
    if unanswered:
        return Verdict("created", f"automatic, so no receipt is sent: {unanswered}", automatic=True)
    if reading.spam is not None and reading.spam.is_spam:
        return Verdict("created", "a filter marked it as spam, so no receipt is sent", automatic=True)
    if infected:
        return Verdict("created", "a scanner found malware in it, so no receipt is sent", automatic=True)
    if sender == "disproven":
        return Verdict("created", "its sender is forged, so no receipt is sent", automatic=True)
    if sender == "ambiguous":
        return Verdict("created", "it names several senders, so no receipt is sent", automatic=True)
    if from_our_address:
        return Verdict("created", "from an address of the desk, so no receipt is sent", automatic=True)
    return Verdict("created", "a new question")


def _reported(reading: Reading, envelope_from: str) -> Verdict | None:
    """The verdict on a report (RFC 3464, RFC 5965, and those that follow no standard).

    A mail that only looks like a report may be a person's mail about one, unless it comes from the null sender, or an
    absence notice.
    """
    report = reading.report
    if (
        report is not None
        and report.counts(envelope_from)
        and (report.certain or not _is_auto_reply(reading, envelope_from))
    ):
        match report.kind:
            case "failure":
                return Verdict("bounce_recorded", "a report that a mail could not be delivered", automatic=True)
            case "delay":
                return Verdict("bounce_recorded", "a report that a mail is delayed", automatic=True)
            case "delivered":
                return Verdict("auto_reply_recorded", "a report that a mail was delivered", automatic=True)
            case "complaint":
                return Verdict("auto_reply_recorded", "a complaint about a mail of the desk", automatic=True)
            case _:
                assert_never(report.kind)
    sender = reading.sender.email.partition("@")[0] if reading.sender else ""
    if not envelope_from and sender in ("mailer-daemon", "postmaster"):
        return Verdict("bounce_recorded", "a report of a mail server", automatic=True)
    return None


def _is_auto_reply(reading: Reading, envelope_from: str) -> bool:
    """Absence notices and the like, and read receipts (RFC 3834, RFC 8098)."""
    absent = reading.tells_absence and not envelope_from
    return bool(reading.auto_reply) or absent or reading.report_type == "disposition-notification"


def _takes_no_automatic_answer(reading: Reading, envelope_from: str) -> str:
    """Why no automatic reply is sent to a mail; empty if one may be sent.

    Lists, relays and forwarding rules mark people's mails like automatic ones (Precedence, List-*, Auto-Submitted:
    auto-generated). So these marks tell what may be sent back (RFC 3834, section 2), not who wrote the mail.
    """
    if not envelope_from:
        return NULL_SENDER
    if reading.auto_submitted and reading.auto_submitted != "no":
        return f"Auto-Submitted is {reading.auto_submitted}"
    if reading.precedence in _MASS:
        return f"Precedence is {reading.precedence}"
    return reading.no_answer
