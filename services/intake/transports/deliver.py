"""`python -m services.intake deliver RECIPIENT...` passes a mail on standard input to the LMTP listener, for mail
systems that deliver into a program (procmail, maildrop, `|` in /etc/aliases).

It needs none of the service's settings. Its exit status is 0 only once the listener has accepted the mail for every
recipient. Failures that may pass are EX_TEMPFAIL: the mail system keeps the mail and tries again, and the same mail
twice is one.
"""

import argparse
import os
import re
import signal
import smtplib
import sys
from dataclasses import dataclass
from types import FrameType
from typing import NoReturn

from services.intake.transports.limits import MOST_BYTES

EX_OK, EX_USAGE, EX_DATAERR, EX_NOINPUT, EX_NOUSER = 0, 64, 65, 66, 67
EX_TEMPFAIL, EX_NOPERM, EX_CONFIG = 75, 77, 78
"""Exit statuses of sysexits.h, which mail systems know."""
SECONDS = 300
LISTENER = "127.0.0.1:2424"

_MBOX = re.compile(rb"\A>?From ([^ \r\n]*)[^\r\n]*\r?\n")
_RETURN_PATH = re.compile(rb"\AReturn-Path:[ \t]*<([^<>\r\n]*)>", re.IGNORECASE | re.MULTILINE)
_BARE = re.compile(rb"(?<!\r)\n|\r(?!\n)")


@dataclass(frozen=True, slots=True)
class Ended(Exception):
    """The end of the program: its exit status, and the line that it writes to standard error."""

    status: int
    message: str


def main(arguments: list[str]) -> int:
    """Delivers standard input; returns the exit status, and writes to standard error why it is not 0."""
    signal.signal(signal.SIGTERM, _later)
    signal.signal(signal.SIGALRM, _later)
    signal.alarm(SECONDS)
    try:
        options = _options(arguments)
        raw = sys.stdin.buffer.read(MOST_BYTES + 1)
        sender, mail = _mail(raw, options.sender)
        _deliver(options.listener, sender, options.recipients, mail)
    except Ended as end:
        print(f"deliver: {end.message}", file=sys.stderr)
        return end.status
    except Exception as error:  # a fault of this program is not the mail's: the mail system keeps the mail
        print(f"deliver: not now: {type(error).__name__}: {error}", file=sys.stderr)
        return EX_TEMPFAIL
    return EX_OK


@dataclass(frozen=True, slots=True)
class Options:
    sender: str | None
    listener: str
    recipients: list[str]


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise Ended(EX_USAGE, f"{message}; {' '.join(self.format_usage().split())}")


def _options(arguments: list[str]) -> Options:
    parser = _Parser(prog="python -m services.intake deliver", description="Pass a mail on standard input to the desk.")
    parser.add_argument(
        "--from", dest="sender", help="the sender; by default $SENDER, the From line of mbox, or Return-Path"
    )
    parser.add_argument(
        "--listener",
        default=os.environ.get("LEDGERDESK_LMTP_URL", LISTENER),
        help=f"host:port or the path of a socket; by default LEDGERDESK_LMTP_URL, else {LISTENER}",
    )
    parser.add_argument("recipients", nargs="+", metavar="RECIPIENT")
    found = parser.parse_args(arguments)
    for address in found.recipients:
        _require_address(address)
    return Options(found.sender, found.listener.removeprefix("lmtp://"), found.recipients)


def _require_address(address: str) -> None:
    """An address becomes part of a command of the protocol, so it must be one word without angle brackets."""
    if not 0 < len(address) <= 512 or any(character in "<>" or character <= " " for character in address):
        raise Ended(EX_USAGE, f"{address!r} is not an address")


def _mail(raw: bytes, sender: str | None) -> tuple[str, bytes]:
    """The sender, and the mail without the From line of mbox and with CRLF at the ends of its lines."""
    if not raw.strip():
        raise Ended(EX_NOINPUT, "there is no mail on standard input")
    if len(raw) > MOST_BYTES:
        raise Ended(EX_DATAERR, f"the mail is larger than {MOST_BYTES >> 20} MiB")
    mbox = _MBOX.match(raw)
    if mbox is not None:
        raw = raw[mbox.end() :]
    named = sender if sender is not None else os.environ.get("SENDER")
    if named is None:
        found = mbox or _RETURN_PATH.match(raw)
        named = found.group(1).decode("utf-8", "replace") if found is not None else ""
    named = named.strip().removeprefix("<").removesuffix(">")
    if named:
        _require_address(named)
    return named, _BARE.sub(b"\r\n", raw)


def _deliver(listener: str, sender: str, recipients: list[str], mail: bytes) -> None:
    """Delivers in one transaction. Raises Ended unless the listener accepted the mail for every recipient."""
    try:
        with _connected(listener) as server:
            server.ehlo()
            options = []
            if not all(address.isascii() for address in (sender, *recipients)):
                server.command_encoding = "utf-8"
                options = ["SMTPUTF8"]
            _require(server.mail(sender, options), "the sender was refused")
            replies = [(recipient, server.rcpt(recipient)) for recipient in recipients]
            taken = [recipient for recipient, (code, _) in replies if code == 250]
            refused = [(recipient, reply) for recipient, reply in replies if reply[0] != 250]
            if taken:
                first = server.data(mail)
                # LMTP replies once for every recipient (RFC 2033, section 4.2); smtplib reads only the first reply.
                final = [first, *(server.getreply() for _ in taken[1:])] if first[0] // 100 != 3 else [first]
                refused += [(who, reply) for who, reply in zip(taken, final, strict=False) if reply[0] != 250]
                if len(final) < len(taken):
                    raise Ended(EX_TEMPFAIL, "not now: the listener did not reply for every recipient")
    except (OSError, smtplib.SMTPException) as error:
        raise Ended(EX_TEMPFAIL, f"not now: {listener}: {_describe(error)}") from error
    if refused:
        raise Ended(_status(refused), "; ".join(f"{who}: {code} {_text(said)}" for who, (code, said) in refused))


def _connected(listener: str) -> smtplib.LMTP:
    if listener.startswith("/"):
        return smtplib.LMTP(listener)
    host, colon, port = listener.rpartition(":")
    if not colon or not port.isdigit() or not host:
        raise Ended(EX_CONFIG, f"the listener {listener!r} is neither host:port nor the path of a socket")
    return smtplib.LMTP(host.strip("[]"), int(port), timeout=SECONDS)


def _require(reply: tuple[int, bytes], what: str) -> None:
    code, said = reply
    if code != 250:
        raise Ended(EX_TEMPFAIL if code < 500 else EX_NOPERM, f"{what}: {code} {_text(said)}")


def _status(refused: list[tuple[str, tuple[int, bytes]]]) -> int:
    """If one recipient may succeed later, the mail system keeps the whole mail: to take it twice does no harm."""
    codes = [code for _, (code, _) in refused]
    if any(code < 500 for code in codes):
        return EX_TEMPFAIL
    return EX_NOUSER if all(code in (550, 551, 553) for code in codes) else EX_DATAERR


def _describe(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{error.smtp_code} {_text(error.smtp_error)}"
    return f"{type(error).__name__}: {error}"


def _text(said: bytes | str) -> str:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    return " ".join(text.split())[:300]


def _later(number: int, _: FrameType | None) -> NoReturn:
    why = f"not finished after {SECONDS} s" if number == signal.SIGALRM else "terminated"
    raise Ended(EX_TEMPFAIL, f"not now: {why}")
