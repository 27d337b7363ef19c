"""Reads delivery reports, by the standard (RFC 3464) and in the many other forms, and complaints (RFC 5965)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from services.intake.mail.charsets.decoding import decode
from services.intake.mail.structure import mime
from services.intake.mail.structure.mime import Part
from services.intake.mail.verdicts.dead_addresses import is_dead, status_of
from services.intake.mail.verdicts.json_reports import read_json_report
from shared.addresses import comparable

MOST_FAILURES = 50
LONGEST_DIAGNOSTIC = 500
LONGEST_NOTICE = 20_000

Kind = Literal["failure", "delay", "delivered", "complaint"]


@dataclass(frozen=True, slots=True)
class Failure:
    """One address that a mail did not reach. `hard`: the address itself is dead; `diagnostic`: the server's words."""

    recipient: str
    status: str
    hard: bool
    diagnostic: str


@dataclass(frozen=True, slots=True)
class Report:
    """What a program reports about a mail. `certain`: a person cannot have written it; otherwise it counts only from
    the null sender.

    `original_ids`: the Message-ID of the mail that it is about.
    """

    kind: Kind
    certain: bool
    failures: tuple[Failure, ...] = ()
    original_ids: tuple[str, ...] = ()

    def counts(self, envelope_from: str) -> bool:
        """Whether a mail from this envelope sender is really the report that its words make it. Only reports come from
        the null sender (empty; RFC 5321, 4.5.5)."""
        return self.certain or not envelope_from


_ADDRESS = re.compile(
    r"[^\s<>()\[\],;:\"'|@{}\u3000-\u30ff]{1,64}@[A-Za-z0-9\u0080-\uffff_-]{1,63}(?:\.[A-Za-z0-9\u0080-\uffff_-]{1,63}){0,8}"
)
_MESSAGE_ID = re.compile(
    r"^(?:message-id|original-message-id)[ \t]*:\s*(<[^<>\s]{1,996}>)", re.IGNORECASE | re.MULTILINE
)
_DAEMON = re.compile(
    r"(?:mailer-?daemon|mail\.?daemon|mdaemon|postmaster|post_master|mail\.?delivery(?:[._-]?(?:sub)?system)?|maildelivery|bounces?|ndr"
    r"|double-bounce|mail-?system|mailadmin|smtp|inetgw\d*|imss|mmdf|uucp|.*antivirus.*|.*_smtp_.*)\b",
    re.IGNORECASE,
)
_SUBJECT = re.compile(
    r"undeliver|non-?deliver|not? (?:be )?deliver|could(?: ?n[o']t| not) (?:be )?deliver|return(?:ed|ing)(?: e?-?mail| message| to sender)"
    r"|deliver(?:y|ing)?[\s:]*(?:status|failure|problem|error|failed|warning|has failed|report|notification|delay)|fail(?:ed|ure)(?: mail| notice| delivery| to deliver)"
    r"|mail (?:delivery|error|failure|failed|system error|not delivered)|message (?:delivery|status|not delivered|undeliverable|delayed)|processing error"
    r"|(?:user|address|mailbox|host) (?:unknown|not found)|message .{0,30}\bdelayed|nameserver error|email delivery|unzustellbar|nicht zugestellt|zustellung"
    r"|не доставлен|недоставлен|ikke lever|ikke leveres|kunne ikke|kunde inte levereras|no entregad|no se pudo entregar|non recapitat|mancato recapito"
    r"|remise|échec|niet bezorgd|onbestelbaar|nie dostarczon|niedostarcz|não entregue|未送达|退信|配信|送信エラー|傳送失敗|loop alert|automatically rejected mail"
    r"|non remis|kan ikke leveres|(?:kan|går|gick) (?:inte|ikkje) (?:att )?lever|leverering mislyk|levering mislyk|ei voi(?:tu|da)? toimittaa|(?:no|não) (?:se )?(?:puede|é possível) entregar"
    r"|non recapitabile|impossibile recapitare|nedoručiteln|kézbesíthetetlen|投递失败|无法投递|returned to you",
    re.IGNORECASE,
)
_NOTICE = re.compile(
    r"(?:could|can|was|were|has|have|did)(?: ?n[o']t| not) (?:be |been )?(?:deliver|reach|sent)|unable to (?:be )?deliver|cannot (?:be )?deliver|undeliver|failed to deliver"
    r"|deliver(?:y|ing)[^.\n]{0,60}(?:fail|error|problem|delay|abort)|failed[^.\n]{0,40}deliver|permanent(?:ly)? (?:fatal )?(?:error|fail)|did not reach|returned to sender|mail(?:box)? (?:is )?full"
    r"|(?:message|mail)[^.\n]{0,60}(?:delayed|not been delivered|not yet been delivered)|user unknown|unknown user|host unknown|quota exceeded"
    r"|following (?:address|recipient)(?:es|s|\(es\)|\(s\))?[^.\n]{0,30}(?:fail|had|:)|transcript of session|error(?:s)? (?:while|when|during|in)[^.\n]{0,40}(?:deliver|transmi|send)"
    r"|not (?:yet )?been delivered|requested action not taken|no such user|invalid (?:user|recipient)|while attempting to deliver|envelope expired"
    r"|postponed due to|\b5\.\d\.\d{1,3} |nicht zugestellt|unzustellbar|не (?:было )?доставлен|ikke (?:blitt )?levert|ikke leveres|inte levereras|no (?:se )?(?:ha )?pud\w+ (?:ser )?entreg|n'a pas pu être|niet (?:worden )?bezorgd"
    r"|nie (?:mogła|mógł|został)|não (?:pôde|foi) (?:ser )?entregue|(?:levering|remise)[^.\n]{0,60}(?:mislyk|échou)|échec de la remise|gick inte att leverera|配信でき|送信でき|届け|无法送达|退回",
    re.IGNORECASE,
)
_LIST_FOLLOWS = re.compile(
    r"(?:did not reach|not delivered to|undeliverable to|deliver (?:your message )?to) the following[^\n]{0,60}|following (?:address|recipient)[^\n]{0,60}",
    re.IGNORECASE,
)
_EXPANDED = re.compile(
    rf"(?:expanded from|original address|originally to)[ \t]*:?\s*<?({_ADDRESS.pattern})", re.IGNORECASE
)
_AFTER_DATA = re.compile(r"end of data|>>> data\s+<<< 5|after data|in reply to data", re.IGNORECASE)
_COMPLAINT = re.compile(r"^\s*complaint about message from", re.IGNORECASE)
_DELAY = re.compile(
    r"\bdelay(?:ed)?\b|postponed|will (?:be|keep) (?:retr|try|attempt)|still (?:being )?(?:retr|try)|not yet been delivered|warning.{0,40}(?:not been|hours)|do(?: not|n't) need to resend",
    re.IGNORECASE,
)
_COPY_FOLLOWS = re.compile(
    r"^[ \t]*(?:[-=_*#>.]{2,}[ \t]*(?:original|this is a copy|below this line|copy of|the header|header|unsent|returned|message header|your (?:original )?message|attached|forwarded|begin)"
    r"|(?:received|return-path|message-id|mime-version|x-mailer|dkim-signature)[ \t]*:[ \t]*\S"
    r"|(?:original (?:message|headers?|mail) (?:follows|headers|text|:)|message headers? follow|the (?:first|header|original)[^\n]{0,60}follow"
    r"|(?:here is|this is|below is) (?:a|the) copy|included is a copy|below is a copy)"
    r").*$",
    re.IGNORECASE | re.MULTILINE,
)
_FIELD = re.compile(r"^([A-Za-z][A-Za-z0-9-]{1,40})[ \t]*:[ \t]*(.*(?:\n[ \t]+.*)*)", re.MULTILINE)
_MARKED = re.compile(
    rf"^[ \t>*-]*(?:<<< )?(?:[45]\d\d[ -](?:[45]\.\d{{1,3}}\.\d{{1,3}} )?)?(?:(?:failed |original-?|final-?|intended |bad )?(?:rcpt to|recipients?|to|addresse?e?s?|user|e-?mail|whom)[ \t]*[:=][ \t]*)?[<(\[\"']?((?>{_ADDRESS.pattern}))[>)\]\"']?[ \t]*(?:[:;.,(\[-]|\Z|$|\.\.\.)",
    re.IGNORECASE | re.MULTILINE,
)


def read_report(root: Part, text: str, subject: str, sender: str) -> Report | None:
    """The report in a mail, if any; `text` is the text that a reader sees."""
    parts = list(_walk(root))
    report_type = root.parameter("report-type").lower() if root.type == "multipart/report" else ""
    other = _other_report(parts, text, subject, report_type)
    if other is not None:
        return replace(other, original_ids=other.original_ids or _original_ids(parts, text))
    groups = _status_groups(root, parts, text, report_type)
    by_daemon = _by_daemon(root, sender)
    certain = by_daemon or report_type == "delivery-status" or bool(root.get("x-failed-recipients"))
    if not groups and report_type == "disposition-notification":
        return None
    if not groups and not _says_so(text, subject, by_daemon, certain):
        return None
    notice = _notice(text)
    originals = _original_ids(parts, text)
    failures, actions = _from_groups(groups, notice)
    if actions and actions <= {"delivered", "relayed", "expanded"}:
        return Report("delivered", certain, (), originals)
    if not failures:
        failures = _from_notice(root, notice, sender, _returned(parts, text))
    gave_up = _gave_up(notice) or not _DELAY.search(f"{subject}\n{notice}")
    delayed = actions <= {"delayed"} if actions else not gave_up
    return Report("delay" if delayed else "failure", certain, tuple(failures[:MOST_FAILURES]), originals)


def _other_report(parts: list[Part], text: str, subject: str, report_type: str) -> Report | None:
    """Complaints (RFC 5965, and those of large providers that do not follow it), and reports in JSON."""
    if report_type == "feedback-report" or any(part.type == "message/feedback-report" for part in parts):
        return Report("complaint", certain=True)
    if _COMPLAINT.search(subject) or _COMPLAINT.search(text[:1_000]):
        return Report("complaint", certain=False)
    told = read_json_report(text)
    if told is None:
        return None
    failures: list[Failure] = []
    for each in told.recipients:
        address = comparable(next(iter(_addresses(each.address)), ""))
        said = each.words.partition(";")[2] or each.words
        status = each.status or status_of(said)
        dead = is_dead(said, status) if each.dead is None else each.dead
        if address:
            failures.append(Failure(address, status, dead, " ".join(said.split())[:LONGEST_DIAGNOSTIC]))
    return Report(told.kind, certain=False, failures=tuple(failures), original_ids=told.original_ids)


def _status_groups(root: Part, parts: list[Part], text: str, report_type: str) -> list[dict[str, str]]:
    """The groups of fields for each recipient in a standard report, also if its parts have lost their types."""
    types = ["message/delivery-status", "message/global-delivery-status"]
    if "rejected" in root.get("auto-submitted").lower():
        types.append("message/disposition-notification")  # how the rules of a mailbox refuse a mail (RFC 5429)
    groups = [group for part in parts if part.type in types for group in _groups(_plain(part))]
    if not groups and (report_type or "final-recipient" in text.lower()):
        groups = [group for group in _groups(text) if "final-recipient" in group]
    return groups


def _says_so(text: str, subject: str, by_daemon: bool, certain: bool) -> bool:
    """Whether the words of a mail without a status say that another mail was not delivered."""
    if certain and not by_daemon:
        return True
    # Words alone are a report only from the null sender, which `Report.counts` checks.
    return (by_daemon and _SUBJECT.search(subject) is not None) or _NOTICE.search(_notice(text)) is not None


def _walk(part: Part) -> Iterator[Part]:
    yield part
    for child in part.children:
        yield from _walk(child)


def _by_daemon(root: Part, sender: str) -> bool:
    local = sender.partition("@")[0]
    if _DAEMON.fullmatch(local):
        return True
    names = f"{root.get('from')} {root.get('sender')}".lower()
    return any(
        word in names for word in ("mail delivery", "mailer-daemon", "system administrator", "mail administrator")
    ) or (root.get("return-path").strip() in ("<>", "<MAILER-DAEMON>") and not root.get("from"))


def _plain(part: Part) -> str:
    return mime.clean(decode(part.content, part.parameter("charset")))


def _groups(text: str) -> list[dict[str, str]]:
    """The groups of fields of a delivery status, without the first one, which is about the mail."""
    found: list[dict[str, str]] = []
    for block in re.split(r"\n[ \t]*\n", text[:200_000]):
        fields: dict[str, str] = {}
        for match in _FIELD.finditer(block):
            name = match.group(1).lower()
            if name in ("final-recipient", "original-recipient") and name in fields:
                found.append(fields)
                fields = {}
            fields.setdefault(name, " ".join(match.group(2).split()))
        if fields.keys() & {"final-recipient", "original-recipient", "x-actual-recipient"}:
            found.append(fields)
        elif found and fields.keys() & {"status", "diagnostic-code", "action"} and "action" not in found[-1]:
            found[-1] |= fields
    return found[: MOST_FAILURES * 2]


def _from_groups(groups: list[dict[str, str]], notice: str) -> tuple[list[Failure], set[str]]:
    found: dict[str, Failure] = {}
    actions: set[str] = set()
    for group in groups:
        action = group.get("action", "failed").partition(" ")[0].partition(";")[0].lower()
        actions.add(action)
        if action in ("delivered", "relayed", "expanded"):
            continue
        recipient = next(
            (found for name in ("original-recipient", "final-recipient") for found in _addresses(group.get(name, ""))),
            "",
        )
        if not recipient:
            continue
        words = group.get("diagnostic-code", "") or group.get("x-notes", "")
        status = group.get("status", "").partition(" ")[0]
        if not re.fullmatch(r"[245]\.\d{1,3}\.\d{1,3}", status):
            status = ""
        more = status_of(words)
        if more and (not status or status.endswith((".0.0", ".0"))):
            status = more
        found.setdefault(recipient.lower(), _failure(recipient, status, words, notice, action, alone=len(groups) == 1))
    return list(found.values()), actions


def _failure(recipient: str, status: str, words: str, notice: str, action: str, *, alone: bool) -> Failure:
    """A failure, judged by its own words. If they say little, the notice's words about the recipient are added."""
    said = words.partition(";")[2] if ";" in words[:20] else words
    telling = bool(re.search(r"[^\W\d_]{3,}\W+[^\W\d_]{2,}", said))
    if not telling:
        said = f"{said} {_around(notice, recipient) or (notice if alone else '')}"
    dead = is_dead(said, status, action, after_data=alone and _AFTER_DATA.search(f"{said}\n{notice}") is not None)
    return Failure(comparable(recipient), status, dead, " ".join(said.split())[:LONGEST_DIAGNOSTIC])


def _addresses(text: str) -> list[str]:
    """The addresses in a text, without prefixes that some systems write ("SMTP=...")."""
    found = (
        re.sub(r"^.*(?:smtp|rfc822|rfc-822|to|mailto)=", "", each, flags=re.IGNORECASE)
        for each in _ADDRESS.findall(text)
    )
    return [each.strip(".'") for each in found if not each.startswith("@")]


def _around(notice: str, recipient: str) -> str:
    """What a notice says about a recipient: the text after it, up to the next recipient."""
    at = notice.lower().find(recipient.lower())
    if at < 0:
        return ""
    rest = notice[at + len(recipient) : at + 2_000]
    following = next((m for m in _MARKED.finditer(rest, 1) if m.group(1).lower() != recipient.lower()), None)
    before = notice[notice.rfind("\n", 0, at) + 1 : at]
    return f"{before} {rest[: following.start()] if following else rest}"


def _notice(text: str) -> str:
    """A report's own words, before the copy of the mail that it is about."""
    cut = _COPY_FOLLOWS.search(text, 0, LONGEST_NOTICE)
    return text[: min(cut.start() if cut else LONGEST_NOTICE, LONGEST_NOTICE)]


def _returned(parts: list[Part], text: str) -> str:
    """The header of the mail that a report is about, if it was returned."""
    for part in parts:
        if part.type in ("message/rfc822", "text/rfc822-headers", "message/rfc822-headers", "message/global"):
            return _plain(part)[:20_000]
    cut = _COPY_FOLLOWS.search(text, 0, LONGEST_NOTICE)
    return text[cut.start() : cut.start() + 20_000] if cut else ""


def _original_ids(parts: list[Part], text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_MESSAGE_ID.findall(_returned(parts, text))))[:3]


def _gave_up(notice: str) -> bool:
    return (
        re.search(
            r"permanent|gave up|giving up|not going to try again|undeliverable|has been returned", notice, re.IGNORECASE
        )
        is not None
    )


def _from_notice(root: Part, notice: str, sender: str, returned: str) -> list[Failure]:
    """The recipients that a notice without a known form names: those at the beginning of a line, else all, else those
    of the returned mail."""
    own = {sender.lower()} | {found.lower() for value in root.all("to") for found in _addresses(value)}
    named = [found for value in root.all("x-failed-recipients") for found in _addresses(value)]
    listed = _LIST_FOLLOWS.search(notice)
    for words in (notice[listed.end() :] if listed else "", notice):
        lines = [each for match in _MARKED.finditer(words) for each in _addresses(match.group(1))]
        named = named or [each for each in lines if each.lower() not in own]
        named = named or [each for each in _addresses(words) if each.lower() not in own]
        named = named or lines
    named += [each for match in _EXPANDED.finditer(notice) for each in _addresses(match.group(1))]
    if not named:
        fields = re.findall(
            r"^(?:to|x-original-to|delivered-to)[ \t]*:(.*(?:\n[ \t]+.*)*)", returned, re.IGNORECASE | re.MULTILINE
        )
        named = [found for value in fields[:2] for found in _addresses(value)]
    people = [each for each in named if not _DAEMON.fullmatch(each.partition("@")[0])]
    unique = {each.lower() for each in people or named}
    delayed = _DELAY.search(notice) is not None and not _gave_up(notice)
    found: list[Failure] = []
    for recipient in dict.fromkeys(each.lower() for each in people or named):
        words = _around(notice, recipient) if len(unique) > 1 else notice
        if not re.search(r"[^\W\d_]{3,}\W+[^\W\d_]{2,}", words):
            words = notice
        status = status_of(words) or status_of(notice)
        dead = is_dead(
            words, status, "delayed" if delayed else "failed", after_data=_AFTER_DATA.search(words) is not None
        )
        found.append(Failure(comparable(recipient), status, dead, " ".join(words.split())[:LONGEST_DIAGNOSTIC]))
    return found[:MOST_FAILURES]
