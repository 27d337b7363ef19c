"""What is checked about every mail before it is decided on: its sender, and its files."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from services.intake.mail.reading import Reading
from services.intake.mail.verification.authentication_results import Authentication, authenticated
from services.intake.mail.verification.sender_check import SenderEvidence
from services.intake.mail.verification.verifier import Verifier
from services.intake.mailroom.envelope import Envelope
from services.intake.uploads.virus_scan import NOT_SCANNED, Scan, VirusScan


@dataclass(frozen=True, slots=True)
class Inspection:
    """`trusted_servers`: whose Authentication-Results count."""

    trusted_servers: frozenset[str]
    verifier: Verifier | None
    virus_scan: VirusScan | None

    async def inspect(self, raw: bytes, reading: Reading, envelope: Envelope) -> tuple[Authentication, Sequence[Scan]]:
        return await asyncio.gather(self._authenticate(raw, reading, envelope), self._scan(reading))

    async def _authenticate(self, raw: bytes, reading: Reading, envelope: Envelope) -> Authentication:
        """What trusted servers found out about the sender. If there is no such result, the sender is verified here, if
        that is configured."""
        found = authenticated(reading.authentication, self.trusted_servers, reading.senders)
        if found.results or found.sender == "ambiguous" or self.verifier is None:
            return found
        evidence = SenderEvidence(reading.senders, envelope.sender, envelope.client, envelope.helo)
        return await self.verifier.verify(raw, evidence)

    async def _scan(self, reading: Reading) -> Sequence[Scan]:
        if self.virus_scan is None or not reading.files:
            return [NOT_SCANNED] * len(reading.files)
        return await self.virus_scan.scan([file.content for file in reading.files])
