"""Sends mails about sign-ins, one by one, beside the queue of tickets' mails.

A repeat after a crash has the same Message-ID.
"""

import asyncio
import logging
import re
from typing import Never

from prometheus_client import Counter

from services.notify.account_mails import rows
from services.notify.account_mails.rows import Claimed
from services.notify.sending.transports.transport import PermanentFailure, TemporaryFailure, Transport
from services.notify.writing.dkim import Signer
from services.notify.writing.message import EncodedMail, Unsendable, encode
from shared.database import Pool
from shared.runtime.failpoints import hit
from shared.runtime.heartbeat import Heartbeat
from shared.runtime.supervision import supervise

log = logging.getLogger(__name__)

SENT = Counter("ledgerdesk_notify_account_mails_total", "Attempts to send a mail about a sign-in", ["kind", "outcome"])
POLL_SECONDS = 1.0
SEND_SECONDS = 300.0
RETRY_SECONDS = (2, 5, 10, 30, 60, 120, 300)
"""After each attempt that failed for now; the last one again and again, until the mail expires."""
PURGE_EVERY = 3_600
_ADDRESS = re.compile(r"\S+@\S+")


class AccountMailSender:
    """Several may run side by side."""

    def __init__(self, pool: Pool, transport: Transport, signer: Signer | None = None) -> None:
        self.pool, self.transport, self.signer = pool, transport, signer
        self.heartbeat = Heartbeat()

    async def run(self) -> Never:
        """Runs until it is cancelled."""
        await supervise("mails about sign-ins", self._serve, self.heartbeat)

    async def _serve(self) -> None:
        passes = 0
        try:
            while True:
                while await self.send_one():
                    self.heartbeat.beat()
                self.heartbeat.beat()
                if passes % PURGE_EVERY == 0:
                    await rows.purge(self.pool)
                passes += 1
                await self.transport.close_idle()
                await asyncio.sleep(POLL_SECONDS)
        finally:
            await self.transport.close()

    async def send_one(self) -> bool:
        """Tries the mail that is due first. False if there is none."""
        claimed = await rows.claim(self.pool)
        if claimed is None:
            return False
        if claimed.expired:
            await rows.finish(self.pool, claimed, "expired")
            self._count(claimed, "expired")
            return True
        try:
            async with asyncio.timeout(SEND_SECONDS):
                result = await self.transport.send(self._encoded(claimed), again=claimed.attempts > 1)
        except (TemporaryFailure, TimeoutError) as error:
            await self._postpone(claimed, str(error) or type(error).__name__)
            return True
        except (Unsendable, PermanentFailure) as error:
            await self._fail(claimed, str(error))
            return True
        hit("account_mails.after_send")
        if result.deferred:
            await self._postpone(claimed, "; ".join(result.deferred.values()))
        elif result.refused:
            await self._fail(claimed, "; ".join(result.refused.values()))
        else:
            await rows.finish(self.pool, claimed, "sent")
            self._count(claimed, "sent")
        return True

    def _encoded(self, claimed: Claimed) -> EncodedMail:
        """Raises Unsendable."""
        encoded = encode(claimed.id, claimed.mail, claimed.created_at)
        if self.signer is None:
            return encoded
        signed = self.signer.signed(encoded.content, claimed.created_at)
        return EncodedMail(encoded.notification, encoded.sender, encoded.recipients, signed, encoded.international)

    async def _postpone(self, claimed: Claimed, error: str) -> None:
        delay = RETRY_SECONDS[min(claimed.attempts, len(RETRY_SECONDS)) - 1]
        log.warning(
            "a mail about a sign-in waits %d s for another attempt: %s", delay, _ADDRESS.sub("<address>", error)
        )
        await rows.postpone(self.pool, claimed, delay, error)
        self._count(claimed, "postponed")

    async def _fail(self, claimed: Claimed, error: str) -> None:
        log.warning("a mail about a sign-in cannot be sent: %s", _ADDRESS.sub("<address>", error))
        await rows.finish(self.pool, claimed, "failed", error)
        self._count(claimed, "failed")

    def _count(self, claimed: Claimed, outcome: str) -> None:
        SENT.labels(claimed.kind, outcome).inc()
