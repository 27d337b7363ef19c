"""What becomes of a mail: pure rules over what was read and the ticket that it names.

Nothing that a person may have written is ever put aside: in doubt a mail is a letter, only without a receipt.
"""

from dataclasses import dataclass
from typing import Literal, assert_never

from services.intake.mail.reading import Reading
from services.intake.mail.verification.authentication_results import SenderProof

Outcome = Literal["created", "appended", "bounce_recorded", "auto_reply_recorded", "ignored", "held"]

NULL_SENDER = "sent from the null address"
_MASS = frozenset(("bulk", "junk", "list"))


@dataclass(frozen=True, slots=True)
class Verdict:
    """`automatic`: no machine of ours answers it. `reason` is told to who looks at the list of mails."""

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

    `envelope_from` is empty for the null sender; `names_ticket`: it answers a ticket that exists; `is_ours`: its own Message-ID is
    one that we made, so that it has come back to us; `from_our_address`: its sender is the address of a queue; `opens_reports`: its queue
    wants machines' answers that belong to no ticket as tickets; `sender`: what is proven of its From;
    `infected`: a scanner found malware in it.
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
        reason = f"answers a ticket; nothing answers it by itself: {unanswered}" if unanswered else "answers a ticket"
        return Verdict("appended", reason, automatic=bool(unanswered))
    if unanswered:
        return Verdict("created", f"automatic, so that no receipt is sent: {unanswered}", automatic=True)
    if reading.spam is not None and reading.spam.is_spam:
        return Verdict("created", "a filter calls it spam, so that no receipt is sent", automatic=True)
    if infected:
        return Verdict("created", "a scanner calls what it carries malware, so that no receipt is sent", automatic=True)
    if sender == "disproven":
        return Verdict("created", "its sender is not who it says, so that no receipt is sent", automatic=True)
    if sender == "ambiguous":
        return Verdict("created", "it names several senders, so that no receipt is sent", automatic=True)
    if from_our_address:
        return Verdict("created", "from an address of ours, so that no receipt is sent", automatic=True)
    return Verdict("created", "a new question")


def _reported(reading: Reading, envelope_from: str) -> Verdict | None:
    """The verdict on a report of a machine (RFC 3464, RFC 5965, and the many that follow no standard).

    What only looks like a report may be a person's mail about one, unless it was sent from the null address; or an answer of absence.
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
                return Verdict("auto_reply_recorded", "a complaint about a mail of ours", automatic=True)
            case _:
                assert_never(report.kind)
    sender = reading.sender.email.partition("@")[0] if reading.sender else ""
    if not envelope_from and sender in ("mailer-daemon", "postmaster"):
        return Verdict("bounce_recorded", "a report of a mail server", automatic=True)
    return None


def _is_auto_reply(reading: Reading, envelope_from: str) -> bool:
    """Answers of absence and the like, and read receipts (RFC 3834, RFC 8098)."""
    absent = reading.tells_absence and not envelope_from
    return bool(reading.auto_reply) or absent or reading.report_type == "disposition-notification"


def _takes_no_automatic_answer(reading: Reading, envelope_from: str) -> str:
    """Why no machine of ours answers a mail, or empty.

    A list, a relay or a rule that forwards marks people's mails as it marks machines' (Precedence, List-*, Auto-Submitted: auto-generated).
    So the marks say what may be sent back (RFC 3834, section 2), and not who wrote the mail.
    """
    if not envelope_from:
        return NULL_SENDER
    if reading.auto_submitted and reading.auto_submitted != "no":
        return f"Auto-Submitted is {reading.auto_submitted}"
    if reading.precedence in _MASS:
        return f"Precedence is {reading.precedence}"
    return reading.no_answer
