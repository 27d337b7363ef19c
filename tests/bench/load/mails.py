"""The mails of a measurement: those of the shared corpora, else letters, replies, reports and files made here."""

import base64
import os
import random
import re
import uuid
from pathlib import Path

from tests.specs.intake.quoting.replies import LETTERS, RICH_REPLIES

CORPORA = Path(os.environ.get("LEDGERDESK_CORPORA", Path(__file__).parents[4] / "shared" / "corpora"))
"""The folder of the shared corpora, unless `LEDGERDESK_CORPORA` names another."""
FOLDERS = (
    "stalwart-mail-parser/resources/eml", "ruby-mail/spec/fixtures/emails", "rspamd/test/functional/messages",
    "sisimai-set-of-emails/maildir",
    "flufl.bounce/tests/data", "talon/tests/fixtures/standard_replies",
)  # fmt: skip


def mix() -> tuple[str, list[bytes]]:
    """What kind of mails they are, and the mails with CRLF line ends."""
    found = [
        path.read_bytes()
        for folder in FOLDERS
        for path in sorted((CORPORA / folder).rglob("*"))
        if path.is_file() and path.suffix not in (".json", ".py") and path.name not in ("COPYING", ".gitattributes")
    ]
    kind, mails = ("mails of the shared corpora", found) if found else ("mails made here", _made())
    return f"{len(mails)} {kind}", [re.sub(rb"\r?\n", b"\r\n", raw) for raw in mails if raw]


def as_new(raw: bytes) -> bytes:
    """The same mail from a new customer, with a new Message-ID."""
    name = uuid.uuid4().hex
    fields = f"Message-ID: <{name}@customer.example>\r\nFrom: {name[:12]}@customer.example\r\n".encode()
    # A mail that has no header gets one; mbox's line may only be the first.
    raw = re.sub(rb"\A>?From [^\r\n]*\r\n", b"", raw)
    return fields + (raw if re.match(rb"[!-9;-~]+[ \t]*:", raw) else b"\r\n" + raw)


def stuffed(raw: bytes) -> bytes:
    """With dot-stuffing (RFC 5321, section 4.5.2)."""
    return re.sub(rb"(?m)^\.", b"..", raw)


def _made() -> list[bytes]:
    chance = random.Random(5)
    letters = [text for text, _ in LETTERS.values()]
    rich = list(RICH_REPLIES.values())
    mails = [_letter(chance.choice(letters)) for _ in range(60)]
    mails += [_alternative(text, html) for text in letters[:8] for html in rich[:5]]
    mails += [
        _with_file(chance.choice(letters), chance.randbytes(size)) for size in (2_000, 30_000, 200_000, 1_000_000)
    ]
    mails += [_report(n) for n in range(20)]
    return [mail.encode() for mail in mails]


def _letter(text: str) -> str:
    return f"To: bench@help.example.org\nSubject: My computer hums\nContent-Type: text/plain; charset=utf-8\n\n{text}\n"


def _alternative(text: str, html: str) -> str:
    rich = base64.encodebytes(html.encode()).decode()
    return (
        "To: bench@help.example.org\nSubject: Re: My computer hums\nContent-Type: multipart/alternative; boundary=b\n\n"
        f"--b\nContent-Type: text/plain; charset=utf-8\n\n{text}\n"
        f"--b\nContent-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: base64\n\n{rich}--b--\n"
    )


def _with_file(text: str, content: bytes) -> str:
    return (
        "To: bench@help.example.org\nSubject: The log\nContent-Type: multipart/mixed; boundary=b\n\n"
        f"--b\nContent-Type: text/plain; charset=utf-8\n\n{text}\n--b\n"
        "Content-Type: application/octet-stream; name=log.bin\n"
        f"Content-Disposition: attachment\nContent-Transfer-Encoding: base64\n\n"
        f"{base64.encodebytes(content).decode()}--b--\n"
    )


def _report(n: int) -> str:
    return (
        "From: MAILER-DAEMON@mx.example\nSubject: Undelivered Mail Returned to Sender\n"
        "Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n"
        f"--b\n\nThe mail could not be delivered to user{n}@gone.example.\n"
        "--b\nContent-Type: message/delivery-status\n\n"
        f"Reporting-MTA: dns; mx.example\n\nFinal-Recipient: rfc822; user{n}@gone.example\n"
        "Action: failed\nStatus: 5.1.1\n"
        "Diagnostic-Code: smtp; 550 5.1.1 user unknown\n--b--\n"
    )
