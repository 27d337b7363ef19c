"""What one line, or a few together, of a mail's text is: an attribution, a header field over a quote, a separator, a signature's mark.

Every pattern is tried on a few hundred characters at most, so that no line can make its reading take long.
"""

import re
from collections.abc import Iterable, Sequence

from services.intake.mail.quoting.languages import LANGUAGES

LONGEST_ATTRIBUTION = 400
MOST_ATTRIBUTION_LINES = 6
MOST_LINES_OF_ANY = 2
LONGEST_SEPARATOR = 120
LONGEST_LABEL = 40
LONGEST_FOOTER = 160
WRAPPED_AT = 60
"""Lines longer than this may have been wrapped by a program that quoted them."""
MOST_FOOTER_WORDS = 10
MOST_APOLOGY_WORDS = 25
SHORTEST_DISCLAIMER = 120
LONGEST_NOTICE = 240
SHORTEST_BANNER = 60
LONGEST_BANNER = 600


def _any(words: Iterable[str]) -> str:
    """A pattern of alternatives; longer ones first, any blank or none-breaking space between their words."""
    found = sorted({word for word in words if word}, key=lambda word: (-len(word), word))
    return "(?:" + "|".join(re.escape(word).replace(r"\ ", r"\s+").replace("'", "['’]") for word in found) + ")"


def _heard(text: str) -> str:
    """A text as the words of disclaimers are looked for in it: in small letters, with single blanks and plain apostrophes, and without the
    difference that Turkish makes between its two letters i."""
    return " ".join(text.lower().replace("i\u0307", "i").replace("ı", "i").replace("’", "'").split())


_INVISIBLE = dict.fromkeys(
    map(ord, "\u1427\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\u202a\u202b\u202c\u202d\u202e\u00ad")
)
"""Marks of direction, joiners, and the sign that a tracking program leaves in a line of its own."""

_ON = _any(word for row in LANGUAGES for word in row.on)
_WROTE = _any(word for row in LANGUAGES for word in row.wrote)
_WROTE_THEN = _any(word for row in LANGUAGES for word in row.wrote_then)
_QUOTING = _any(word for row in LANGUAGES for word in row.quoting)
_SENT_FROM = _any(word for row in LANGUAGES for word in row.sent_from)
_ABOVE = _any(word for row in LANGUAGES for word in row.above)
_PRINTING = _any(word for row in LANGUAGES for word in row.printing)
_BANNER = re.compile(_any(word for row in LANGUAGES for word in row.banner), re.IGNORECASE)
_DISCLAIMER = tuple(_heard(word) for row in LANGUAGES for word in row.disclaimer)
_EVIDENCE = tuple(
    tuple(_heard(word) for word in words)
    for words in (
        [word for row in LANGUAGES for word in row.secret],
        [word for row in LANGUAGES for word in row.recipient],
        [word for row in LANGUAGES for word in row.mistaken],
        [word for row in LANGUAGES for word in row.destroy],
    )
)
_POINTS_BELOW = re.compile(rf"(?:^|\W){_any(word for row in LANGUAGES for word in row.below)}(?!\w)", re.IGNORECASE)
_FORWARDED = _any(word for row in LANGUAGES for word in row.forwarded)
_COVER = _any(word for row in LANGUAGES for word in (*row.original, *row.forwarded))

_EMAIL = r"[^\s<>\"',;:()\[\]]{1,64}@[^\s<>\"',;:()\[\]]{1,190}"
_DATE = (
    r"(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\s?\d{1,2}[-/.]\s?\d{2,4}|\d{1,2}\.?\s(?:de\s)?[^\W\d_]{2,12}\.?,?\s(?:de\s)?\d{4}"
    r"|[^\W\d_]{3,12}\.?\s\d{1,2},?\s\d{4}|\d{4}[年년]\s?\d{1,2}[月월]\s?\d{1,2}[日일])"
)
_BEGINS_WITH_NAME = re.compile(
    rf"[\"'“„]?[^.!?<>@:]{{0,80}}(?:\.[^.!?<>@:]{{0,60}}){{0,2}}[\"'”“]?\s?[<(\[]\s*(?:mailto:)?{_EMAIL}"
)
_HAS_DATE = re.compile(
    rf"{_DATE}|\b(?:19|20)\d\d\b|\b\d{{1,2}}[:.h]\d{{2}}\b|\b\d{{1,2}}\.?\s[^\W\d_]{{3,12}}\b", re.IGNORECASE
)
_BEGINS_ON = re.compile(rf"{_ON}(?:\b|(?=\d)|\s)", re.IGNORECASE)
_BEGINS_WITH_DATE = re.compile(rf"(?:[^\W\d_]{{2,12}}\.?,?\s)?{_DATE}", re.IGNORECASE)
_ENDS_WROTE = re.compile(rf"(?:^|[\s>\"”’,)\]:]){_WROTE}\s*(?::|：|-{{2,}}|\Z)[\s:：*_-]*\Z", re.IGNORECASE)
_ENDS_WROTE_JOINED = re.compile(rf"{_WROTE}\s*[:：]\s*\Z")
_WROTE_IN_IT = re.compile(
    rf"(?:^|[\s>\"”’,)]){_WROTE_THEN}\s(?!(?:ich|wir|jeg|eg|vi|jag|ik|wij|я|мы)\b).*[:：][\s*_]*\Z", re.IGNORECASE
)
_DIGIT = re.compile(r"\d")
_BEGINS_WITH_WHOM = re.compile(rf"{_QUOTING}\s", re.IGNORECASE)
_NAMES_WHOM = re.compile(rf"{_QUOTING}\s.*{_EMAIL}.*(?::|\b{_WROTE}:?)[\s*_]*\Z", re.IGNORECASE)
_DATED_AND_NAMED = re.compile(
    rf"(?:[^\W\d_]{{2,12}}\.?,?\s)?{_DATE}.{{0,60}}\s?.{{1,100}}<\s?(?:mailto:)?{_EMAIL}\s?>\s?[:：]?\Z", re.IGNORECASE
)
_NAMED_AND_DATED = re.compile(
    rf"{_BEGINS_WITH_NAME.pattern}\s?[>)\]]\s?[(\[]?(?:[^\W\d_]{{2,12}}\.?,?\s)?{_DATE}.{{0,40}}[:：]\Z", re.IGNORECASE
)
_WEEKDAY_AND_DATE = re.compile(rf"[^\W\d_]{{2,12}}\.?,\s{_DATE}")
_YEAR = re.compile(r"(?<!\d)\d{4}(?!\d)")
_CLOCK = re.compile(r"(?<![\d.])\d{1,2}[:.]\d{2}(?:[:.]\d{2})?(?![\d.])")
_IN_BRACKETS = re.compile(rf"[<(]\s?(?:mailto:)?{_EMAIL}\s?[>)]", re.IGNORECASE)
_DATED_BY = re.compile(
    rf"{_DATE},?\s\d{{1,2}}[:.]\d{{2}}\s(?:by|von|par|por|av|af|door|da|przez|od|от)\s{_EMAIL}\s?[:：]\Z", re.IGNORECASE
)
_SAYS_WROTE = re.compile(rf"(?:^|[\s>\"”’,)]){_WROTE}(?=[\s:：,(]|\Z)", re.IGNORECASE)
_I_OR_WE = r"\b(?:I|[Ww]e|[Ii]ch|[Ww]ir|[Jj]eg|[Ee]g|[Vv]i|[Jj]ag|[Ii]k|[Ww]ij|[Nn]ous|[Яя]|[Мм]ы)\b|\bj['’]"
_BY_ONESELF = re.compile(_I_OR_WE)
_OF_ONESELF = re.compile(rf"{_I_OR_WE}|\b[Jj]e\b")
"""In French too, where the word is another one's verb in other languages."""
_FIRST_PERSON = re.compile(
    r"\b(?:I|I['’](?:m|ve|d|ll)|my|[Jj]eg|[Jj]ag|[Mm]itt|(?:[Ii]ch|[Mm]ir|[Mm]ein(?:e[nrms]?)?)|[Ii]k|[Mm]ijn|[Ii]o|[Mm]i[oae]"
    r"|[Yy]o|[Ee]u|[Mm]eu|[Mm]inha|[Mm]inun|[Mm]inä|[Mm]nie|[Мм]не|[Яя]|[Мм](?:ой|оя|оё|оего))\b|\b[Jj](?:e (?:vous|suis|ne|peux)|['’]ai)\b"
)
MOST_WORDS_OF_ANY = 16
_DATED_WITH_ZONE = re.compile(r"\d{4}-\d\d-\d\d \d{1,2}:\d\d (?:GMT|UTC)[+-]\d\d?:?\d\d \S.{0,100}\Z")

_QUOTED = re.compile(r"[ \t\xa0]{0,8}(?:[A-Z]{1,3})?>")
_BETWEEN_ARROWS = re.compile(r">>> (?=.{0,100}\d{1,2}[:.]\d\d).{1,110} >>>\Z")
_RAW_FIELD = re.compile(
    r"received[ \t]*:[ \t]*(?:from|by)\b|(?:return-path|delivered-to|message-id|in-reply-to|references|mime-version|content-[a-z-]+|dkim-signature"
    r"|authentication-results|arc-[a-z-]+|user-agent|x-[a-z0-9-]+|list-[a-z]+|errors-to|precedence|auto-submitted)[ \t]*:",
    re.IGNORECASE,
)
_PROMPT = re.compile(r"[ \t\xa0]{0,8}(?:[A-Z]{1,3}>|>>>(?!>))")
_BARRED = re.compile(r"[ \t\xa0]{0,8}\|(?:[ \t\xa0]|\Z)")
_PREFIXES = re.compile(r"\A(?:[ \t\xa0]*(?:[A-Z]{1,3})?>)+[ \t\xa0]?")

_FORWARDS = re.compile(rf"{_FORWARDED}\b[^-=]{{0,60}}\Z", re.IGNORECASE)
_COVERS = re.compile(rf"{_COVER}\b[^-=]{{0,60}}\Z", re.IGNORECASE)
_DASHES = "-_=~*–—"
_WRITE_ABOVE = re.compile(rf".{{0,60}}{_ABOVE}", re.IGNORECASE)
_RULER = re.compile(r"[ \t]*(?:-{3,}|_{3,}|—{2,}|\*{5,}|={5,}|~{5,})[ \t]*\Z")
_SIGNATURE = re.compile(r"(?:--|—|––?|__|-\s-)[ \t\xa0]*\Z")
_FENCE = re.compile(r"[ \t]{0,3}(?:`{3,}|~{3,})[ \t]*[\w+-]{0,20}[ \t]*\Z")

_SENT = {row.date[0] for row in LANGUAGES if row.date}
_LABELS: dict[str, set[str]] = {}
for _row in LANGUAGES:
    for _kind, _words in (
        ("sender", _row.sender), ("date", _row.date), ("to", _row.to), ("copy", _row.copy), ("subject", _row.subject),
        ("reply_to", _row.reply_to),
    ):  # fmt: skip
        for _word in _words:
            _LABELS.setdefault(_word, set()).add(_kind)

_DEVICE = r"(?:mobile|phone|iphone|ipad|ipod|android|blackberry|cell|smartphone|tablet|mobil|handy|galaxy|mobiltelefon)"
_FOOTER = re.compile(
    rf"[\s<(\[*_]*(?:{_SENT_FROM}\b.*|{_SENT_FROM}.{{0,60}}"
    rf"|(?:[^\s.!?]+\s){{1,3}}(?:from|via)\s(?:my\s)?{_DEVICE}"
    rf"|.{{0,40}}\boutlook\b.{{0,30}}\b(?:ios|android|mobile)\b.*|.{{0,20}}\b(?:ios|android)\b.{{0,20}}\boutlook\b.{{0,30}}"
    rf"|.{{0,60}}{_DEVICE}.{{0,40}}(?:gesendet|verschickt|sendt|skickat|versendet|geschrieben|verzonden|verstuurd|傳送|发送|發送))[\s>)\].*_!]*\Z",
    re.IGNORECASE,
)
_PROGRAM = re.compile(
    rf"{_DEVICE}|outlook|windows|mail|e-?post|courri|correo|posta|poczt|почт|gmx|yahoo|proton|spark|superhuman|samsung|huawei|\bnine\b|\bk-9\b|\bapp|telefon|телефон"
    r"|sparrow|zoho|\baol\b|\bhtc\b|device|gerät|enhet|dispositi|приложен|posteo|tutanota|thunderbird|typ|excuse|brevity",
    re.IGNORECASE,
)
"""What a footer that is a sentence names; other sentences are somebody's."""
_APOLOGY = re.compile(
    r"excuse|typo|brevity|autocorrect|\bK-9\b|tippfehler|kürze|entschuldig|unnskyld|skrivefeil|ursäkta|stavfel|undskyld|excus|brièveté|disculp|breved|tikfouten"
    r"|scus[ai]|опечатк|краткост",
    re.IGNORECASE,
)
_WARNS = re.compile(
    r"[\s*\[(!⚠️_]*(?:caution|warning|attention|notice|external|extern|important|achtung|vorsicht|warnung|hinweis|advarsel|obs\b|merk\b|forsiktig|varning"
    r"|pas på|let op|waarschuwing|avertissement|atenci[óo]n|precauci[óo]n|aviso|atenção|cuidado|attenzione|avviso|uwaga|ostrzeżenie|внимание|осторожно"
    r"|varoitus|huom|this (?:e-?mail|message) (?:originated|came|was sent) from)",
    re.IGNORECASE,
)
_HEADING = re.compile(r"disclaimer|notice|haftungsausschluss|aviso|avis\b", re.IGNORECASE)
_CHECKED = re.compile(r"(?:[vw][ií]rus|вирус|ウイルス|病毒|바이러스).{0,120}(?:www\.|https?:)", re.IGNORECASE)
_PRINT_LESS = re.compile(rf".{{0,40}}{_PRINTING}", re.IGNORECASE)
_URL = re.compile(r"<?https?://[^\s>)]{1,2000}>?\)?")


def plain(line: str) -> str:
    """A line without the characters that nobody sees."""
    return line.translate(_INVISIBLE).rstrip() if not line.isascii() else line.rstrip()


def is_quoted(line: str) -> bool:
    """`>` before it, or the initials of the quoted writer and `>` ("JD> ...")."""
    return _QUOTED.match(line) is not None and _BETWEEN_ARROWS.match(line[:LONGEST_SEPARATOR]) is None


def is_prompt(line: str) -> bool:
    """What a command was typed behind ("SQL> ", ">>> "), and no usual quote."""
    return _PROMPT.match(line) is not None


def is_barred(line: str) -> bool:
    """`|` before it; that is a quote only where an attribution says so, else it is a table."""
    return _BARRED.match(line) is not None


def unquoted(line: str) -> str:
    return _PREFIXES.sub("", line)


def is_fence(line: str) -> bool:
    return len(line) <= LONGEST_LABEL and _FENCE.match(line) is not None


def is_ruler(line: str) -> bool:
    return _RULER.match(line) is not None


def is_signature_mark(line: str) -> bool:
    return len(line) <= 12 and _SIGNATURE.match(line) is not None


def is_separator(line: str) -> bool:
    """ "-----Original Message-----" and the like, ">>> a name and a time >>>", or the line that tells to write above it."""
    if len(line) > LONGEST_SEPARATOR:
        return False
    if _BETWEEN_ARROWS.match(line):
        return True
    return _is_cover(line, _COVERS) or _WRITE_ABOVE.match(line) is not None


def is_forward(line: str) -> bool:
    """A separator that says that a forwarded mail follows."""
    return len(line) <= LONGEST_SEPARATOR and _is_cover(line, _FORWARDS)


def points_below(text: str) -> bool:
    """Whether somebody says that their answers, or what they write about, stand in the quote below."""
    return _POINTS_BELOW.search(text[:4_000]) is not None


def _is_cover(line: str, words: re.Pattern[str]) -> bool:
    said = unquoted(line).strip("#* \t\xa0")
    between = said[:2].strip(_DASHES) == "" or said[-1:] in (":", "：")
    return between and words.match(said.strip(_DASHES + " \t\xa0:：")) is not None


def is_footer(line: str) -> bool:
    """What a telephone or a mail program adds at the end ("Sent from my iPhone")."""
    short = _URL.sub("", line[:1_000])
    words = len(short.split())
    if short.rstrip()[-1:] in (".", "!", "?", ",") and _PROGRAM.search(line) is None:
        return False
    few = words <= MOST_FOOTER_WORDS or (words <= MOST_APOLOGY_WORDS and _APOLOGY.search(short) is not None)
    return few and len(short) <= LONGEST_FOOTER and _FOOTER.match(short) is not None


def _has(heard: str, words: Iterable[str]) -> bool:
    """Whether one of many words is in it. A pattern of all of them would be tried at each letter, twenty times as slow."""
    return any(word in heard for word in words)


def is_somebodys(paragraph: str) -> bool:
    """Whether a paragraph asks something, or is about whoever writes it: no firm's disclaimer and no mail server's warning does."""
    return "?" in _URL.sub("", paragraph) or "？" in paragraph or _FIRST_PERSON.search(paragraph) is not None


def is_disclaimer(paragraph: str) -> bool:
    """A paragraph with words that only a disclaimer has, or with three of what disclaimers say; and not a person's short sentence about one."""
    said = paragraph[:4_000]
    if is_somebodys(said):
        return False
    if len(said) <= LONGEST_NOTICE and (_CHECKED.search(said) or _PRINT_LESS.match(said)):
        return True
    if len(said) < SHORTEST_DISCLAIMER:
        return False
    heard = _heard(said)
    return _has(heard, _DISCLAIMER) or sum(_has(heard, words) for words in _EVIDENCE) >= 3


def is_disclaiming(line: str) -> bool:
    """A line with a word that disclaimers have, such as the one over it."""
    heard = _heard(line)
    return _HEADING.search(line) is not None or any(_has(heard, words) for words in _EVIDENCE)


def is_banner(paragraph: str) -> bool:
    """What a mail server writes above or below a mail that came from outside."""
    beginning = paragraph[:LONGEST_SEPARATOR]
    if len(paragraph) < SHORTEST_BANNER and not (paragraph.isupper() or paragraph.startswith(("[", "*"))):
        return False
    return (
        len(paragraph) <= LONGEST_BANNER
        and not is_somebodys(paragraph)
        and _WARNS.match(beginning) is not None
        and _BANNER.search(beginning) is not None
    )


def label(line: str) -> tuple[set[str], str] | None:
    """What header field a line shows, in any language, and its value; None when it shows none."""
    beginning = line[: LONGEST_LABEL * 2].replace("：", ":")
    name, colon, _ = beginning.partition(":")
    kinds = _LABELS.get(name.strip(" *_>|\t\xa0").lower()) if colon else None
    return (kinds, line[len(name) + 1 : 1_000].strip(" *_\t\xa0")) if kinds else None


def _is_sent(line: str) -> bool:
    return line.replace("：", ":").partition(":")[0].strip(" *_>|\t\xa0").lower() in _SENT


def is_raw_field(line: str) -> bool:
    """A header field that a mail has and that no program shows over a quote: somebody pasted the header."""
    return _RAW_FIELD.match(line) is not None


def header_lines(lines: Sequence[str], start: int) -> int:
    """How many lines the header fields over a quote take that begin here ("From: ... Sent: ... To: ... Subject: ..."); 0 for none.

    A travel request has From, To and Date too: without a subject, an address or the word for "sent" they are words of the mail.
    """
    if not (first := label(lines[start])) or not first[0] & {"sender", "subject", "date"}:
        return 0
    seen: set[str] = set()
    fields = end = continued = 0
    telling = False
    for index in range(start, min(start + 14, len(lines))):
        line = unquoted(lines[index]) if is_quoted(lines[start]) else lines[index]
        if not line.strip(" *_"):
            # Rich text made plain may have an empty line between two fields, but never two.
            following = lines[index + 1] if index + 1 < len(lines) else ""
            if fields and label(following) and index == end:
                continue
            break
        found = label(line)
        if found is None:
            continued += 1
            if continued > 3 or len(line) > 200:
                break
            continue
        kinds, value = found
        fields += 1
        continued = 0
        # A word may name two fields ("Da:"), so that it counts as the one that is still missing.
        seen |= (kinds - seen) or kinds if len(kinds) == 1 or not kinds & seen else kinds - seen
        telling = telling or "@" in value or "subject" in kinds or (_is_sent(line) and _DIGIT.search(value) is not None)
        end = index + 1
    enough = "sender" in seen and len(seen) >= 3 and fields >= 3 and telling
    if not enough:
        return 0
    while end < len(lines) and end - start < 14 and continued and lines[end].strip() and not label(lines[end]):
        end += 1
        continued -= 1
    return end - start


def attribution_lines(lines: Sequence[str], start: int) -> int:
    """How many lines an attribution takes that begins here ("On 3 May 2026 at 10:00, Per <per@x.example> wrote:"); 0 for none."""
    first = lines[start]
    if not 4 <= len(first) <= LONGEST_ATTRIBUTION:
        return 0
    if not _may_begin(first):
        # In a language that has no row here its end, its date and its time are told on one line, or on a broken one under an empty one.
        alone = start == 0 or not unquoted(lines[start - 1]).strip()
        most = MOST_LINES_OF_ANY if alone and len(first) >= WRAPPED_AT else 1
        return next((taken for taken in range(1, most + 1) if _is_any_attribution(lines, start, taken)), 0)
    joined = ""
    for taken in range(1, MOST_ATTRIBUTION_LINES + 1):
        if start + taken > len(lines):
            break
        line = lines[start + taken - 1]
        joined = f"{joined} {line.strip()}" if joined else line.strip()
        if len(joined) > LONGEST_ATTRIBUTION:
            break
        if _may_end(joined) and is_attribution(joined):
            return taken
        if taken <= MOST_LINES_OF_ANY and _is_any_attribution(lines, start, taken):
            return taken
        if line.endswith((":", "：")) and not line.endswith("mailto:"):
            break
        if taken > 1 and not line.strip() and "<" not in joined and not _next_is_bracket(lines, start + taken):
            break
    return 0


def _following(lines: Sequence[str], index: int) -> str:
    """The next line with words, as far as one empty line away."""
    return next((line for line in lines[index : index + 2] if line.strip()), "")


def _is_any_attribution(lines: Sequence[str], start: int, taken: int) -> bool:
    """Whether a line or two tell who wrote what follows, in any language: they end in a colon and have a year and a time; and an address in
    brackets or a word for "wrote", unless what follows is marked as quoted."""
    if not lines[start + taken - 1 : start + taken] or lines[start + taken - 1].rstrip(" *_-\t\xa0")[-1:] not in (
        ":",
        "：",
    ):
        return False
    said = unquoted(" ".join(line.strip() for line in lines[start : start + taken])).strip(" *_-\t\xa0")
    if len(said.split()) > MOST_WORDS_OF_ANY:
        return False
    year = _YEAR.search(said)
    dated = _HAS_DATE.search(said) if year is None else year
    if dated is None or _CLOCK.search(said) is None:
        return False
    if is_quoted(_following(lines, start + taken)) or _DATED_BY.match(said):
        return True
    if year is None or _OF_ONESELF.search(said):
        return False
    return _IN_BRACKETS.search(said) is not None or _SAYS_WROTE.search(said) is not None


def _next_is_bracket(lines: Sequence[str], index: int) -> bool:
    return index < len(lines) and lines[index].strip() in ("<", "<mailto:")


def is_by_program(attribution: str, *, over_marked: bool) -> bool:
    """Whether an attribution is a program's: not about its writer; and over words that are not marked as quoted, with a time of day, a weekday
    or an address, as those of programs have."""
    told = over_marked or "@" in attribution or _CLOCK.search(attribution) or _WEEKDAY_AND_DATE.search(attribution)
    return bool(told) and _BY_ONESELF.search(attribution) is None


def _may_begin(line: str) -> bool:
    said = unquoted(line).lstrip(" *_-\t\xa0")
    return (
        (_BEGINS_ON.match(said) is not None and _DIGIT.search(said) is not None)
        or _BEGINS_WITH_DATE.match(said) is not None
        or _BEGINS_WITH_NAME.match(said) is not None
        or _BEGINS_WITH_WHOM.match(said) is not None
        or said.endswith("<")
    )


def _may_end(text: str) -> bool:
    return (
        text[-1:] in ":：-*_>" or _ENDS_WROTE.search(text[-40:]) is not None or _DATED_WITH_ZONE.match(text) is not None
    )


def is_attribution(text: str) -> bool:
    """Whether a few lines, joined, tell who wrote what follows."""
    said = unquoted(text).strip(" *_-\t\xa0")
    if not said or len(said.split()) > 50:
        return False
    forms = (_DATED_WITH_ZONE, _DATED_AND_NAMED, _NAMED_AND_DATED) if _DIGIT.search(said) else ()
    if any(form.match(said) for form in (*forms, _NAMES_WHOM)):
        return True
    ends = _ENDS_WROTE.search(said[-60:]) or (not said.isascii() and _ENDS_WROTE_JOINED.search(said[-60:]))
    if not ends and not (said[-1] in ":：" and _WROTE_IN_IT.search(said)):
        return False
    dated = _HAS_DATE.search(said) is not None
    return _BEGINS_WITH_NAME.match(said) is not None or (
        dated and (_BEGINS_ON.match(said) is not None or _BEGINS_WITH_DATE.match(said) is not None)
    )
