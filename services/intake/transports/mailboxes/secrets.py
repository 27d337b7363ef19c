"""Secrets by name: files in a folder that the environment names (decision record 0027)."""

import re
from pathlib import Path

from services.intake.transports.mailboxes.errors import PermanentMailboxError

LONGEST = 20_000
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def secret(folder: Path | None, name: str) -> str:
    """The content of the secret's file, without its last line break. It is read each time, so that a changed secret
    counts at once.

    Raises PermanentMailboxError with a text that says what is wrong.
    """
    if folder is None:
        raise PermanentMailboxError("LEDGERDESK_SECRETS_DIR is not set, so there are no secrets")
    if not _NAME.fullmatch(name):
        raise PermanentMailboxError("the name of the secret in the document is not valid")
    try:
        with (folder / name).open("rb") as file:
            found = file.read(LONGEST + 1)
        text = found.decode("utf-8").rstrip("\r\n")
    except OSError as error:
        raise PermanentMailboxError(f"the secret {name} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise PermanentMailboxError(f"the secret {name} is not text in UTF-8") from None
    if not text or len(found) > LONGEST:
        raise PermanentMailboxError(f"the secret {name} is {'empty' if not text else 'too long'}")
    return text
