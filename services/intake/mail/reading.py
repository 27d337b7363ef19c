"""Reads one mail: any bytes become one bounded, typed result. Nothing here raises; notes tell what could not be
read."""

import logging
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from services.intake.mail.errors import raised_at
from services.intake.mail.quoting.reply import new_text
from services.intake.mail.structure import mime
from services.intake.mail.structure.address_fields import NamedAddress, named_addresses
from services.intake.mail.structure.body import File, read_body
from services.intake.mail.structure.mime import Part
from services.intake.mail.verdicts.absences import tells_absence
from services.intake.mail.verdicts.automatic import automatic_reply_mark, no_reply_reason
from services.intake.mail.verdicts.control import control_fields
from services.intake.mail.verdicts.reports import Report, read_report
from services.intake.mail.verdicts.spam import Spam, spam_verdict
from shared.addresses import comparable, received
from shared.contracts.parts import Address
from shared.rules.subjects import numbers_named

log = logging.getLogger(__name__)

# With these limits the event of the largest mail stays below the limit of an event.
LONGEST_SUBJECT = 300
LONGEST_NAME = 100
MOST_ADDRESSES = 50
MOST_IDS = 100
MOST_FILES = 100
MOST_NOTES = 20

_MESSAGE_ID = re.compile(r"<[^<>\s]{1,996}>")


@dataclass(frozen=True, slots=True)
class Reading:
    """One mail as it was read. Addresses are in lower case.

    - `wrong`: notes about what could not be read.
    - `new_text`: what the writer added to the quotes.
    - `report`: what a program reports about a mail of the desk's.
    - `auto_reply`: the mark of an automatic reply; `no_answer`: why no automatic reply may be sent to it.
    - `tells_absence`: its subject is that of an absence notice, which counts only for mails from the null sender.
    - `senders`: all addresses that programs may read in From.
    - `authentication`: the values of Authentication-Results.
    - `control`: the fields with instructions for ticket systems, as they came.
    - `spam`: the verdict of a spam filter in front of the desk.
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


def read(raw: bytes) -> Reading:
    """Reads a mail. If even its structure cannot be read, the result has the whole mail as its only file."""
    try:
        return _read(raw)
    except Exception as error:  # a fault of this program never loses a mail: it becomes a ticket with the mail attached
        log.error("a mail of %d bytes could not be read: %s in %s", len(raw), type(error).__name__, raised_at(error))
        return unreadable(raw, type(error).__name__)


def unreadable(raw: bytes, why: str) -> Reading:
    """The reading of a mail that cannot be read: the mail as a file, and the reason. It gets no automatic reply."""
    return Reading(
        subject="A mail that could not be read",
        text=f"This mail could not be read ({why}). It is attached as it came.",
        files=(File("mail.eml", "message/rfc822", raw),),
        no_answer="it could not be read",
        wrong=(f"could not be read: {why}",),
    )


def _read(raw: bytes) -> Reading:
    root, wrong = mime.parse(raw)
    body = read_body(root)
    wrong += body.wrong
    if len(body.files) > MOST_FILES:
        wrong.append(f"{len(body.files) - MOST_FILES} of its files are only in the original mail")
    text = body.text
    senders = addresses(root, "from") or addresses(root, "sender") or addresses(root, "reply-to")
    sender = senders[0].email if senders else ""
    whole_subject = mime.decoded(root.get("subject"))
    subject = _shortened(whole_subject, LONGEST_SUBJECT)
    return Reading(
        message_id=next(iter(_ids(root, "message-id")), None),
        in_reply_to=_ids(root, "in-reply-to"),
        references=_ids(root, "references"),
        sender=senders[0] if senders else None,
        to=_recipients(root, "to", wrong),
        cc=_recipients(root, "cc", wrong),
        reply_to=addresses(root, "reply-to"),
        subject=subject,
        numbers=tuple(numbers_named(whole_subject)),
        written_at=_date(root.get("date")),
        text=text,
        new_text=new_text(text),
        html=body.html,
        files=tuple(body.files[:MOST_FILES]),
        report_type=root.parameter("report-type").lower()[:60],
        auto_submitted=_word(root, "auto-submitted"),
        precedence=_word(root, "precedence"),
        auto_reply=automatic_reply_mark(root, subject),
        tells_absence=tells_absence(subject),
        no_answer=no_reply_reason(root, sender),
        report=read_report(root, text, subject, sender),
        authentication=tuple(value[:4_000] for value in root.all("authentication-results")[:20]),
        senders=_senders(root),
        control=control_fields(root),
        spam=spam_verdict(root),
        wrong=_limited(dict.fromkeys(wrong)),
    )


def _limited(notes: Iterable[str]) -> tuple[str, ...]:
    """The first notes, and how many more there are."""
    each = tuple(notes)
    if len(each) <= MOST_NOTES:
        return each
    return (*each[: MOST_NOTES - 1], f"{len(each) - MOST_NOTES + 1} more notes of this kind; read the original mail")


def addresses(part: Part, name: str) -> tuple[Address, ...]:
    """The addresses of a field, each once; anything that is not an address is left out."""
    found: dict[str, Address] = {}
    for each in _named(part, name):
        if each.email not in found:
            found[each.email] = each.model_copy(update={"name": _shortened(mime.decoded(each.name), LONGEST_NAME)})
        if len(found) >= MOST_ADDRESSES:
            break
    return tuple(found.values())


def _recipients(root: Part, name: str, wrong: list[str]) -> tuple[Address, ...]:
    """The addresses of To or Cc. A note tells how many more the mail has."""
    found = addresses(root, name)
    if len(found) == MOST_ADDRESSES:
        more = len({each.email for each in _named(root, name)}) - len(found)
        if more:
            wrong.append(f"{more} more addresses in {name.title()} are only in the original mail")
    return found


def _named(part: Part, name: str) -> Iterator[Address]:
    for each in _written(part, name):
        email = received(mime.clean(each.address))
        if email is not None:
            yield Address(email=email, name=each.name)


def _written(part: Part, name: str) -> Iterator[NamedAddress]:
    for value in part.all(name)[:10]:
        yield from named_addresses(value)


def _senders(root: Part) -> tuple[str, ...]:
    """Every address that some program may take for the sender: all in From, even if the field does not follow the
    grammar."""
    written = (address for each in _written(root, "from") for address in (each.address, *each.rivals))
    return tuple(dict.fromkeys(comparable(mime.clean(each)) for each in written))[:MOST_ADDRESSES]


def _ids(part: Part, name: str) -> tuple[str, ...]:
    values = [mime.clean(value) for value in part.all(name)[:10]]
    # Some mail libraries (Python's too) write a long id as encoded words, which RFC 2047 forbids here.
    values += [mime.decoded(value) for value in values if "=?" in value]
    found = dict.fromkeys(each for value in values for each in _MESSAGE_ID.findall(value))
    ids = list(found)
    return tuple(ids if len(ids) <= MOST_IDS else ids[:1] + ids[-(MOST_IDS - 1) :])


def _word(part: Part, name: str) -> str:
    """The keyword with which a field begins, in lower case."""
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
