"""One attempt to send a claimed mail, and what came of it."""

import asyncio
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from prometheus_client import Counter

from services.notify.sending.backoff import (
    LATE_AFTER,
    MOST_ATTEMPTS,
    RETRY_DELAYS,
    ServerBackoff,
    retry_delay,
    unreached_delay,
)
from services.notify.sending.claims import Claimed
from services.notify.sending.deliveries import Postponed
from services.notify.sending.domain_queues import DomainQueues
from services.notify.sending.outcomes import Finished, Outcome
from services.notify.sending.transports.transport import (
    PermanentFailure,
    SendResult,
    ServerUnavailable,
    TemporaryFailure,
    Transport,
)
from services.notify.sending.withholding import withhold
from services.notify.ticket.commands import RecordFailed, RecordSent
from services.notify.writing.mail_encoder import MailEncoder
from services.notify.writing.message import Unsendable
from shared.addresses import comparable
from shared.blobs.store import BlobMissing, BlobStoreUnavailable
from shared.database import Pool
from shared.eventstore.store import utc_now
from shared.runtime.failpoints import hit

log = logging.getLogger(__name__)

SEND_SECONDS = 300.0
OUTCOMES = Counter(
    "ledgerdesk_notify_attempts_total", "Attempts to send a mail, by what came of them", ["transport", "outcome"]
)
_ADDRESS = re.compile(r"\S+@\S+")
"""Logs hold no addresses. Events and rows do."""


class Attempts:
    """Sends mails one by one.

    A server that throttles a domain, or takes no mail, starts a backoff; `changed` is called then.
    """

    def __init__(
        self,
        pool: Pool,
        transport: Transport,
        encoder: MailEncoder,
        queues: DomainQueues[Claimed],
        server: ServerBackoff,
        changed: Callable[[], None],
    ) -> None:
        self.pool, self.transport, self.encoder = pool, transport, encoder
        self.queues, self.server, self.changed = queues, server, changed

    async def attempt(self, claimed: Claimed) -> Outcome:
        """No transaction is open meanwhile. Raises nothing: an unknown error postpones the mail."""
        if claimed.counted > MOST_ATTEMPTS:
            return self._failed(claimed, f"given up after {claimed.attempts} attempts")
        try:
            claimed, withheld = await withhold(self.pool, claimed)
            if withheld is not None and not withheld.partly:
                self._count("withheld")
                return Finished(claimed, (withheld,), utc_now())
            mail = await self.encoder.encode(claimed.request, claimed.event.time, claimed.remaining)
            async with asyncio.timeout(SEND_SECONDS):
                result = await self.transport.send(mail, again=claimed.attempts > 1)
            hit("notify.after_send")
        except ServerUnavailable as error:
            return self._unreached(claimed, str(error), self._server_failed(str(error)))
        except BlobStoreUnavailable as error:
            return self._unreached(claimed, str(error), unreached_delay(claimed.unreached))
        except Unsendable as error:
            return self._failed(claimed, str(error))
        except PermanentFailure as error:
            self._server_answered()
            return self._failed(claimed, str(error))
        except TemporaryFailure as error:
            self._server_answered()
            if error.throttled:
                self._throttle(_domain(error.recipient) if error.recipient else claimed.domain)
            return self._postponed(claimed, str(error))
        except BlobMissing:
            missing = "the mail" if claimed.request.mail.resent else "an attachment"
            return self._postponed(claimed, f"{missing} is not in the blob store")
        except TimeoutError:
            return self._postponed(claimed, f"the attempt did not end within {SEND_SECONDS:.0f} s")
        except Exception as error:  # a bug of ours: the mail waits until it is fixed
            log.exception("a mail could not be tried")
            return self._postponed(claimed, type(error).__name__)
        self._server_answered()
        for recipient in result.throttled:
            self._throttle(_domain(recipient))
        if not result.deferred and not result.refused:
            self.queues.end_backoff(claimed.domain)
        outcome = self._outcome(claimed, result)
        if withheld is not None and isinstance(outcome, Finished):
            return replace(outcome, commands=(*outcome.commands, withheld))
        return outcome

    def _outcome(self, claimed: Claimed, result: SendResult) -> Outcome:
        """Sent if servers took it for everybody.

        Refusals for good are recorded as a failure once all others have the mail.
        """
        refused = _joined(claimed.refused, result.refused)
        if result.deferred:
            if claimed.counted <= len(RETRY_DELAYS):
                return self._postponed(claimed, _joined("", result.deferred), tuple(result.deferred), refused)
            refused = _joined(refused, result.deferred)
        if refused:
            return self._failed(claimed, refused)
        self._count("sent")
        sent = RecordSent(claimed.request.notification, self.transport.name, claimed.attempts)
        return Finished(claimed, (sent,), utc_now())

    def _postponed(
        self, claimed: Claimed, error: str, remaining: tuple[str, ...] | None = None, refused: str | None = None
    ) -> Outcome:
        if claimed.counted > len(RETRY_DELAYS):
            return self._failed(claimed, error)
        self._count("postponed")
        log.warning("a mail waits for attempt %d: %s", claimed.attempts + 1, _ADDRESS.sub("<address>", error))
        return Postponed(
            claimed,
            retry_delay(claimed.counted),
            error,
            claimed.remaining if remaining is None else remaining,
            claimed.refused if refused is None else refused,
            utc_now(),
            late=claimed.counted >= LATE_AFTER,
        )

    def _unreached(self, claimed: Claimed, error: str, delay: float) -> Outcome:
        """The reason does not lie in the mail: the attempt does not count against it, and the mail waits for as long
        as it takes."""
        self._count("unreached")
        return Postponed(claimed, delay, error, claimed.remaining, claimed.refused, utc_now(), unreached=True)

    def _failed(self, claimed: Claimed, reason: str) -> Outcome:
        self._count("failed")
        failed = RecordFailed(claimed.request.notification, self.transport.name, claimed.attempts, reason)
        return Finished(claimed, (failed,), utc_now())

    def _count(self, outcome: str) -> None:
        OUTCOMES.labels(self.transport.name, outcome).inc()

    def _server_failed(self, error: str) -> float:
        """Returns the seconds until the next mail is tried."""
        if self.server.failed(error):
            log.warning("the mail server is unavailable: %s", _ADDRESS.sub("<address>", error))
            self.changed()
        return self.server.left()

    def _server_answered(self) -> None:
        if self.server.succeeded():
            self.changed()

    def _throttle(self, domain: str) -> None:
        log.warning("mail to %s waits for %.0f s: a server throttles it", domain, self.queues.throttle(domain))
        self.changed()


def _domain(address: str) -> str:
    return comparable(address).rpartition("@")[2]


def _joined(before: str, replies: Mapping[str, str]) -> str:
    """What servers said about recipients, one after the other."""
    return "; ".join([*([before] if before else []), *(f"{who}: {reply}" for who, reply in replies.items())])
