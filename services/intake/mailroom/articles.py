"""Makes the article that a mail becomes."""

import asyncio
from dataclasses import dataclass

from uuid_utils.compat import uuid7

from services.intake.mail.structure.body import File
from services.intake.mailroom import reply_to
from services.intake.mailroom.incoming_mail import AssessedMail
from services.intake.mailroom.our_addresses import OurAddresses
from services.intake.records.records import Records
from services.intake.uploads.virus_scan import Scan
from shared.blobs import texts
from shared.blobs.store import BlobStore
from shared.contracts.parts import Address, Attachment, Blob, Message
from shared.directory.copy import DirectoryCopy

MOST_NEW_PARTICIPANTS = 20
"""People whom one mail makes participants."""


@dataclass(frozen=True, slots=True)
class Articles:
    records: Records
    blobs: BlobStore
    directory: DirectoryCopy
    addresses: OurAddresses

    async def article(self, assessed: AssessedMail) -> Message:
        """The article. Its files and its long text are stored first, because the event that names them must not come
        before them."""
        mail, customer = assessed.mail, assessed.match.customer
        reading = mail.reading
        text, text_blob = await texts.stored(self.blobs, reading.text)
        reply_addresses, doubt = await self._reply_to(assessed)
        scanned = zip(reading.files, mail.scans, strict=True)
        files = await asyncio.gather(*(self._attachment(file, scan) for file, scan in scanned))
        return Message(
            id=uuid7(),
            channel="email",
            sender=Address(email=customer.email, name=(reading.sender.name if reading.sender else "") or customer.name),
            to=reading.to,
            cc=reading.cc,
            subject=reading.subject,
            text=text,
            new_text=None if reading.new_text in (None, reading.text) else texts.beginning(reading.new_text or ""),
            text_blob=text_blob,
            html=reading.html,
            attachments=tuple(files),
            message_id=reading.message_id,
            mail=mail.mail_id,
            raw=Blob(sha256=mail.blob, size=len(mail.raw), type="message/rfc822"),
            written_at=reading.written_at,
            reading_notes=(*mail.notes, *reply_to.note(reply_addresses, doubt)),
            reply_to=reply_addresses,
            reply_to_doubt=doubt,
        )

    async def new_participants(self, assessed: AssessedMail) -> list[str]:
        """The people to whom a proven sender also wrote: from now on they take part in the ticket (A1.20). Queues are
        left out, and so are the desk's own people, who take part as agents or not at all."""
        mail = assessed.mail
        is_participant = mail.authentication.sender == "proven" and assessed.standing == "participant"
        if not is_participant or assessed.verdict.automatic:
            return []
        others = dict.fromkeys(each.email for each in (*mail.reading.to, *mail.reading.cc))
        sender = assessed.match.customer.email
        outside = [each for each in others if each != sender and not self.addresses.is_of_a_queue(each)]
        outside = outside[:MOST_NEW_PARTICIPANTS]
        return sorted(set(outside) - await self.directory.agents_among(outside)) if outside else []

    async def _reply_to(self, assessed: AssessedMail) -> tuple[tuple[Address, ...], reply_to.Doubt]:
        """Where the mail wants replies, if not at its sender's address, and why they do not go there without an agent's
        confirmation."""
        reading, sender = assessed.mail.reading, assessed.match.customer.email
        asked = reply_to.asked_for(reading.reply_to, sender)
        if not asked:
            return (), ""
        if assessed.standing != "participant":
            return asked, "stranger"
        emails = [each.email for each in asked]
        third_persons = {each.email for each in (*reading.to, *reading.cc)} & set(emails)
        if assessed.match.ticket_id is not None:
            third_persons |= await self.records.tickets.participants_among(assessed.match.ticket_id, emails)
        ours = {each for each in emails if self.addresses.is_of_a_queue(each)}
        doubt = reply_to.doubt(
            asked,
            sender=sender,
            proven=assessed.mail.authentication.sender == "proven",
            ours=ours | await self.directory.agents_among(emails),
            third_persons=third_persons - {sender},
        )
        return asked, doubt

    async def _attachment(self, file: File, scan: Scan) -> Attachment:
        blob = await self.blobs.put(file.content, file.type)
        return Attachment(
            id=uuid7(), name=file.name, blob=blob, inline_id=file.inline_id, scan=scan.result, threat=scan.threat
        )
