"""Rich text that people send over the API, read in a process beside the service: `python -m shared.bounded.rich_text` is that process."""

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
    """What a reader sees as text, and the safe HTML; `notes` tell what became of HTML that is not shown."""

    text: str
    html: str | None = None
    notes: tuple[str, ...] = ()

    def beside(self, plain: str | None) -> str:
        """The text of an article that has this and, if it is not None, a plain text of its writer's. Rich text that is not shown has its words
        there too, because they are nowhere else."""
        if plain is None:
            return self.text
        return plain if not self.notes else f"{plain}\n\n{self.text}"

    def at_most(self, size: int) -> "RichText":
        """The same without HTML that takes more than so many bytes of an event."""
        if self.html is None or texts.fits(self.html, size):
            return self
        return RichText(self.text, notes=(richtext.TOO_LARGE,))


async def read(processes: Processes, html: str | None) -> RichText:
    """Some HTML, made safe; only its text where it is too large for that. Raises Invalid if reading it takes too long, and Unavailable
    if nothing can be read now."""
    if not html:
        return RichText("")
    try:
        return taken_back(await processes.ask(TASK, html.encode()))
    except Ended as ended:
        if ended.reason == "slow":
            raise invalid("html", detail="takes too long to be read") from ended
        raise Unavailable("Rich text cannot be read now; try again.") from ended


def answered(content: bytes) -> Sequence[bytes]:
    """The task: the text, and the safe HTML if there is one."""
    text, safe = richtext.read(content.decode())
    return [text.encode(), safe.encode()] if safe is not None else [text.encode()]


def taken_back(pieces: Sequence[bytes]) -> RichText:
    """What the task answered."""
    text, *safe = pieces
    if not safe:
        return RichText(text.decode(), notes=(richtext.TOO_LARGE,))
    return RichText(text.decode(), safe[0].decode())


if __name__ == "__main__":
    serve({TASK: answered})
