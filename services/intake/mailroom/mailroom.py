"""Takes in mails. When `take` returns, the mail is stored and recorded."""

import asyncio
import hashlib
import logging
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from uuid import UUID, uuid5

from prometheus_client import Counter
from uuid_utils.compat import uuid7

from services.intake.mail.errors import raised_at
from services.intake.mail.reading_pool import Readers
from services.intake.mail.verdict import Verdict
from services.intake.mail.verification.verifier import Verifier
from services.intake.mailroom.articles import Articles
from services.intake.mailroom.contention import Contended, recorded
from services.intake.mailroom.envelope import Envelope
from services.intake.mailroom.handling import Handling
from services.intake.mailroom.hidden_copies import HiddenCopies
from services.intake.mailroom.incoming_mail import IncomingMail, is_sent_again
from services.intake.mailroom.inspection import Inspection
from services.intake.mailroom.our_addresses import OurAddresses
from services.intake.records.mail_matches import MailMatch
from services.intake.records.mails import Mail
from services.intake.records.numbers import Numbers
from services.intake.records.receipts import Receipts
from services.intake.records.recording import Rows
from services.intake.records.records import Records
from services.intake.uploads.virus_scan import VirusScan
from shared.blobs.store import BlobStore
from shared.database import TRANSIENT
from shared.directory.copy import DirectoryCopy
from shared.eventstore.errors import CommandReused, CommandRunning, Raced
from shared.eventstore.store import CommandId
from shared.runtime.failpoints import FailpointRaised
from shared.telemetry.trace import about_ticket
from shared.telemetry.tracing import span

log = logging.getLogger(__name__)

TAKEN = Counter(
    "ledgerdesk_mails", "Mails taken, by what became of them; the same mail again is not counted", ["outcome"]
)

_PROCESSING = UUID("2d0f9c5e-6a41-4d55-8c0c-9a4f7a1f3f10")
"""The namespace of the command ids with which mails are handled again."""


@dataclass(frozen=True, slots=True)
class MailRules:
    """An installation's settings for mails. `mail_key` signs the desk's Message-IDs; Authentication-Results count if
    one of `trusted_servers` wrote them; a sender may open `tickets_a_day`, 0: no limit."""

    mail_key: bytes
    trusted_servers: frozenset[str] = frozenset()
    tickets_a_day: int = 0


@dataclass
class Mailroom:
    records: Records
    blobs: BlobStore
    numbers: Numbers
    directory: DirectoryCopy
    readers: Readers
    rules: MailRules
    receipts: Receipts = field(default_factory=lambda: Receipts(0, 0))
    verifier: Verifier | None = None
    virus_scan: VirusScan | None = None

    def __post_init__(self) -> None:
        addresses = OurAddresses(self.rules.mail_key, self.directory)
        articles = Articles(self.records, self.blobs, self.directory, addresses)
        self._inspection = Inspection(self.rules.trusted_servers, self.verifier, self.virus_scan)
        self._handling = Handling(
            self.records, self.numbers, self.directory, self.receipts, addresses, articles, self.rules.tickets_a_day
        )
        self._hidden_copies = HiddenCopies(self.records, self._inspection, self._handling)
        self._turn_after_lost_race = asyncio.Lock()
        """Mails of this process that lost a race take turns, so that a flood of mails on one ticket gets through."""

    async def take(self, raw: bytes, envelope: Envelope, command: CommandId | None = None) -> Mail:
        """Stores a mail and decides what becomes of it; the same mail again gets the first result. `command` is
        remembered with the mail's id as its response.

        Raises one of `shared.database.TRANSIENT` if database, blob store or queues are missing: then nothing is
        acknowledged. Any other failure is a fault of this program: the mail is kept as `held`.
        """
        with span("take mail", size=len(raw)):
            digest, reading = await self.readers.read(raw)
            match = await self._handling.match(reading, envelope, digest)
            if match.mail_id is not None:
                first = await self._handling.recorded(match.mail_id)
                await self._hidden_copies.open_missing(first, raw, envelope, reading)
                if is_sent_again(first, raw, envelope):
                    return await self._remember(first.id, command)
                return await recorded(partial(self._keep_copy, first, raw, envelope, command))
            stored = await self.blobs.put(raw, "message/rfc822")
            authentication, scans = await self._inspection.inspect(raw, reading, envelope)
            now = datetime.now(UTC)
            incoming = IncomingMail(
                raw, digest, envelope, reading, stored.sha256, uuid7(), now, True, command, authentication, scans
            )
            mail = await self._handle(incoming, match)
            TAKEN.labels(mail.outcome).inc()
            with about_ticket(mail.ticket_id) if mail.ticket_id else nullcontext():
                log.info("mail %s of %d bytes: %s", mail.id, mail.size, mail.outcome)
            return mail

    async def process(self, mail_id: UUID) -> Mail | None:
        """Handles a mail again that led to no ticket; one that did is returned as it is. None for an unknown mail."""
        mail = await self.records.mails.get(mail_id)
        if mail is None or mail.ticket_id is not None:
            return mail
        if "same_as" in mail.found:
            return await self.process(UUID(mail.found["same_as"]))
        raw = await self.blobs.get(mail.blob)
        _, reading = await self.readers.read(raw)
        envelope = Envelope(
            mail.envelope_from,
            mail.envelope_to,
            trusted=mail.found.get("trusted", False),
            client=mail.found.get("client", ""),
            helo=mail.found.get("helo", ""),
        )
        # Two people who press the button at once use the same command id, so that only one ticket is opened.
        command = CommandId(uuid5(_PROCESSING, str(mail.id)))
        authentication, scans = await self._inspection.inspect(raw, reading, envelope)
        incoming = IncomingMail(
            raw, mail.digest, envelope, reading, mail.blob, mail.id, mail.received_at, False, command, authentication,
            scans,
        )  # fmt: skip
        return await self._handle(incoming, await self._handling.match(reading, envelope, None))

    async def _handle(self, incoming: IncomingMail, match: MailMatch) -> Mail:
        try:
            try:
                return await self._handling.handle(incoming, match)
            except Raced:
                async with self._turn_after_lost_race:
                    return await recorded(partial(self._match_and_handle, incoming))
        except (*TRANSIENT, CommandRunning, CommandReused, FailpointRaised):
            raise
        except Exception as error:
            log.error("mail %s is held: %s in %s", incoming.mail_id, type(error).__name__, raised_at(error))
            return await self._hold(incoming, f"{type(error).__name__}: {error}"[:500])

    async def _hold(self, incoming: IncomingMail, reason: str) -> Mail:
        try:
            return await self._handling.record_without_event(incoming, Verdict("held", reason))
        except Raced as error:
            raise Contended("the same mail was taken twice at the same time") from error

    async def _match_and_handle(self, incoming: IncomingMail) -> Mail:
        digest = incoming.digest if incoming.is_new else None
        match = await self._handling.match(incoming.reading, incoming.envelope, digest)
        if match.mail_id is not None:
            return await self._remember(match.mail_id, incoming.command)
        return await self._handling.handle(incoming, match)

    async def _remember(self, mail_id: UUID, command: CommandId | None) -> Mail:
        """A mail that was taken before; the command is remembered with it."""
        if command is not None:
            await self.records.record([], Rows(), command=command, response={"mail": str(mail_id)})
        return await self._handling.recorded(mail_id)

    async def _keep_copy(self, first: Mail, raw: bytes, envelope: Envelope, command: CommandId | None) -> Mail:
        """Keeps the bytes of a mail that has come before another way; the result is that of the first mail."""
        digest = hashlib.sha256(first.digest + hashlib.sha256(raw).digest()).digest()
        match = await self.records.matches.find(
            digest=digest, email="", name="", tickets=[], message_ids=[], numbers=[]
        )
        if match.mail_id is not None:
            return await self._remember(match.mail_id, command)
        stored = await self.blobs.put(raw, "message/rfc822")
        copy = replace(
            first,
            id=uuid7(),
            digest=digest,
            received_at=datetime.now(UTC),
            envelope_from=envelope.sender,
            envelope_to=envelope.recipients,
            blob=stored.sha256,
            size=len(raw),
            reason=f"the same mail as {first.id}, by another way",
            found=first.found | {"same_as": str(first.id)},
        )
        await self.records.record([], Rows(mails=[copy]), command=command, response={"mail": str(copy.id)})
        return copy
