"""A mail on its way in: what it says, what is proven of its sender, and what was decided about it."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from services.intake.mail.reading import Reading
from services.intake.mail.verdict import Verdict
from services.intake.mail.verdicts.reports import Report
from services.intake.mail.verification.authentication_results import Authentication
from services.intake.mailroom.envelope import Envelope
from services.intake.records.mail_matches import MailMatch
from services.intake.records.mails import Mail
from services.intake.uploads.virus_scan import Scan
from shared.addresses import received
from shared.contracts.directory import Person
from shared.contracts.parts import Address, Standing
from shared.eventstore.store import CommandId


@dataclass(frozen=True, slots=True)
class IncomingMail:
    """`scans` are the results for the files of the reading, in their order. `is_new`: the mail has no row yet.
    `command` is remembered with what is recorded."""

    raw: bytes
    digest: bytes
    envelope: Envelope
    reading: Reading
    blob: str
    mail_id: UUID
    received_at: datetime
    is_new: bool
    command: CommandId | None
    authentication: Authentication
    scans: Sequence[Scan]

    @property
    def report(self) -> Report | None:
        return report_in(self.reading, self.envelope)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the article should know about the mail."""
        return (*self.reading.wrong, *self._ignored_instructions(), *self._infected_files())

    def _ignored_instructions(self) -> list[str]:
        if self.envelope.trusted or not self.reading.control:
            return []
        names = ", ".join(name for name, _ in self.reading.control)
        return [
            f"it has instructions for ticket systems, which do not count because its channel is not trusted: {names}"
        ]

    def _infected_files(self) -> list[str]:
        scanned = zip(self.reading.files, self.scans, strict=True)
        return [f"{file.name} is infected: {scan.threat}" for file, scan in scanned if scan.result == "infected"]

    def row(self, verdict: Verdict, ticket_id: UUID | None, number: str | None) -> Mail:
        """The mail as it is recorded, with what became of it."""
        reading, report, envelope = self.reading, self.report, self.envelope
        return Mail(
            id=self.mail_id,
            digest=self.digest,
            received_at=self.received_at,
            envelope_from=envelope.sender,
            envelope_to=envelope.recipients,
            blob=self.blob,
            size=len(self.raw),
            outcome=verdict.outcome,
            reason=verdict.reason,
            ticket_id=ticket_id,
            number=number,
            found={
                "from": reading.sender.email if reading.sender else None,
                "subject": reading.subject,
                "message_id": reading.message_id,
                "bounces": [asdict(failure) for failure in report.failures] if report is not None else [],
                "authentication": list(self.authentication.results),
                "wrong": list(self.notes),
            }
            | ({"trusted": True} if envelope.trusted else {})
            | ({"client": envelope.client, "helo": envelope.helo} if envelope.client else {})
            | ({"spam": asdict(reading.spam)} if reading.spam is not None else {}),
        )


@dataclass(frozen=True, slots=True)
class AssessedMail:
    """A mail with everything that was found out about it. `agent`: the agent who wrote it, to a ticket of somebody
    else's."""

    mail: IncomingMail
    match: MailMatch
    verdict: Verdict
    standing: Standing
    agent: Person | None = None


def report_in(reading: Reading, envelope: Envelope) -> Report | None:
    """The report that a mail is; None for a mail that only reads like one."""
    return reading.report if reading.report is not None and reading.report.counts(envelope.sender) else None


def referenced_ids(reading: Reading, envelope: Envelope) -> list[str]:
    """The Message-IDs that a mail refers to, the nearest first."""
    report = report_in(reading, envelope)
    about = report.original_ids if report is not None else ()
    return [*about, *reading.in_reply_to, *reversed(reading.references)]


def sender_of(reading: Reading, envelope: Envelope) -> Address:
    """The sender in the mail's header, else the envelope's; an empty address if neither names one."""
    if reading.sender is not None:
        return reading.sender
    return Address(email=received(envelope.sender) or "")


def is_sent_again(first: Mail, raw: bytes, envelope: Envelope) -> bool:
    """Whether a mail with a known digest was sent again, by the same sender or byte for byte. Otherwise the same words
    came another way."""
    return first.envelope_from == envelope.sender or first.blob == hashlib.sha256(raw).hexdigest()
