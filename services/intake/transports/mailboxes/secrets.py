"""Secrets by name: files in a folder that the environment names (decision record 0027)."""

import re
from pathlib import Path

from services.intake.transports.mailboxes.errors import Refused

LONGEST = 20_000
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def secret(folder: Path | None, name: str) -> str:
    """What stands in the file, without its last line break. It is read anew each time, so that a changed secret counts at once.

    Raises Refused with words that tell where the secret is missing.
    """
    if folder is None:
        raise Refused("LEDGERDESK_SECRETS_DIR is not set, so that there are no secrets")
    if not _NAME.fullmatch(name):
        raise Refused("the document names a secret in a way that no file can be named")
    try:
        with (folder / name).open("rb") as file:
            found = file.read(LONGEST + 1)
        text = found.decode("utf-8").rstrip("\r\n")
    except OSError as error:
        raise Refused(f"the secret {name} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise Refused(f"the secret {name} is no text in UTF-8") from None
    if not text or len(found) > LONGEST:
        raise Refused(f"the secret {name} is {'empty' if not text else 'too long'}")
    return text
