"""Mails are read in processes of their own: one that takes too long, or kills its reader, does no harm to the others."""

from services.intake.mail.digest import digest
from services.intake.mail.reading import Reading, unreadable
from services.intake.mail.reading_worker import MAIL, taken_back
from shared.bounded.processes import MOST_SECONDS, MOST_WAIT, Ended, Processes

_WHY = {
    "slow": "its reading took more than the time that a mail may take",
    "stuck": "its reading did not come to an end",
    "died": "its reader did not survive it",
}


class Readers(Processes):
    """Processes that read mails, and the rich text that intake is given over its API."""

    def __init__(self, size: int = 0, *, most_seconds: float = MOST_SECONDS, most_wait: float = MOST_WAIT) -> None:
        super().__init__("services.intake.mail.reading_worker", size, most_seconds=most_seconds, most_wait=most_wait)

    async def read(self, raw: bytes) -> tuple[bytes, Reading]:
        """A mail's digest and what it says. A mail that its reader does not survive is the one file of its reading.

        Raises OSError when no reader can be started.
        """
        try:
            return taken_back(await self.ask(MAIL, raw))
        except Ended as ended:
            return digest(raw), unreadable(raw, _WHY[ended.reason])
