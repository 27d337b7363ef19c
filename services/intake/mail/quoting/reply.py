"""Tells what its writer added in a reply from what was quoted, signed or a disclaimer. Linear in the text's length.

Nothing is removed from a mail's text: this only says which of its lines are which.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from services.intake.mail.quoting.lines import (
    attribution_lines,
    header_lines,
    is_banner,
    is_barred,
    is_by_program,
    is_disclaimer,
    is_disclaiming,
    is_fence,
    is_footer,
    is_forward,
    is_prompt,
    is_quoted,
    is_raw_field,
    is_ruler,
    is_separator,
    label,
    plain,
    points_below,
    unquoted,
)
from services.intake.mail.quoting.signature_block import signature

MOST_LINES = 5_000
"""Lines that are looked at; what is below them is as the last of them."""
MOST_DISCLAIMERS = 10
"""That are taken off a letter's end."""
MOST_OF_DISCLAIMER = 40
MOST_SHORT_ABOVE = 10
NARROWEST = 70
"""Characters that lines have at most which programs break; most have a few more."""
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
    """What the writer of a reply added; the whole text where nothing of it would be left."""
    return cut(text).new_text or text.strip("\n").rstrip()


def cut(text: str) -> Cut:
    """Every line of a mail's text with what it is."""
    whole = text.replace("\r\n", "\n").replace("\r", "\n").split("\n", MOST_LINES)
    lines = [plain(line) for line in whole[:MOST_LINES]]
    marked = {index for index, line in enumerate(whole[:MOST_LINES]) if line in ("-- ", "--\xa0")}
    kinds = _judge(lines, _look(lines), marked)
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
            found += [_Found.COVER if _stands_apart(lines, found, taken) else _Found.TEXT] * taken
        elif (taken := attribution_lines(lines, index)) and _attributes(lines, found, taken):
            found += [_Found.ATTRIBUTION] * taken
        else:
            found.append(_Found.QUOTE if is_quoted(line) else _Found.TEXT)
    return found


def _stands_apart(lines: Sequence[str], found: Sequence[_Found], taken: int) -> bool:
    """Whether header fields stand over a quote as programs put them there. Somebody who shows a mail's header to somebody says so above it
    ("The header says:"), or has more fields in it than programs show."""
    index = len(found)
    if is_quoted(lines[index]):
        return True
    if any(map(is_raw_field, lines[max(0, index - 1) : index + taken + 1])):
        return False
    return not _introduced(lines, found, index)


def _attributes(lines: Sequence[str], found: Sequence[_Found], taken: int) -> bool:
    """Whether an attribution is a program's. Over words that are not marked as quoted it may be its writer's own sentence ("On 3 May Per
    wrote:"): a program's tells the time or an address, and belongs to no sentence above."""
    index = len(found)
    below = next((line for line in lines[index + taken : index + taken + 12] if line.strip()), "")
    if is_quoted(lines[index]):
        return True
    said = " ".join(lines[index : index + taken])
    marked = is_quoted(below) or is_barred(below)
    return is_by_program(said, over_marked=marked) and (marked or not _introduced(lines, found, index))


def _introduced(lines: Sequence[str], found: Sequence[_Found], index: int) -> bool:
    """Whether the writer's words above a line end in a colon, so that what follows belongs to them."""
    above = next((each for each in range(index - 1, -1, -1) if found[each] is not _Found.BLANK), None)
    return above is not None and found[above] is _Found.TEXT and lines[above].endswith((":", "："))


def _fenced(lines: Sequence[str]) -> set[int]:
    """The lines of code between two fences."""
    fences = [index for index, line in enumerate(lines) if is_fence(line)]
    return {line for start, end in zip(fences[::2], fences[1::2], strict=False) for line in range(start, end + 1)}


def _header_follows(lines: Sequence[str], index: int) -> bool:
    for following in range(index + 1, min(index + 4, len(lines))):
        if lines[following].strip():
            return label(lines[following]) is not None and header_lines(lines, following) > 0
    return False


def _judge(lines: Sequence[str], found: Sequence[_Found], marked: Collection[int]) -> list[Kind]:
    kinds, attributed = _quoted(lines, found)
    _sign(lines, kinds, marked)
    forward = kinds.index(Kind.ATTRIBUTION) if Kind.ATTRIBUTION in kinds else 0
    if forward and is_forward(lines[forward]) and not _has_words(lines, kinds, forward):
        # Nothing but a signature stands above: the point of the mail is what it forwards.
        moved = {index - forward for index in marked if index >= forward}
        return kinds[:forward] + _judge(lines[forward:], found[forward:], moved)
    above, below = (
        " ".join(line for line, kind in zip(lines[part], kinds[part], strict=True) if kind is Kind.WRITTEN)
        for part in (slice(forward), slice(forward, None))
    )
    if points_below(above) and not below.strip():
        # Answers inside a quote that nothing marks cannot be told from it.
        return [kind if kind in (Kind.SIGNATURE, Kind.DISCLAIMER) else Kind.WRITTEN for kind in kinds]
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
                if written and not _quote_follows(lines, found, index):
                    return kinds + [Kind.QUOTED] * (len(found) - index - 1), attributed
                named = barred = True
            case _Found.QUOTE:
                kinds.append(Kind.QUOTED)
            case _Found.TEXT if barred and is_barred(lines[index]):
                kinds.append(Kind.QUOTED)
            case _Found.TEXT if written and _wrapped(lines, found, index):
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
    """Whether a line is the rest of a long quoted one that some program broke: it goes on with a sentence for which there was no room above."""
    if not index or found[index - 1] is not _Found.QUOTE or not unquoted(lines[index - 1]).strip():
        return False
    if index + 1 < len(lines) and found[index + 1] not in (_Found.QUOTE, _Found.BLANK):
        return False
    above, line = lines[index - 1], lines[index].strip()
    no_room = len(above) + 1 + len(line.split(" ", 1)[0]) > NARROWEST
    return no_room and above[-1] not in ".!?:…。？！" and line[:1].islower()


def _runs(kinds: Sequence[Kind], wanted: Kind) -> list[tuple[int, int]]:
    """Where the runs of lines of one kind begin and end."""
    runs: list[tuple[int, int]] = []
    for index, kind in enumerate(kinds):
        if kind is wanted:
            if index and kinds[index - 1] is wanted:
                runs[-1] = (runs[-1][0], index + 1)
            else:
                runs.append((index, index + 1))
    return runs


def _sign(lines: Sequence[str], kinds: list[Kind], marked: Collection[int]) -> None:
    """Marks signatures and disclaimers at the ends of what was written, and a mail server's warning over it."""
    _mark_banner(lines, kinds)
    fenced = _fenced(lines)
    for start, end in _runs(kinds, Kind.WRITTEN):
        found = signature(lines, start, end, fenced, marked)
        if found is not None:
            kinds[found[0] : found[1]] = [Kind.SIGNATURE] * (found[1] - found[0])
            if found[1] == end:
                end = found[0]
        _strip_tail(lines, kinds, start, end)


def _strip_tail(lines: Sequence[str], kinds: list[Kind], start: int, end: int) -> None:
    """Takes programs' footers and disclaimers off the end of a block, as long as there is one."""
    disclaimers = 0
    while disclaimers < MOST_DISCLAIMERS:
        while end > start and not lines[end - 1].strip():
            end -= 1
        if end <= start:
            return
        if is_footer(lines[end - 1]):
            end -= 1
            kinds[end] = Kind.SIGNATURE
            continue
        top = _disclaimer_above(lines, start, end)
        # A mail of nothing else is about it, and so is one that has it after a colon.
        above = next((line for line in reversed(lines[:top]) if line.strip()), "")
        if top == end or not above or above.endswith((":", "：")):
            return
        kinds[top:end] = [Kind.DISCLAIMER] * (end - top)
        end = top
        disclaimers += 1


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
    blocks = [
        (start, end) for start, end in _runs(kinds, Kind.WRITTEN) if any(line.strip() for line in lines[start:end])
    ]
    if not blocks:
        if not attributed and not any(kind is Kind.ATTRIBUTION for kind in kinds):
            kinds[:] = [Kind.WRITTEN if kind is Kind.QUOTED else kind for kind in kinds]
        return
    first, last = blocks[0][0], blocks[-1][0]
    for start, end in _runs(kinds, Kind.QUOTED):
        own = start not in attributed and is_quoted(lines[start]) and _is_own(lines, kinds, start, end)
        for index in range(start, end):
            between = index > first or index not in attributed or len(blocks) > 1
            if own or (index < last and between):
                kinds[index] = Kind.WRITTEN


def _is_own(lines: Sequence[str], kinds: Sequence[Kind], start: int, end: int) -> bool:
    """Whether lines that are marked as quoted, and nobody is named for, are what the writer shows: below their own words without an empty
    line between, or after a colon; or a program's prompts."""
    above = next((index for index in range(start - 1, -1, -1) if lines[index].strip()), None)
    if (
        above is not None
        and kinds[above] is Kind.WRITTEN
        and (above == start - 1 or lines[above].endswith((":", "：")))
    ):
        return True
    return all(is_prompt(line) for line in lines[start:end] if line.strip())
