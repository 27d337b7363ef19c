"""The envelope of a fetched mail, as far as its header tells it. Pure rules over the mail's bytes."""

import re

from services.intake.mail.structure.address_fields import named_addresses
from services.intake.mailroom.envelope import Envelope
from shared.contracts.directory import Mailbox

MOST_HEADER = 256 * 1024
"""Bytes of a header that are read."""
MOST_RECIPIENTS = 20
LONGEST_ADDRESS = 512

_FIELD = re.compile(rb"^([!-9;-~]+)[ \t]*:((?:[^\n]*)(?:\n[ \t][^\n]*)*)\n?", re.MULTILINE)
_RECIPIENT = (b"x-original-to", b"envelope-to", b"delivered-to")
"""The fields in which servers write the recipient, the most exact first: the address before aliases (Postfix), all
recipients (Exim), the mailbox (others)."""


def envelope_of(raw: bytes, mailbox: Mailbox) -> Envelope:
    """The envelope of a mail as the mailbox's server received it.

    The sender is the Return-Path that the server wrote; without one, the address in From. The recipient is the one in
    the mailbox's document; without one, the one that the server of a trusted mailbox wrote above the first Received
    field (the sender may have written the fields below). If the mailbox is not trusted, the recipient stays unknown, so
    that To and Cc decide on the queue.
    """
    fields = _fields(raw)
    if mailbox.recipient is not None:
        recipients: tuple[str, ...] = (mailbox.recipient,)
    else:
        recipients = _recipients(fields) if mailbox.trusted else ()
    return Envelope(_sender(fields), recipients, trusted=mailbox.trusted)


def _fields(raw: bytes) -> list[tuple[bytes, str]]:
    """The header's fields, unfolded. Lines that are not fields are skipped."""
    head = raw[:MOST_HEADER].replace(b"\r\n", b"\n")
    end = head.find(b"\n\n")
    head = head if end < 0 else head[: end + 1]
    return [
        (found.group(1).lower(), found.group(2).decode("utf-8", "replace").replace("\n", " ").strip())
        for found in _FIELD.finditer(head)
    ]


def _recipients(fields: list[tuple[bytes, str]]) -> tuple[str, ...]:
    top: dict[bytes, list[str]] = {}
    for name, value in fields:
        if name == b"received":
            break
        if name in _RECIPIENT:
            top.setdefault(name, []).append(value)
    for name in _RECIPIENT:
        found = [each for each in _addresses(top.get(name, [])) if each]
        if found:
            return tuple(dict.fromkeys(found))[:MOST_RECIPIENTS]
    return ()


def _sender(fields: list[tuple[bytes, str]]) -> str:
    for name, value in fields:
        if name == b"return-path":
            path = value.strip().removeprefix("<").removesuffix(">").strip()
            return path if not path or _is_address(path) else ""
    written = next((value for name, value in fields if name == b"from"), "")
    return next((each for each in _addresses([written]) if each), "")


def _addresses(values: list[str]) -> list[str]:
    found = (each.address for value in values for each in named_addresses(value[:10_000]))
    return [each for each in found if _is_address(each)]


def _is_address(text: str) -> bool:
    return (
        0 < text.find("@") < len(text) - 1
        and len(text) <= LONGEST_ADDRESS
        and all(c > " " and c not in "<>\x7f" for c in text)
    )
