"""Makes plain text from the words and tags of rich text, as a reader sees it.

Each word is written once, and the prefix of a line is bounded, so the text is linear in the size of the rich text.
"""

from dataclasses import dataclass, field

DEEPEST_QUOTE = 20
DEEPEST_LIST = 8
RULER = "_" * 32
_BETWEEN_CELLS = "  "


@dataclass(slots=True)
class Words:
    """The text so far. A line break is written only when the next word comes; a margin is a break with an empty
    line."""

    _lines: list[str] = field(default_factory=list)
    _line: list[str] = field(default_factory=list)
    _break: int = 0
    _gap: str = ""
    _bullet: str = ""
    _quotes: int = 0
    _quotes_of_line: int = 0
    _lists: list[int | None] = field(default_factory=list)
    _cell: int | None = None
    """The line in which the open cell begins."""
    _cell_is_new: bool = False

    def text(self, text: str) -> None:
        """Adds words; blanks and line breaks count as one blank."""
        words = text.split()
        if words:
            self._write(" ".join(words), spaced=text[0].isspace())
        if self._line and text and text[-1].isspace():
            self._gap = self._gap or " "

    def preformatted(self, text: str) -> None:
        """Adds preformatted text."""
        for number, line in enumerate(text.split("\n")):
            if number:
                self.line_break()
            if line.strip():
                self._write(line, spaced=False)

    def line_break(self) -> None:
        if self._break:
            self._apply_break()
        self._end_line()
        self._cell_is_new = False

    def block(self, *, margin: bool = False) -> None:
        """Starts a new line. The first block of a table's cell begins where the cell does."""
        if not self._cell_is_new:
            self._break = max(self._break, 2 if margin else 1)

    def ruler(self) -> None:
        self.block()
        self._write(RULER, spaced=False)
        self.block()

    def row(self) -> None:
        self.block()
        self._cell = None

    def cell(self) -> None:
        """Starts a cell. The cells of a row are on one line, unless one has several lines."""
        if self._line and not self._break:
            self._gap = _BETWEEN_CELLS
        self._cell, self._cell_is_new = None, True

    def end_cell(self) -> None:
        if self._cell == len(self._lines):
            self._break = 0
        elif self._cell is not None:
            self.block()
        self._cell, self._cell_is_new = None, False

    def quote(self) -> None:
        self.block(margin=True)
        self._quotes += 1

    def end_quote(self) -> None:
        self.block(margin=True)
        self._quotes = max(0, self._quotes - 1)

    def start_list(self, first: int | None = None) -> None:
        """Starts a list; with a first number it is numbered."""
        self.block()
        self._lists.append(first)

    def end_list(self) -> None:
        self.block()
        if self._lists:
            self._lists.pop()
        self._bullet = ""

    def item(self) -> None:
        self.block()
        number = self._lists[-1] if self._lists else None
        self._bullet = "* " if number is None else f"{number}. "
        if number is not None:
            self._lists[-1] = number + 1

    def __str__(self) -> str:
        if self._line:
            self._end_line()
        return "\n".join(self._lines).strip()

    def _write(self, words: str, *, spaced: bool) -> None:
        if self._break:
            self._apply_break()
        if self._cell_is_new:
            self._cell, self._cell_is_new = len(self._lines), False
        if not self._line:
            self._quotes_of_line = self._quotes
            indent = "  " * min(len(self._lists), DEEPEST_LIST)
            if indent or self._bullet:
                self._line.append(indent + self._bullet)
                self._bullet = ""
        elif self._gap or spaced:
            self._line.append(self._gap or " ")
        self._line.append(words)
        self._gap = ""

    def _apply_break(self) -> None:
        wants_margin, self._break = self._break == 2, 0
        if self._line:
            self._end_line()
        if wants_margin and self._lines:
            self._blank()

    def _end_line(self) -> None:
        if self._line:
            self._lines.append(_quoted("".join(self._line), self._quotes_of_line))
            self._line.clear()
        else:
            self._blank(again=not self._quotes)
        self._gap = ""

    def _blank(self, *, again: bool = False) -> None:
        """Adds an empty line; a second one in a row only if `again`."""
        if again or (self._lines and self._lines[-1].strip("> ")):
            self._lines.append(_quoted("", min(self._quotes, self._quotes_of_line)))


def _quoted(line: str, depth: int) -> str:
    return f"{'>' * min(depth, DEEPEST_QUOTE)} {line}".rstrip() if depth else line.rstrip()
