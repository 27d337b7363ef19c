"""Reads mails in separate processes: a mail that takes too long or crashes its process does not affect the others."""

from services.intake.mail.digest import digest
from services.intake.mail.reading import Reading, unreadable
from services.intake.mail.reading_worker import MAIL, decoded
from shared.bounded.processes import MOST_SECONDS, MOST_WAIT, Ended, Processes

_WHY = {
    "slow": "reading it took too long",
    "stuck": "reading it did not finish",
    "died": "the process that read it crashed",
}


class Readers(Processes):
    """Processes that read mails, and rich text that comes over the API."""

    def __init__(self, size: int = 0, *, most_seconds: float = MOST_SECONDS, most_wait: float = MOST_WAIT) -> None:
        super().__init__("services.intake.mail.reading_worker", size, most_seconds=most_seconds, most_wait=most_wait)

    async def read(self, raw: bytes) -> tuple[bytes, Reading]:
        """A mail's digest and what it says. If reading fails, the reading has the mail as its only file.

        Raises OSError if no process can be started.
        """
        try:
            return decoded(await self.ask(MAIL, raw))
        except Ended as ended:
            return digest(raw), unreadable(raw, _WHY[ended.reason])
