"""Tells what its writer added in a reply from what was quoted, signed or a disclaimer. Linear in the text's length.

Nothing is removed from a mail's text: this only says which of its lines are which.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from services.intake.quoting.lines import (
    WRAPPED_AT,
    attribution_lines,
    header_lines,
    is_banner,
    is_barred,
    is_disclaimer,
    is_disclaiming,
    is_fence,
    is_footer,
    is_forward,
    is_quoted,
    is_ruler,
    is_separator,
    is_signature_mark,
    label,
    plain,
    unquoted,
)

MOST_LINES = 5_000
"""Lines that are looked at; what is below them is as the last of them."""
MOST_UNDER_RULER = 6
MOST_AT_END = 10
"""Footers' lines and disclaimers that are taken off a letter's end."""
MOST_OF_DISCLAIMER = 40
MOST_SHORT_ABOVE = 10
SHORT = 50
"""Characters of a line that no program broke."""


class Kind(Enum):
    """What a line of a mail is."""

    WRITTEN = auto()
    ATTRIBUTION = auto()
    QUOTED = auto()
    SIGNATURE = auto()
    DISCLAIMER = auto()


class _Found(Enum):
    """What a line looks like before its neighbours are known."""

    BLANK = auto()
    TEXT = auto()
    QUOTE = auto()
    ATTRIBUTION = auto()
    """It says that quoted words follow; after a program's header fields or separator everything may be quoted."""
    COVER = auto()


@dataclass(frozen=True, slots=True)
class Cut:
    """A mail's lines, and what each is; the last one of a very long mail is all of its rest."""

    lines: tuple[str, ...]
    kinds: tuple[Kind, ...]

    @property
    def new_text(self) -> str:
        """What the writer added; quotes that were answered one by one stand between."""
        return self._of(Kind.WRITTEN)

    @property
    def quote(self) -> str:
        return self._of(Kind.ATTRIBUTION, Kind.QUOTED)

    @property
    def signature(self) -> str:
        return self._of(Kind.SIGNATURE)

    @property
    def disclaimer(self) -> str:
        return self._of(Kind.DISCLAIMER)

    def _of(self, *kinds: Kind) -> str:
        lines = [line for line, kind in zip(self.lines, self.kinds, strict=True) if kind in kinds]
        return "\n".join(lines).strip("\n").rstrip()


def new_text(text: str) -> str:
    """What the writer of a reply added."""
    return cut(text).new_text


def cut(text: str) -> Cut:
    """Every line of a mail's text with what it is."""
    whole = text.replace("\r\n", "\n").replace("\r", "\n").split("\n", MOST_LINES)
    lines = [plain(line) for line in whole[:MOST_LINES]]
    kinds = _judge(lines, _look(lines))
    shown = [line and kept for line, kept in zip(lines, whole, strict=False)]
    if len(whole) > MOST_LINES:
        shown.append(whole[MOST_LINES])
        kinds.append(kinds[-1])
    return Cut(tuple(shown), tuple(kinds))


def _look(lines: Sequence[str]) -> list[_Found]:
    """What each line looks like."""
    found: list[_Found] = []
    fenced = _fenced(lines)
    while (index := len(found)) < len(lines):
        line = lines[index]
        if index in fenced:
            found.append(_Found.TEXT)
        elif not line.strip():
            found.append(_Found.BLANK)
        elif is_separator(line) or (is_ruler(line) and _header_follows(lines, index)):
            found.append(_Found.COVER)
        elif taken := header_lines(lines, index):
            found += [_Found.COVER] * taken
        elif taken := attribution_lines(lines, index):
            found += [_Found.ATTRIBUTION] * taken
        else:
            found.append(_Found.QUOTE if is_quoted(line) else _Found.TEXT)
    return found


def _fenced(lines: Sequence[str]) -> set[int]:
    """The lines of code between two fences."""
    fences = [index for index, line in enumerate(lines) if is_fence(line)]
    return {line for start, end in zip(fences[::2], fences[1::2], strict=False) for line in range(start, end + 1)}


def _header_follows(lines: Sequence[str], index: int) -> bool:
    for following in range(index + 1, min(index + 4, len(lines))):
        if lines[following].strip():
            return label(lines[following]) is not None and header_lines(lines, following) > 0
    return False


def _judge(lines: Sequence[str], found: Sequence[_Found]) -> list[Kind]:
    kinds, attributed = _quoted(lines, found)
    _sign(lines, kinds)
    forward = kinds.index(Kind.ATTRIBUTION) if Kind.ATTRIBUTION in kinds else 0
    if forward and is_forward(lines[forward]) and not _has_words(lines, kinds, forward):
        # Nothing but a signature stands above: the point of the mail is what it forwards.
        return kinds[:forward] + _judge(lines[forward:], found[forward:])
    _settle(lines, kinds, attributed)
    return kinds


def _has_words(lines: Sequence[str], kinds: Sequence[Kind], end: int) -> bool:
    """Whether anything above a line is the writer's, or is quoted."""
    return any(
        line.strip() and kind in (Kind.WRITTEN, Kind.QUOTED)
        for line, kind in zip(lines[:end], kinds[:end], strict=True)
    )


def _quoted(lines: Sequence[str], found: Sequence[_Found]) -> tuple[list[Kind], set[int]]:
    """Which lines are quoted, and which quotes somebody is named for."""
    kinds: list[Kind] = []
    attributed: set[int] = set()
    written = named = barred = False
    for index, look in enumerate(found):
        quoted = look is not _Found.BLANK and is_quoted(lines[index])
        match look:
            case _Found.BLANK:
                kinds.append(kinds[-1] if kinds else Kind.WRITTEN)
                continue
            case _Found.COVER | _Found.ATTRIBUTION if quoted:
                kinds.append(Kind.QUOTED)
                named = True
            case _Found.COVER | _Found.ATTRIBUTION:
                kinds.append(Kind.ATTRIBUTION)
                if written and (look is _Found.COVER or not _quote_follows(lines, found, index)):
                    return kinds + [Kind.QUOTED] * (len(found) - index - 1), attributed
                named = barred = True
            case _Found.QUOTE:
                kinds.append(Kind.QUOTED)
            case _Found.TEXT if barred and is_barred(lines[index]):
                kinds.append(Kind.QUOTED)
            case _Found.TEXT if _wrapped(lines, found, index):
                kinds.append(Kind.QUOTED)
            case _Found.TEXT:
                kinds.append(Kind.WRITTEN)
                written, named, barred = True, False, False
        if named:
            attributed.add(index)
    return kinds, attributed


def _quote_follows(lines: Sequence[str], found: Sequence[_Found], index: int) -> bool:
    """Whether an attribution's next words are marked as quoted; else the quote is everything below."""
    for following in range(index + 1, min(index + 12, len(found))):
        if found[following] is _Found.BLANK or found[following] is found[index]:
            continue
        return is_quoted(lines[following]) or is_barred(lines[following])
    return False


def _wrapped(lines: Sequence[str], found: Sequence[_Found], index: int) -> bool:
    """Whether a line is the rest of a long quoted one that some program broke."""
    if not 0 < index < len(lines) - 1 or found[index - 1] is not _Found.QUOTE or found[index + 1] is not _Found.QUOTE:
        return False
    above, below = unquoted(lines[index - 1]), unquoted(lines[index + 1])
    return (
        len(lines[index - 1]) >= WRAPPED_AT
        and above[-1:] not in (".", "!", "?", ":")
        and len(lines[index]) < 40
        and lines[index][:1].islower()
        and bool(below.strip())
    )


def _blocks(kinds: Sequence[Kind]) -> list[tuple[int, int]]:
    """Where the runs of written lines begin and end."""
    blocks: list[tuple[int, int]] = []
    for index, kind in enumerate(kinds):
        if kind is Kind.WRITTEN:
            if index and kinds[index - 1] is Kind.WRITTEN:
                blocks[-1] = (blocks[-1][0], index + 1)
            else:
                blocks.append((index, index + 1))
    return blocks


def _sign(lines: Sequence[str], kinds: list[Kind]) -> None:
    """Marks signatures and disclaimers at the ends of what was written, and a mail server's warning over it."""
    _mark_banner(lines, kinds)
    for start, end in _blocks(kinds):
        mark = _signature(lines, start, end)
        if mark is not None:
            kinds[mark:end] = [Kind.SIGNATURE] * (end - mark)
            end = mark
        _strip_tail(lines, kinds, start, end)


def _signature(lines: Sequence[str], start: int, end: int) -> int | None:
    """The first line of a signature in a written block: `--`, or the only ruler with a few short lines below it."""
    fenced = {start + line for line in _fenced(lines[start:end])}
    rulers: list[int] = []
    for index in range(start, end):
        if index in fenced:
            continue
        if is_signature_mark(lines[index]):
            return index
        if is_ruler(lines[index]) and (index == start or not lines[index - 1].strip()):
            rulers.append(index)
    if len(rulers) != 1:
        return None
    below = [line for line in lines[rulers[0] + 1 : end] if line.strip()]
    return rulers[0] if len(below) <= MOST_UNDER_RULER and all(len(line) <= 100 for line in below) else None


def _strip_tail(lines: Sequence[str], kinds: list[Kind], start: int, end: int) -> None:
    """Takes programs' footers and disclaimers off the end of a block, as long as there is one."""
    for _ in range(MOST_AT_END):
        while end > start and not lines[end - 1].strip():
            end -= 1
        if end <= start:
            return
        if is_footer(lines[end - 1]):
            end -= 1
            kinds[end] = Kind.SIGNATURE
            continue
        top = _disclaimer_above(lines, start, end)
        # A mail of nothing else is about it: whoever asks what a disclaimer means has written one.
        if top == end or not any(line.strip() for line in lines[:top]):
            return
        kinds[top:end] = [Kind.DISCLAIMER] * (end - top)
        end = top


def _disclaimer_above(lines: Sequence[str], start: int, end: int) -> int:
    """Where the disclaimer begins that ends here; `end` when there is none. Short lines of others directly above are none of it."""
    top = end - 1
    while top > start and end - top < MOST_OF_DISCLAIMER and lines[top - 1].strip():
        top -= 1
    if is_banner(" ".join(lines[top:end])):
        return top
    if not is_disclaimer(" ".join(lines[top:end])):
        return end
    shortest = top
    for _ in range(MOST_SHORT_ABOVE):
        if len(lines[shortest]) >= SHORT or is_disclaiming(lines[shortest]) or shortest == end - 1:
            break
        shortest += 1
    return shortest if is_disclaimer(" ".join(lines[shortest:end])) else top


def _mark_banner(lines: Sequence[str], kinds: list[Kind]) -> None:
    start = next((index for index, line in enumerate(lines) if line.strip()), len(lines))
    end = start
    while end < len(lines) and end - start < MOST_OF_DISCLAIMER and lines[end].strip():
        end += 1
    rest = any(kind is Kind.WRITTEN and line.strip() for line, kind in zip(lines[end:], kinds[end:], strict=True))
    if rest and set(kinds[start:end]) == {Kind.WRITTEN} and is_banner(" ".join(lines[start:end])):
        kinds[start:end] = [Kind.DISCLAIMER] * (end - start)


def _settle(lines: Sequence[str], kinds: list[Kind], attributed: set[int]) -> None:
    """Keeps the quotes that were answered one by one; a quote over or under the whole answer is none of the writer's words.

    A quote that nobody is named for, over the answer or alone, is the writer's own choice of words too.
    """
    blocks = [(start, end) for start, end in _blocks(kinds) if any(line.strip() for line in lines[start:end])]
    if not blocks:
        if not attributed and not any(kind is Kind.ATTRIBUTION for kind in kinds):
            kinds[:] = [Kind.WRITTEN if kind is Kind.QUOTED else kind for kind in kinds]
        return
    first, last = blocks[0][0], blocks[-1][0]
    for index, kind in enumerate(kinds[:last]):
        if kind is not Kind.QUOTED:
            continue
        if index > first or index not in attributed or len(blocks) > 1:
            kinds[index] = Kind.WRITTEN
