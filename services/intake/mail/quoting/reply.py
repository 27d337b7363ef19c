"""Separates the new text of a reply from quotes, signatures and disclaimers, in time linear in the text's length.

Nothing is removed from a mail's text: each of its lines gets a kind.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from services.intake.mail.quoting.attributions import attribution_lines, is_by_program
from services.intake.mail.quoting.disclaimers import is_banner, is_disclaimer, is_disclaiming, is_footer
from services.intake.mail.quoting.quote_marks import (
    is_barred,
    is_fence,
    is_forward,
    is_prompt,
    is_quoted,
    is_ruler,
    is_separator,
    plain,
    points_below,
    unquoted,
)
from services.intake.mail.quoting.shown_headers import header_lines, is_raw_field, label
from services.intake.mail.quoting.signature_block import find_signature

MOST_LINES = 5_000
"""Lines that are examined; all lines after them get the kind of the last one."""
MOST_DISCLAIMERS = 10
"""Disclaimers that are recognised at the end of a text."""
MOST_OF_DISCLAIMER = 40
MOST_SHORT_ABOVE = 10
NARROWEST = 70
"""Programs break lines at this many characters or a few more."""
SHORT = 50
"""A shorter line was not broken by a program."""


class LineKind(Enum):
    """What a line of a mail is."""

    WRITTEN = auto()
    ATTRIBUTION = auto()
    QUOTED = auto()
    SIGNATURE = auto()
    DISCLAIMER = auto()


class _Look(Enum):
    """What a line looks like on its own."""

    BLANK = auto()
    TEXT = auto()
    QUOTE = auto()
    ATTRIBUTION = auto()
    """It says that quoted words follow."""
    COVER = auto()
    """A program's header fields or separator; everything after it may be quoted."""


@dataclass(frozen=True, slots=True)
class ParsedReply:
    """The lines of a mail and their kinds; the last line of a very long mail is all of its rest."""

    lines: tuple[str, ...]
    kinds: tuple[LineKind, ...]

    @property
    def new_text(self) -> str:
        """What the writer added, and between it the quotes that were answered one by one."""
        return self._of(LineKind.WRITTEN)

    @property
    def quote(self) -> str:
        return self._of(LineKind.ATTRIBUTION, LineKind.QUOTED)

    @property
    def signature(self) -> str:
        return self._of(LineKind.SIGNATURE)

    @property
    def disclaimer(self) -> str:
        return self._of(LineKind.DISCLAIMER)

    def _of(self, *kinds: LineKind) -> str:
        lines = [line for line, kind in zip(self.lines, self.kinds, strict=True) if kind in kinds]
        return "\n".join(lines).strip("\n").rstrip()


def new_text(text: str) -> str:
    """What the writer of a reply added; the whole text if nothing would be left."""
    return parse_reply(text).new_text or text.strip("\n").rstrip()


def parse_reply(text: str) -> ParsedReply:
    """Every line of a mail's text with its kind."""
    whole = text.replace("\r\n", "\n").replace("\r", "\n").split("\n", MOST_LINES)
    lines = [plain(line) for line in whole[:MOST_LINES]]
    marked = {index for index, line in enumerate(whole[:MOST_LINES]) if line in ("-- ", "--\xa0")}
    kinds = _classify(lines, _looks_of(lines), marked)
    shown = [line and kept for line, kept in zip(lines, whole, strict=False)]
    if len(whole) > MOST_LINES:
        shown.append(whole[MOST_LINES])
        kinds.append(kinds[-1])
    return ParsedReply(tuple(shown), tuple(kinds))


def _looks_of(lines: Sequence[str]) -> list[_Look]:
    """What each line looks like."""
    found: list[_Look] = []
    fenced = _fenced(lines)
    while (index := len(found)) < len(lines):
        line = lines[index]
        if index in fenced:
            found.append(_Look.TEXT)
        elif not line.strip():
            found.append(_Look.BLANK)
        elif is_separator(line) or (is_ruler(line) and _header_follows(lines, index)):
            found.append(_Look.COVER)
        elif taken := header_lines(lines, index):
            found += [_Look.COVER if _stands_apart(lines, found, taken) else _Look.TEXT] * taken
        elif (taken := attribution_lines(lines, index)) and _attributes(lines, found, taken):
            found += [_Look.ATTRIBUTION] * taken
        else:
            found.append(_Look.QUOTE if is_quoted(line) else _Look.TEXT)
    return found


def _stands_apart(lines: Sequence[str], found: Sequence[_Look], taken: int) -> bool:
    """Whether a program put these header fields over a quote. People who show somebody a mail's header introduce it
    ("The header says:"), or show more fields than programs do."""
    index = len(found)
    if is_quoted(lines[index]):
        return True
    if any(map(is_raw_field, lines[max(0, index - 1) : index + taken + 1])):
        return False
    return not _introduced(lines, found, index)


def _attributes(lines: Sequence[str], found: Sequence[_Look], taken: int) -> bool:
    """Whether an attribution is a program's. Over words that are not marked as quoted it may be the writer's own
    sentence ("On 3 May Per wrote:"). A program's has the time or an address, and does not continue a sentence above."""
    index = len(found)
    below = next((line for line in lines[index + taken : index + taken + 12] if line.strip()), "")
    if is_quoted(lines[index]):
        return True
    said = " ".join(lines[index : index + taken])
    marked = is_quoted(below) or is_barred(below)
    return is_by_program(said, over_marked=marked) and (marked or not _introduced(lines, found, index))


def _introduced(lines: Sequence[str], found: Sequence[_Look], index: int) -> bool:
    """Whether the writer's words above a line end in a colon, so that they introduce it."""
    above = next((each for each in range(index - 1, -1, -1) if found[each] is not _Look.BLANK), None)
    return above is not None and found[above] is _Look.TEXT and lines[above].endswith((":", "："))


def _fenced(lines: Sequence[str]) -> set[int]:
    """The lines of code between two fences."""
    fences = [index for index, line in enumerate(lines) if is_fence(line)]
    return {line for start, end in zip(fences[::2], fences[1::2], strict=False) for line in range(start, end + 1)}


def _header_follows(lines: Sequence[str], index: int) -> bool:
    for following in range(index + 1, min(index + 4, len(lines))):
        if lines[following].strip():
            return label(lines[following]) is not None and header_lines(lines, following) > 0
    return False


def _classify(lines: Sequence[str], found: Sequence[_Look], marked: Collection[int]) -> list[LineKind]:
    kinds, attributed = _mark_quotes(lines, found)
    _mark_signatures(lines, kinds, marked)
    forward = kinds.index(LineKind.ATTRIBUTION) if LineKind.ATTRIBUTION in kinds else 0
    if forward and is_forward(lines[forward]) and not _has_words(lines, kinds, forward):
        # Only a signature is above it: the mail is about what it forwards.
        moved = {index - forward for index in marked if index >= forward}
        return kinds[:forward] + _classify(lines[forward:], found[forward:], moved)
    above, below = (
        " ".join(line for line, kind in zip(lines[part], kinds[part], strict=True) if kind is LineKind.WRITTEN)
        for part in (slice(forward), slice(forward, None))
    )
    if points_below(above) and not below.strip():
        # Answers inside a quote cannot be told from it if its lines have no marks.
        return [kind if kind in (LineKind.SIGNATURE, LineKind.DISCLAIMER) else LineKind.WRITTEN for kind in kinds]
    _resolve_quotes(lines, kinds, attributed)
    return kinds


def _has_words(lines: Sequence[str], kinds: Sequence[LineKind], end: int) -> bool:
    """Whether anything above a line is the writer's, or is quoted."""
    return any(
        line.strip() and kind in (LineKind.WRITTEN, LineKind.QUOTED)
        for line, kind in zip(lines[:end], kinds[:end], strict=True)
    )


def _mark_quotes(lines: Sequence[str], found: Sequence[_Look]) -> tuple[list[LineKind], set[int]]:
    """Which lines are quoted, and which of them have an attribution."""
    kinds: list[LineKind] = []
    attributed: set[int] = set()
    written = named = barred = False
    for index, look in enumerate(found):
        quoted = look is not _Look.BLANK and is_quoted(lines[index])
        match look:
            case _Look.BLANK:
                kinds.append(kinds[-1] if kinds else LineKind.WRITTEN)
                continue
            case _Look.COVER | _Look.ATTRIBUTION if quoted:
                kinds.append(LineKind.QUOTED)
                named = True
            case _Look.COVER | _Look.ATTRIBUTION:
                kinds.append(LineKind.ATTRIBUTION)
                if written and not _quote_follows(lines, found, index):
                    return kinds + [LineKind.QUOTED] * (len(found) - index - 1), attributed
                named = barred = True
            case _Look.QUOTE:
                kinds.append(LineKind.QUOTED)
            case _Look.TEXT if barred and is_barred(lines[index]):
                kinds.append(LineKind.QUOTED)
            case _Look.TEXT if written and _wrapped(lines, found, index):
                kinds.append(LineKind.QUOTED)
            case _Look.TEXT:
                kinds.append(LineKind.WRITTEN)
                written, named, barred = True, False, False
        if named:
            attributed.add(index)
    return kinds, attributed


def _quote_follows(lines: Sequence[str], found: Sequence[_Look], index: int) -> bool:
    """Whether the words after an attribution are marked as quoted; otherwise everything below is the quote."""
    for following in range(index + 1, min(index + 12, len(found))):
        if found[following] is _Look.BLANK or found[following] is found[index]:
            continue
        return is_quoted(lines[following]) or is_barred(lines[following])
    return False


def _wrapped(lines: Sequence[str], found: Sequence[_Look], index: int) -> bool:
    """Whether a line is the rest of a long quoted line that a program broke: it continues a sentence that did not fit
    into the line above."""
    if not index or found[index - 1] is not _Look.QUOTE or not unquoted(lines[index - 1]).strip():
        return False
    if index + 1 < len(lines) and found[index + 1] not in (_Look.QUOTE, _Look.BLANK):
        return False
    above, line = lines[index - 1], lines[index].strip()
    no_room = len(above) + 1 + len(line.split(" ", 1)[0]) > NARROWEST
    return no_room and above[-1] not in ".!?:…。？！" and line[:1].islower()


def _blocks(kinds: Sequence[LineKind], wanted: LineKind) -> list[tuple[int, int]]:
    """Where blocks of consecutive lines of one kind begin and end."""
    runs: list[tuple[int, int]] = []
    for index, kind in enumerate(kinds):
        if kind is wanted:
            if index and kinds[index - 1] is wanted:
                runs[-1] = (runs[-1][0], index + 1)
            else:
                runs.append((index, index + 1))
    return runs


def _mark_signatures(lines: Sequence[str], kinds: list[LineKind], marked: Collection[int]) -> None:
    """Marks signatures and disclaimers at the ends of what was written, and a mail server's warning above it."""
    _mark_banner(lines, kinds)
    fenced = _fenced(lines)
    for start, end in _blocks(kinds, LineKind.WRITTEN):
        found = find_signature(lines, start, end, fenced, marked)
        if found is not None:
            kinds[found[0] : found[1]] = [LineKind.SIGNATURE] * (found[1] - found[0])
            if found[1] == end:
                end = found[0]
        _strip_tail(lines, kinds, start, end)


def _strip_tail(lines: Sequence[str], kinds: list[LineKind], start: int, end: int) -> None:
    """Marks footers of programs and disclaimers at the end of a block, one after the other."""
    disclaimers = 0
    while disclaimers < MOST_DISCLAIMERS:
        while end > start and not lines[end - 1].strip():
            end -= 1
        if end <= start:
            return
        if is_footer(lines[end - 1]):
            end -= 1
            kinds[end] = LineKind.SIGNATURE
            continue
        top = _disclaimer_above(lines, start, end)
        # A mail with nothing else is about the disclaimer, and so is one that introduces it with a colon.
        above = next((line for line in reversed(lines[:top]) if line.strip()), "")
        if top == end or not above or above.endswith((":", "：")):
            return
        kinds[top:end] = [LineKind.DISCLAIMER] * (end - top)
        end = top
        disclaimers += 1


def _disclaimer_above(lines: Sequence[str], start: int, end: int) -> int:
    """Where the disclaimer that ends here begins; `end` if there is none. Short lines directly above it do not belong
    to it."""
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


def _mark_banner(lines: Sequence[str], kinds: list[LineKind]) -> None:
    start = next((index for index, line in enumerate(lines) if line.strip()), len(lines))
    end = start
    while end < len(lines) and end - start < MOST_OF_DISCLAIMER and lines[end].strip():
        end += 1
    rest = any(kind is LineKind.WRITTEN and line.strip() for line, kind in zip(lines[end:], kinds[end:], strict=True))
    if rest and set(kinds[start:end]) == {LineKind.WRITTEN} and is_banner(" ".join(lines[start:end])):
        kinds[start:end] = [LineKind.DISCLAIMER] * (end - start)


def _resolve_quotes(lines: Sequence[str], kinds: list[LineKind], attributed: set[int]) -> None:
    """Keeps quotes that were answered one by one as part of the new text; a quote above or below the whole answer is
    not part of it.

    A quote without an attribution, above the answer or alone, was chosen by the writer and is kept too.
    """
    blocks = [
        (start, end)
        for start, end in _blocks(kinds, LineKind.WRITTEN)
        if any(line.strip() for line in lines[start:end])
    ]
    if not blocks:
        if not attributed and not any(kind is LineKind.ATTRIBUTION for kind in kinds):
            kinds[:] = [LineKind.WRITTEN if kind is LineKind.QUOTED else kind for kind in kinds]
        return
    first, last = blocks[0][0], blocks[-1][0]
    for start, end in _blocks(kinds, LineKind.QUOTED):
        own = start not in attributed and is_quoted(lines[start]) and _is_own(lines, kinds, start, end)
        for index in range(start, end):
            between = index > first or index not in attributed or len(blocks) > 1
            if own or (index < last and between):
                kinds[index] = LineKind.WRITTEN


def _is_own(lines: Sequence[str], kinds: Sequence[LineKind], start: int, end: int) -> bool:
    """Whether marked lines without an attribution are something that the writer shows: directly below their own words
    or after a colon, or the prompts of a program."""
    above = next((index for index in range(start - 1, -1, -1) if lines[index].strip()), None)
    if (
        above is not None
        and kinds[above] is LineKind.WRITTEN
        and (above == start - 1 or lines[above].endswith((":", "：")))
    ):
        return True
    return all(is_prompt(line) for line in lines[start:end] if line.strip())
