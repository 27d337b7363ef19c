"""Mailboxes on other servers. A document names secrets and never holds one (decision record 0027)."""

import re
from urllib.parse import urlsplit

from services.gateway.documents.kind import administrators, kind
from shared.contracts.directory import Mailbox, OAuth2
from shared.database import Connection
from shared.http.problems import FieldError
from shared.loopback import is_loopback

_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|[0-9A-Fa-f:]{2,45}")


async def check(mailbox: Mailbox, _was: Mailbox | None, _: Connection) -> list[FieldError]:
    errors: list[FieldError] = []
    if not _HOST.fullmatch(mailbox.host):
        errors.append(FieldError("/host", "This is not a valid name or address of a server."))
    if mailbox.tls == "none" and not is_loopback(mailbox.host):
        errors.append(FieldError("/tls", "Must be implicit or starttls unless the server is on this machine."))
    if mailbox.protocol == "pop3":
        if mailbox.afterwards != "delete":
            errors.append(FieldError("/afterwards", "Must be delete: POP3 has no flags and no folders."))
        if mailbox.folder != "INBOX":
            errors.append(FieldError("/folder", "Must be INBOX: POP3 has no folders."))
    if (mailbox.afterwards == "move") != (mailbox.move_to is not None):
        wrong = (
            "Name the folder to move mails to." if mailbox.afterwards == "move" else "Only `move` can have a folder."
        )
        errors.append(FieldError("/move_to", wrong))
    elif mailbox.move_to is not None and mailbox.move_to.lower() == mailbox.folder.lower():
        errors.append(FieldError("/move_to", "Must not be the folder that mails are fetched from."))
    if isinstance(mailbox.credential, OAuth2) and not _is_endpoint(mailbox.credential.token_endpoint):
        errors.append(FieldError("/credential/token_endpoint", "This is not a valid https address."))
    return errors


def _is_endpoint(address: str) -> bool:
    """https to anywhere, http to this machine alone; no user, no fragment."""
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return False
    if not host or parts.username is not None or parts.fragment:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))


KIND = kind(
    Mailbox,
    "mailboxes",
    administrators,
    check=check,
    example={
        "slug": "it",
        "name": "IT support",
        "protocol": "imap",
        "host": "imap.example.org",
        "port": 993,
        "user": "it@help.example.org",
        "credential": {"kind": "password", "secret": "imap-it"},  # pragma: allowlist secret
    },
)
