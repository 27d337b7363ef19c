"""What a new ticket and a new message have in common: uploaded files, the sender's quota, texts that are stored."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from services.intake.opening.quotas import Quotas
from shared.blobs import texts
from shared.blobs.store import BlobStore
from shared.blobs.uploads import UploadMissing, Uploads
from shared.bounded import rich_text
from shared.bounded.processes import Processes
from shared.bounded.rich_text import RichText
from shared.contracts.envelope import Actor
from shared.contracts.parts import Attachment, Blob
from shared.rules.access import Identity
from shared.rules.refusals import invalid


def actor_of(who: Identity) -> Actor:
    return Actor("agent" if who.is_agent else "customer", str(who.person_id))


@dataclass(frozen=True, slots=True)
class Submissions:
    """`processes` read the rich text of messages."""

    blobs: BlobStore
    uploads: Uploads
    quotas: Quotas
    processes: Processes

    async def accept(
        self, who: Identity, kind: Literal["tickets", "messages"], attachments: Sequence[UUID], *words: str
    ) -> tuple[Attachment, ...]:
        """The files that a person has uploaded; takes the submission and its texts from their quota.

        Raises Invalid for a file that is not theirs, QuotaExceeded and TooLarge.
        """
        try:
            files = tuple(await self.uploads.take(attachments, who.person_id)) if attachments else ()
        except UploadMissing as missing:
            raise invalid(
                "attachments", missing.index, detail="You have not uploaded a file with this id."
            ) from missing
        await self.quotas.take(who, kind)
        await self.quotas.take(who, "bytes", sum(len(each.encode()) for each in words))
        return files

    async def stored(self, text: str) -> tuple[str, Blob | None]:
        """The text as an event holds it, and the blob of a long one."""
        return await texts.stored(self.blobs, text)

    async def rich_text(self, html: str | None) -> RichText:
        """Safe HTML that fits into an event. Raises Invalid and Unavailable."""
        return (await rich_text.read(self.processes, html)).at_most(texts.INLINE_BYTES)
