"""Encodes a requested mail with its files from the blob store, and signs it."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from services.notify.writing.dkim import Signer
from services.notify.writing.message import MOST_BYTES, EncodedMail, Unsendable, base64_lines, encode, size_of_files
from shared.blobs.store import BlobStore, BlobStoreUnavailable
from shared.contracts.notify import NotificationRequested
from shared.contracts.parts import Attachment


class MailEncoder:
    def __init__(self, blobs: BlobStore | None, signer: Signer | None) -> None:
        self._blob_store, self.signer = blobs, signer

    async def encode(
        self, request: NotificationRequested, date: datetime, remaining: Sequence[str] | None
    ) -> EncodedMail:
        """The mail to the `remaining` recipients (None: all).

        Raises Unsendable, BlobMissing and BlobStoreUnavailable.
        """
        mail = request.mail
        if mail.resent is not None:
            # Somebody else's mail keeps the signature that it came with; ours would vouch for its text.
            original = await self._blobs().get(mail.resent.sha256)
            return encode(request.notification, mail, date, (), remaining, original)
        if not mail.attachments:
            return self._signed(request, date, (), remaining)
        size = size_of_files(mail)
        if size > MOST_BYTES:
            raise Unsendable(
                f"its attachments have {size / 2**20:.1f} MiB together; a mail may have {MOST_BYTES / 2**20:.0f} MiB"
            )
        files = [(attachment, await self._content(attachment)) for attachment in mail.attachments]
        return await asyncio.to_thread(self._signed, request, date, files, remaining)

    def _signed(
        self,
        request: NotificationRequested,
        date: datetime,
        files: Sequence[tuple[Attachment, bytes]],
        remaining: Sequence[str] | None,
    ) -> EncodedMail:
        encoded = encode(request.notification, request.mail, date, files, remaining)
        return encoded if self.signer is None else replace(encoded, content=self.signer.signed(encoded.content, date))

    def _blobs(self) -> BlobStore:
        if self._blob_store is None:
            raise BlobStoreUnavailable("no blob store is configured (LEDGERDESK_BLOB_URL)")
        return self._blob_store

    async def _content(self, attachment: Attachment) -> bytes:
        return await base64_lines(await self._blobs().stream(attachment.blob.sha256))
