"""Reads rich text of requests in a separate process: `python -m shared.bounded.rich_text`."""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.blobs import texts
from shared.bounded.processes import Ended, Processes
from shared.bounded.serving import serve
from shared.markup import richtext
from shared.rules.refusals import Unavailable, invalid

TASK = "rich text"


@dataclass(frozen=True, slots=True)
class RichText:
    """The text that a reader sees, and the safe HTML. `notes` say why HTML is not shown."""

    text: str
    html: str | None = None
    notes: tuple[str, ...] = ()

    def beside(self, plain: str | None) -> str:
        """The text of an article with this rich text and, if not None, a plain text of the writer's. The words of rich
        text that is not shown are added, because they are nowhere else."""
        if plain is None:
            return self.text
        return plain if not self.notes else f"{plain}\n\n{self.text}"

    def at_most(self, size: int) -> "RichText":
        """The same, without HTML that takes more than so many bytes in an event."""
        if self.html is None or texts.fits(self.html, size):
            return self
        return RichText(self.text, notes=(richtext.TOO_LARGE,))


async def read(processes: Processes, html: str | None) -> RichText:
    """Makes HTML safe; if it is too large, only its text is left. Raises Invalid if reading it takes too long, and
    Unavailable if nothing can be read now."""
    if not html:
        return RichText("")
    try:
        return taken_back(await processes.ask(TASK, html.encode()))
    except Ended as ended:
        if ended.reason == "slow":
            raise invalid("html", detail="This HTML takes too long to read.") from ended
        raise Unavailable("Rich text cannot be read now. Try again.") from ended


def answered(content: bytes) -> Sequence[bytes]:
    """The task: returns the text, and the safe HTML if there is any."""
    text, safe = richtext.read(content.decode())
    return [text.encode(), safe.encode()] if safe is not None else [text.encode()]


def taken_back(pieces: Sequence[bytes]) -> RichText:
    """The inverse of the task's encoding."""
    text, *safe = pieces
    if not safe:
        return RichText(text.decode(), notes=(richtext.TOO_LARGE,))
    return RichText(text.decode(), safe[0].decode())


if __name__ == "__main__":
    serve({TASK: answered})
