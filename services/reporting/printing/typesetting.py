"""Sets a printed ticket as PDF, in a process with limits: `python -m services.reporting.printing.typesetting`.

The task gets the page's data as JSON and returns the PDF. The data reaches the template as data, so that nothing in it
is code, a path or a package. Besides, the process can open no file and no connection once it has started: the kernel
allows it no more open files than it has.
"""

import resource
import tempfile
from collections.abc import Sequence
from pathlib import Path

import orjson
import typst

from shared.bounded.serving import serve

TASK = "pdf"
TEMPLATE = Path(__file__).with_name("page.typ").read_bytes()


class Typesetter:
    """The compiler with the fonts inside the library, so that every machine makes the same bytes.

    Its root folder is gone when the first page is set: there is no file that a template could read.
    """

    def __init__(self) -> None:
        with tempfile.TemporaryDirectory(prefix="ledgerdesk-print-") as root:
            self._compiler = typst.Compiler(
                root=root, font_paths=typst.Fonts(include_system_fonts=False), ignore_system_fonts=True
            )

    def pdf(self, content: bytes, template: bytes = TEMPLATE) -> Sequence[bytes]:
        """The task: the PDF of a page's data, a JSON object. `timestamp` in it is the time that the file carries."""
        made = self._compiler.compile(
            input=template,
            format="pdf",
            sys_inputs={"data": content.decode()},
            timestamp=orjson.loads(content).get("timestamp", 0),
        )
        assert isinstance(made, bytes)
        return [made]


def open_nothing_more() -> None:
    """Lets this process open no file and no connection, for its whole life: it has standard input, output and error."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))


if __name__ == "__main__":
    typesetter = Typesetter()
    open_nothing_more()
    serve({TASK: typesetter.pdf})
