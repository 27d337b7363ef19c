"""Balances HTML: every element is closed in its place, and none is nested too deep.

An HTML parser repairs its input: it reopens formatting in each paragraph, moves text out of tables, and searches all
open elements at each tag. The result may be the square of the input's size, and the time worse (decision 0081).
Balanced HTML needs no repair: a parser builds from it exactly its elements, at most DEEPEST deep.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

from shared.markup.tokens import Start, tokens
from shared.markup.words import Words

DEEPEST = 200
"""Elements that are open at the same time. Browsers stop at 512; old threads of newsletters have 100."""
MOST_TAGS = 100_000
"""After so many, tags only separate words: the rich text is too large to be shown."""
MOST_FORMATTING = 16
"""Open elements of formatting."""
MOST_REOPENED = 20_000
"""Characters of tags that are repeated because formatting continues after the block in which it began."""
LONGEST_ATTRIBUTE = 4_000
"""Characters. Addresses are shorter, and pictures inside an attribute are not shown."""

_TABLE = frozenset(("table", "thead", "tbody", "tfoot", "tr"))
"""Elements that have no text, only other elements of a table."""
_SECTIONS = frozenset(("thead", "tbody", "tfoot"))
_CELLS = frozenset(("td", "th", "caption"))
_BOUNDARY = _CELLS | {"table"}
_VOID = frozenset(("br", "hr", "img", "wbr"))
_FORMATTING = frozenset(("a", "b", "code", "em", "i", "s", "small", "strike", "strong", "tt", "u"))
_HEADINGS = frozenset(("h1", "h2", "h3", "h4", "h5", "h6"))
_WITH_MARGIN = _HEADINGS | {"p", "figure"}
_BLOCKS = _WITH_MARGIN | {
    "article", "aside", "blockquote", "center", "dd", "details", "div", "dl", "dt", "figcaption", "footer", "header", "hgroup", "li", "nav", "ol",
    "pre", "summary", "ul",
}  # fmt: skip
_INLINE = _FORMATTING | {
    "abbr", "acronym", "bdi", "bdo", "cite", "del", "dfn", "ins", "kbd", "mark", "q", "samp", "span", "sub", "sup", "time", "var",
}  # fmt: skip
_SHOWN_AS = {
    "plaintext": "pre",
    "listing": "pre",
    "xmp": "pre",
    "menu": "ul",
    "dir": "ul",
    "image": "img",
} | dict.fromkeys(
    ("address", "dialog", "fieldset", "form", "legend", "main", "optgroup", "option", "search", "section", "textarea"),
    "div",
)
"""Elements that are replaced by others, to keep their text apart."""
_ENDS_BEFORE = {
    "li": (frozenset(("li",)), frozenset(("ul", "ol"))),
    "dt": (frozenset(("dt", "dd")), frozenset(("dl",))),
    "dd": (frozenset(("dt", "dd")), frozenset(("dl",))),
    "a": (frozenset(("a",)), frozenset[str]()),
}
"""Element -> the elements that its start tag closes, and the elements that stop the search for them."""
_KNOWN = _TABLE | _CELLS | _VOID | _BLOCKS | _INLINE


@dataclass(slots=True)
class _Open:
    name: str
    tag: str
    is_quote: bool = False
    has_ended: bool = False
    """Its end tag came while block elements were open in it; it ends with them."""


def balanced(html: str, attributes: Mapping[str, Collection[str]], most: int) -> tuple[str, str | None]:
    """The text that a reader sees, and the HTML with every element closed; None if that has more than `most` characters
    or too many tags.

    `attributes` are those to keep, by element, and under `*` for all elements. Their values are not checked: the result
    must be sanitised before it is shown. Time and memory are linear in the size of `html`.
    """
    everywhere = attributes.get("*", ())
    tree = _Tree({name: sorted({*attributes.get(name, ()), *everywhere}) for name in (*attributes, "*")}, most)
    tags = 0
    for token in tokens(html):
        if isinstance(token, str):
            if tags <= MOST_TAGS:
                tree.text(token)
            else:
                tree.words.text(token)
            continue
        tags += 1
        name = _SHOWN_AS.get(token.name, token.name)
        if name not in _KNOWN:
            continue
        if tags > MOST_TAGS:
            if name not in _INLINE:
                tree.words.block()
        elif isinstance(token, Start):
            tree.start(name, token.attributes)
        else:
            tree.end(name)
    text, shown = tree.finished()
    return text, shown if tags <= MOST_TAGS else None


@dataclass(slots=True)
class _Tree:
    attributes: Mapping[str, Sequence[str]]
    most: int
    words: Words = field(default_factory=Words)
    out: list[str] = field(default_factory=list)
    size: int = 0
    open: list[_Open] = field(default_factory=list)
    formatting: int = 0
    interrupted: list[_Open] = field(default_factory=list)
    """Formatting that ended with its block and continues in the next one."""
    reopened: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    """Elements that were too deep, by name: their end tags are ignored."""
    preformatted: int = 0

    def text(self, text: str) -> None:
        if self.preformatted:
            self.words.preformatted(text)
        else:
            self.words.text(text)
        if self.open and self.open[-1].name in _TABLE:
            if not text.strip():
                return
            self._open_cell()
        if self.interrupted:
            self._reopen()
        self._write(escape(text, quote=False))

    def start(self, name: str, given: Mapping[str, str]) -> None:
        is_quote = name == "blockquote" and (
            "quote" in given.get("class", "").lower() or given.get("type", "").strip().lower() == "cite"
        )
        self._start_in_text(name, given, is_quote=is_quote)
        if name in _VOID:
            self._void(name, given)
        elif name in _TABLE or name in _CELLS:
            self._open_table_element(name, given)
        else:
            if self.open and self.open[-1].name in _TABLE:
                self._open_cell()
            if name in _BLOCKS:
                self._end_within("p", _BOUNDARY)
                if name in _HEADINGS and self.open and self.open[-1].name in _HEADINGS:
                    self._end_from(len(self.open) - 1)
            elif self.interrupted:
                self._reopen()
            if name in _ENDS_BEFORE:
                siblings, parents = _ENDS_BEFORE[name]
                self._end_sibling(siblings, parents | _BOUNDARY)
            self._open(name, given, is_quote=is_quote)

    def end(self, name: str) -> None:
        if name in _VOID:
            if name == "br":
                self.start("br", {})
            return
        if self.left_out[name] > 0:
            self.left_out[name] -= 1
            self._end_in_text(name, is_quote=False)
            return
        at = self._find(name, frozenset(("table",)) if name in _TABLE or name in _CELLS else _BOUNDARY)
        if at < 0:
            self._end_in_text(name, is_quote=False)
            again = next((n for n in range(len(self.interrupted) - 1, -1, -1) if self.interrupted[n].name == name), -1)
            if again >= 0:
                del self.interrupted[again]
            return
        self._end_in_text(name, is_quote=self.open[at].is_quote)
        if name in _INLINE and any(each.name in _BLOCKS for each in self.open[at + 1 :]):
            self.open[at].has_ended = True
        else:
            self._end_from(at)

    def finished(self) -> tuple[str, str | None]:
        if self.open:
            self._end_from(0)
        return str(self.words), "".join(self.out) if self.size <= self.most else None

    def _start_in_text(self, name: str, given: Mapping[str, str], *, is_quote: bool) -> None:
        """What a start tag means for the text."""
        words = self.words
        match name:
            case "br":
                words.line_break()
            case "hr":
                words.ruler()
            case "td" | "th":
                words.cell()
            case "tr":
                words.row()
            case "li":
                words.item()
            case "ul":
                words.start_list()
            case "ol":
                start = given.get("start", "")
                words.start_list(int(start) if start.isascii() and start.isdigit() and len(start) < 6 else 1)
            case "blockquote" if is_quote:
                words.quote()
            case "pre":
                words.block()
                self.preformatted += 1
            case _ if name in _BLOCKS or name in _TABLE or name == "caption":
                words.block(margin=name in _WITH_MARGIN)
            case _:
                pass

    def _end_in_text(self, name: str, *, is_quote: bool) -> None:
        """What an end tag means for the text."""
        words = self.words
        match name:
            case "td" | "th":
                words.end_cell()
            case "ul" | "ol":
                words.end_list()
            case "blockquote" if is_quote:
                words.end_quote()
            case "pre":
                words.block()
                self.preformatted = max(0, self.preformatted - 1)
            case _ if name in _BLOCKS or name in _TABLE or name == "caption":
                words.block(margin=name in _WITH_MARGIN)
            case _:
                pass

    def _void(self, name: str, given: Mapping[str, str]) -> None:
        if self.open and self.open[-1].name in _TABLE:
            self._open_cell()
        if name == "hr":
            self._end_within("p", _BOUNDARY)
        elif self.interrupted:
            self._reopen()
        self._write(self._tag(name, given))

    def _open_table_element(self, name: str, given: Mapping[str, str]) -> None:
        if name == "table":
            if self.open and self.open[-1].name in _TABLE:
                self._open_cell()
            self._end_within("p", _BOUNDARY)
        else:
            table = self._find("table", frozenset())
            if table < 0:
                self.text(" ")  # a cell without a table only separates its words from the next ones
                return
            self._end_table_elements(name, table)
        self.interrupted.clear()
        self._open(name, given)

    def _end_table_elements(self, name: str, table: int) -> None:
        """Ends what a new element of a table ends, and opens the elements that it needs around it."""
        around = table
        if name in ("tr", "td", "th") and len(self.open) > table + 1 and self.open[table + 1].name in _SECTIONS:
            around = table + 1
        if name in ("td", "th") and len(self.open) > around + 1 and self.open[around + 1].name == "tr":
            around += 1
        if len(self.open) > around + 1:
            self._end_from(around + 1)
        if name in ("tr", "td", "th") and self.open[-1].name == "table":
            self._open("tbody", {})
        if name in ("td", "th") and self.open[-1].name in _SECTIONS:
            self._open("tr", {})

    def _open_cell(self) -> None:
        """Opens a cell for text in a table outside of its cells."""
        self._open_table_element("td", {})

    def _open(self, name: str, given: Mapping[str, str], *, is_quote: bool = False) -> None:
        is_formatting = name in _FORMATTING
        # A table needs three more elements before its text.
        deepest = DEEPEST - 4 if name == "table" else DEEPEST if name in _TABLE or name in _CELLS else DEEPEST - 5
        if len(self.open) >= deepest or (is_formatting and self.formatting >= MOST_FORMATTING):
            self.left_out[name] += 1
            return
        opened = _Open(name, self._tag(name, given), is_quote)
        self.open.append(opened)
        self.formatting += is_formatting
        self._write(opened.tag)

    def _end_within(self, name: str, boundary: Collection[str]) -> None:
        at = self._find(name, boundary)
        if at >= 0:
            self._end_from(at)

    def _end_sibling(self, siblings: Collection[str], parents: Collection[str]) -> None:
        for at in range(len(self.open) - 1, -1, -1):
            name = self.open[at].name
            if name in siblings:
                self._end_from(at)
                return
            if name in parents:
                return

    def _find(self, name: str, boundary: Collection[str]) -> int:
        """The innermost open element of a name, unless an element of the boundary is open in it; else -1."""
        for at in range(len(self.open) - 1, -1, -1):
            opened = self.open[at]
            if opened.name == name and not opened.has_ended:
                return at
            if opened.name in boundary:
                return -1
        return -1

    def _end_from(self, at: int) -> None:
        """Ends an open element and everything in it, and the elements around it that waited for that."""
        ended = self.open[at:]
        del self.open[at:]
        for opened in reversed(ended):
            self._write(f"</{opened.name}>")
            self.formatting -= opened.name in _FORMATTING
        if any(opened.name in _BOUNDARY for opened in ended):
            self.interrupted.clear()
        else:
            self.interrupted += [each for each in ended[1:] if each.name in _FORMATTING and not each.has_ended]
            del self.interrupted[:-MOST_FORMATTING]
        while self.open and self.open[-1].has_ended:
            over = self.open.pop()
            self._write(f"</{over.name}>")
            self.formatting -= over.name in _FORMATTING

    def _reopen(self) -> None:
        interrupted, self.interrupted = self.interrupted, []
        for each in interrupted:
            self.reopened += len(each.tag)
            if self.reopened > MOST_REOPENED or self.formatting >= MOST_FORMATTING or len(self.open) >= DEEPEST - 5:
                return
            if each.name == "a" and self._find("a", _BOUNDARY) >= 0:
                continue
            self.open.append(_Open(each.name, each.tag))
            self.formatting += 1
            self._write(each.tag)

    def _tag(self, name: str, given: Mapping[str, str]) -> str:
        if not given:
            return f"<{name}>"
        kept = [
            f' {known}="{escape(value)}"'
            for known in self.attributes.get(name, self.attributes["*"])
            if (value := given.get(known)) is not None and len(value) <= LONGEST_ATTRIBUTE
        ]
        return f"<{name}{''.join(kept)}>"

    def _write(self, piece: str) -> None:
        self.size += len(piece)
        if self.size <= self.most:
            self.out.append(piece)
        elif self.out:
            self.out.clear()
