"""Text that nobody typed: footers of telephones and mail programs, firms' disclaimers, mail servers' warnings."""

import re
from collections.abc import Iterable

from services.intake.mail.quoting.languages import LANGUAGES
from services.intake.mail.quoting.patterns import LONGEST_SEPARATOR, URL, any_of

LONGEST_FOOTER = 160
MOST_FOOTER_WORDS = 10
MOST_APOLOGY_WORDS = 25
SHORTEST_DISCLAIMER = 120
LONGEST_NOTICE = 240
SHORTEST_BANNER = 60
LONGEST_BANNER = 600


def _normalised(text: str) -> str:
    """A text as it is compared with the words of disclaimers: in lower case, with single blanks and plain apostrophes,
    and without the difference between the two Turkish letters i."""
    return " ".join(text.lower().replace("i\u0307", "i").replace("ı", "i").replace("’", "'").split())


_SENT_FROM = any_of(word for row in LANGUAGES for word in row.sent_from)
_PRINTING = any_of(word for row in LANGUAGES for word in row.printing)
_BANNER = re.compile(any_of(word for row in LANGUAGES for word in row.banner), re.IGNORECASE)
_DISCLAIMER = tuple(_normalised(word) for row in LANGUAGES for word in row.disclaimer)
_EVIDENCE = tuple(
    tuple(_normalised(word) for word in words)
    for words in (
        [word for row in LANGUAGES for word in row.secret],
        [word for row in LANGUAGES for word in row.recipient],
        [word for row in LANGUAGES for word in row.mistaken],
        [word for row in LANGUAGES for word in row.destroy],
    )
)
_FIRST_PERSON = re.compile(
    r"\b(?:I|I['’](?:m|ve|d|ll)|my|[Jj]eg|[Jj]ag|[Mm]itt|(?:[Ii]ch|[Mm]ir|[Mm]ein(?:e[nrms]?)?)|[Ii]k|[Mm]ijn|[Ii]o|[Mm]i[oae]"
    r"|[Yy]o|[Ee]u|[Mm]eu|[Mm]inha|[Mm]inun|[Mm]inä|[Mm]nie|[Мм]не|[Яя]|[Мм](?:ой|оя|оё|оего))\b|\b[Jj](?:e (?:vous|suis|ne|peux)|['’]ai)\b"
)
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
"""Words of a footer that is a sentence. Other sentences were typed by people."""
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


def is_footer(line: str) -> bool:
    """Whether a telephone or a mail program added this line at the end ("Sent from my iPhone")."""
    short = URL.sub("", line[:1_000])
    words = len(short.split())
    if short.rstrip()[-1:] in (".", "!", "?", ",") and _PROGRAM.search(line) is None:
        return False
    few = words <= MOST_FOOTER_WORDS or (words <= MOST_APOLOGY_WORDS and _APOLOGY.search(short) is not None)
    return few and len(short) <= LONGEST_FOOTER and _FOOTER.match(short) is not None


def _has(heard: str, words: Iterable[str]) -> bool:
    """Whether a text contains one of many words. One pattern with all of them would be twenty times as slow."""
    return any(word in heard for word in words)


def is_personal(paragraph: str) -> bool:
    """Whether a paragraph asks something or is about its writer, unlike firms' disclaimers and mail servers'
    warnings."""
    return "?" in URL.sub("", paragraph) or "？" in paragraph or _FIRST_PERSON.search(paragraph) is not None


def is_disclaimer(paragraph: str) -> bool:
    """Whether a paragraph has words that only disclaimers have, or says three things that disclaimers say. Short
    sentences do not count."""
    said = paragraph[:4_000]
    if is_personal(said):
        return False
    if len(said) <= LONGEST_NOTICE and (_CHECKED.search(said) or _PRINT_LESS.match(said)):
        return True
    if len(said) < SHORTEST_DISCLAIMER:
        return False
    heard = _normalised(said)
    return _has(heard, _DISCLAIMER) or sum(_has(heard, words) for words in _EVIDENCE) >= 3


def is_disclaiming(line: str) -> bool:
    """Whether a line has a word of disclaimers, such as the heading of one."""
    heard = _normalised(line)
    return _HEADING.search(line) is not None or any(_has(heard, words) for words in _EVIDENCE)


def is_banner(paragraph: str) -> bool:
    """Whether a paragraph is a mail server's warning, above or below a mail that came from outside."""
    beginning = paragraph[:LONGEST_SEPARATOR]
    if len(paragraph) < SHORTEST_BANNER and not (paragraph.isupper() or paragraph.startswith(("[", "*"))):
        return False
    return (
        len(paragraph) <= LONGEST_BANNER
        and not is_personal(paragraph)
        and _WARNS.match(beginning) is not None
        and _BANNER.search(beginning) is not None
    )
