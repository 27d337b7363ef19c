"""What one mail says: any bytes become one bounded, typed result. Nothing here raises; what could not be read is told."""

import logging
import re
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from services.intake import mime
from services.intake.mail import calendar, tnef
from services.intake.mail.absences import tells_absence
from services.intake.mail.address_fields import NamedAddress, named_addresses
from services.intake.mail.automatic import answers_by_itself, wants_no_answer
from services.intake.mail.control import control_fields
from services.intake.mail.reports import Report, read_report
from services.intake.mail.spam import Spam, spam_verdict
from services.intake.mime import Part
from services.intake.quoting.cut import new_text
from shared import richtext
from shared.contracts.parts import Address
from shared.contracts.subjects import numbers_named

log = logging.getLogger(__name__)

# With these bounds the longest mail's event stays under what an event may have.
LONGEST_SUBJECT = 300
LONGEST_NAME = 100
MOST_ADDRESSES = 50
MOST_IDS = 100
MOST_FILES = 100

_ADDRESS = re.compile(
    r"(?:[^\s@<>()\[\],;:\"\\]{1,64}|\"(?:[^\"\\\x00-\x1f]|\\[ -~]){1,62}\")@[^\s@<>()\[\],;:\"\\]{1,190}"
)
_MESSAGE_ID = re.compile(r"<[^<>\s]{1,996}>")
_WORDS = ("text/plain", "text/html", "text/enriched", "text/richtext", "text/markdown", "text/x-markdown")
_UNSAFE_NAME = re.compile(r"[\x00-\x1f\x7f/\\\u200e\u200f\u202a-\u202e\u2066-\u2069]+")
"""Marks of direction among them: with one, `annexe\u202efdp.exe` is shown as if it ended in pdf."""
_NAMES = {
    "message/rfc822": "message.eml",
    "text/calendar": "invite.ics",
    "text/vcard": "contact.vcf",
    "text/x-vcard": "contact.vcf",
}


@dataclass(frozen=True, slots=True)
class File:
    """A part that is no text of the mail."""

    name: str
    type: str
    content: bytes
    inline_id: str | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """One mail as it was understood. `wrong` says what could not be; addresses are in lower case.

    `new_text` is what the writer added to what was quoted; `report` what a machine tells of a mail of ours; `auto_reply` and
    `no_answer` say by which mark an automatic answer is known, and why nothing automatic may answer; `tells_absence`: its subject is one of an
    absence, which says something of a mail from the null sender only. `senders` are all addresses that may be read in From,
    `authentication` the values of Authentication-Results, `control` the fields that try to steer a ticket system, as they came; `spam` is what
    a filter in front of us said.
    """

    message_id: str | None = None
    in_reply_to: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    sender: Address | None = None
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    reply_to: tuple[Address, ...] = ()
    subject: str = ""
    numbers: tuple[str, ...] = ()
    written_at: datetime | None = None
    text: str = ""
    new_text: str | None = None
    html: str | None = None
    files: tuple[File, ...] = ()
    media_type: str = "text/plain"
    report_type: str = ""
    auto_submitted: str = ""
    precedence: str = ""
    auto_reply: str = ""
    tells_absence: bool = False
    no_answer: str = ""
    report: Report | None = None
    authentication: tuple[str, ...] = ()
    senders: tuple[str, ...] = ()
    control: tuple[tuple[str, str], ...] = ()
    spam: Spam | None = None
    wrong: tuple[str, ...] = ()


@dataclass(slots=True)
class _Body:
    """What was gathered on the way through the parts."""

    files: list[File] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    spare: list[str] = field(default_factory=list)
    """Words for a mail that has none: of an invitation, of an envelope of Outlook's, of a file that is shown."""


def read(raw: bytes) -> Reading:
    """Reads a mail; where even the structure is beyond reading, the whole of it is the one file of the result."""
    try:
        return _read(raw)
    except Exception as error:  # a mail is never lost for an error of ours: it becomes a ticket with the mail attached
        log.error("a mail of %d bytes could not be read: %s in %s", len(raw), type(error).__name__, place(error))
        return unreadable(raw, type(error).__name__)


def unreadable(raw: bytes, why: str) -> Reading:
    """What is kept of a mail that is beyond reading: the whole of it as a file, and why. Nothing answers it by itself."""
    return Reading(
        subject="A mail that could not be read",
        text=f"This mail could not be read ({why}). It is attached as it came.",
        files=(File("mail.eml", "message/rfc822", raw),),
        no_answer="it could not be read",
        wrong=(f"could not be read: {why}",),
    )


def place(error: BaseException) -> str:
    """Where an error was raised. Its text stays out of the log: it may quote the mail."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "?"


def _read(raw: bytes) -> Reading:
    root, wrong = mime.parse(raw)
    gathered = _Body(wrong=wrong)
    text, html = _words(root, gathered)
    if text is None and html is None:
        text = gathered.spare[0] if gathered.spare else _words_of_enclosed(gathered.files)
    shown: str | None = None
    if html is not None:
        seen, shown = richtext.read(html)
        if shown is None:
            gathered.wrong.append("its rich text is too large to be shown; it is in the original mail")
        if text is None or not text.strip():
            text = mime.clean(seen)
    if text is None:
        text = ""
    if len(gathered.files) > MOST_FILES:
        gathered.wrong.append(f"{len(gathered.files) - MOST_FILES} of its files are in the original mail only")
    senders = addresses(root, "from") or addresses(root, "sender") or addresses(root, "reply-to")
    sender = senders[0].email if senders else ""
    whole_subject = mime.decoded(root.get("subject"))
    subject = _shortened(whole_subject, LONGEST_SUBJECT)
    text = text.strip("\n")
    return Reading(
        message_id=next(iter(_ids(root, "message-id")), None),
        in_reply_to=_ids(root, "in-reply-to"),
        references=_ids(root, "references"),
        sender=senders[0] if senders else None,
        to=_recipients(root, "to", gathered),
        cc=_recipients(root, "cc", gathered),
        reply_to=addresses(root, "reply-to"),
        subject=subject,
        numbers=tuple(numbers_named(whole_subject)),
        written_at=_date(root.get("date")),
        text=text,
        new_text=new_text(text),
        html=shown,
        files=tuple(gathered.files[:MOST_FILES]),
        media_type=root.type,
        report_type=root.parameter("report-type").lower()[:60],
        auto_submitted=_word(root, "auto-submitted"),
        precedence=_word(root, "precedence"),
        auto_reply=answers_by_itself(root, subject),
        tells_absence=tells_absence(subject),
        no_answer=wants_no_answer(root, sender),
        report=read_report(root, text, subject, sender),
        authentication=tuple(value[:4_000] for value in root.all("authentication-results")[:20]),
        senders=_senders(root),
        control=control_fields(root),
        spam=spam_verdict(root),
        wrong=tuple(dict.fromkeys(gathered.wrong))[:20],
    )


def _words_of_enclosed(files: list[File]) -> str | None:
    """What the first enclosed mail says, for a mail that only sends it on."""
    enclosed = next((file for file in files if file.type == "message/rfc822"), None)
    if enclosed is None:
        return None
    root, _ = mime.parse(enclosed.content)
    text, html = _words(root, _Body())
    words = text if text is not None else mime.clean(richtext.read(html or "")[0])
    fields = [(name, mime.decoded(root.get(name))) for name in ("from", "date", "to", "subject")]
    return "\n".join([f"{name.title()}: {value}" for name, value in fields if value] + ["", words])


def _words(part: Part, gathered: _Body) -> tuple[str | None, str | None]:
    """The plain and the rich text of a part; everything else is gathered as files."""
    if part.children:
        return _words_of_many(part, gathered)
    is_shown = part.disposition != "attachment"
    if part.type not in _WORDS or not is_shown or part.file_name:
        if part.type in ("application/ms-tnef", "application/vnd.ms-tnef") or part.file_name.lower() == "winmail.dat":
            _open_envelope(part, gathered)
            return None, None
        file = _file(part, len(gathered.files) + 1)
        gathered.files.append(file)
        if part.type == "text/calendar":
            invitation = calendar.read(part.text)
            gathered.spare += [invitation.words] if invitation else []
        elif part.type == "text/plain" and is_shown:
            gathered.spare.append(part.text)
        return None, None
    if part.is_long:
        gathered.wrong.append(f"a text of more than {mime.MOST_TEXT_BYTES >> 20} MB; its rest is in the original mail")
    text = part.text
    return (None, text) if part.type == "text/html" else (text, None)


def _open_envelope(part: Part, gathered: _Body) -> None:
    """The files of an envelope of Outlook's take its place; one that cannot be read whole stays beside them."""
    envelope = tnef.read(part.content)
    if envelope is None or not envelope.whole:
        gathered.wrong.append("winmail.dat could not be read to its end")
        gathered.files.append(_file(part, len(gathered.files) + 1))
    if envelope is None:
        return
    for enclosed in envelope.files:
        name = _safe_name(enclosed.name) or f"part-{len(gathered.files) + 1}"
        kind = enclosed.type.lower() if mime.is_media_type(enclosed.type.lower()) else "application/octet-stream"
        inline = enclosed.content_id.strip("<> ")[:200]
        gathered.files.append(File(name, kind, enclosed.content, inline or None))
    if envelope.rtf and not envelope.text and not envelope.html:
        gathered.files.append(File("message.rtf", "text/rtf", envelope.rtf))
    if envelope.text:
        gathered.spare.append(envelope.text)
    elif envelope.html:
        gathered.spare.append(mime.clean(richtext.read(envelope.html)[0]))


def _words_of_many(part: Part, gathered: _Body) -> tuple[str | None, str | None]:
    if part.type == "multipart/alternative":
        plain: str | None = None
        rich: str | None = None
        for child in part.children:
            if child.type == "text/x-amp-html":
                continue  # the same words again, for programs that run them
            text, html = _words(child, gathered)
            plain = text if plain is None else plain
            rich = html if html is not None else rich
        return plain, rich
    if part.type in ("multipart/related", "multipart/signed", "multipart/report", "multipart/encrypted"):
        root = _root(part)
        found = _words(root, gathered)
        for child in part.children:
            if child is not root:
                gathered.files.extend(_file(leaf, len(gathered.files) + 1) for leaf in _leaves(child))
        return found
    pairs = [_words(child, gathered) for child in part.children]
    pairs = [pair for pair in pairs if pair != (None, None)]
    if len(pairs) <= 1:
        return pairs[0] if pairs else (None, None)
    texts = [text if text is not None else mime.clean(richtext.read(html or "")[0]) for text, html in pairs]
    return "\n\n".join(text.strip("\n") for text in texts), None


def _root(part: Part) -> Part:
    """The part that the others belong to: the one that `start` names (RFC 2387), else the first, unless that is no text and another is."""
    start = part.parameter("start").strip("<> ") if part.type == "multipart/related" else ""
    named = next((child for child in part.children if start and _content_id(child) == start), None)
    if named is not None or part.type != "multipart/related":
        return named or part.children[0]
    return next((c for c in part.children if c.children or c.type in _WORDS), part.children[0])


def _content_id(part: Part) -> str:
    return part.get("content-id").partition("(")[0].strip().strip("<> ")[:200]


def _leaves(part: Part) -> list[Part]:
    if not part.children:
        return [part]
    return [leaf for child in part.children for leaf in _leaves(child)]


def _file(part: Part, count: int) -> File:
    name = _safe_name(part.file_name)
    if not name:
        name = _NAMES.get(part.type) or f"part-{count}"
    return File(name, part.type, part.content, _content_id(part) or None)


def _safe_name(name: str) -> str:
    """The last part of a path, without what file systems and shells take amiss."""
    plain = _UNSAFE_NAME.sub("_", name.replace("\\", "/").rpartition("/")[2]).strip(" .")
    return _shortened(plain, LONGEST_NAME)


def addresses(part: Part, name: str) -> tuple[Address, ...]:
    """The addresses of a field, each once; what is no address is left out."""
    found: dict[str, Address] = {}
    for each in _named(part, name):
        email = each.address.lower()
        if email not in found:
            found[email] = Address(email=mime.clean(email), name=_shortened(mime.decoded(each.name), LONGEST_NAME))
        if len(found) >= MOST_ADDRESSES:
            break
    return tuple(found.values())


def _recipients(root: Part, name: str, gathered: _Body) -> tuple[Address, ...]:
    """Those of To or Cc; a note tells how many more the mail has."""
    found = addresses(root, name)
    if len(found) == MOST_ADDRESSES:
        more = len({each.address.lower() for each in _named(root, name)}) - len(found)
        if more:
            gathered.wrong.append(f"{more} more addresses in {name.title()} are in the original mail only")
    return found


def _named(part: Part, name: str) -> Iterator[NamedAddress]:
    for value in part.all(name)[:10]:
        yield from (each for each in named_addresses(value) if _ADDRESS.fullmatch(each.address))


def _senders(root: Part) -> tuple[str, ...]:
    """Every address that some program may take for the sender: all in From, also where it follows no grammar."""
    written = (address for each in _named(root, "from") for address in (each.address, *each.rivals))
    return tuple(dict.fromkeys(mime.clean(each.lower()) for each in written))[:MOST_ADDRESSES]


def _ids(part: Part, name: str) -> tuple[str, ...]:
    values = [mime.clean(value) for value in part.all(name)[:10]]
    # Some mail libraries write a long id as encoded words (Python's own does), which RFC 2047 forbids here.
    values += [mime.decoded(value) for value in values if "=?" in value]
    found = dict.fromkeys(each for value in values for each in _MESSAGE_ID.findall(value))
    ids = list(found)
    return tuple(ids if len(ids) <= MOST_IDS else ids[:1] + ids[-(MOST_IDS - 1) :])


def _word(part: Part, name: str) -> str:
    """The keyword that a field begins with, in lower case."""
    return mime.decoded(part.get(name)).partition(";")[0].partition("(")[0].strip().lower()[:60]


def _date(value: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(value)
        date = date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)
    except Exception:
        return None
    return date if 1970 <= date.year <= 2100 else None


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "\u2026"
