"""Why mails cannot be fetched from a mailbox, in words for an administrator. Their texts never hold a secret."""

LONGEST_DESCRIPTION = 300


class MailboxError(OSError):
    """Fetching failed; it is tried again after a pause."""


class PermanentMailboxError(MailboxError):
    """The server refuses to let us in, or lacks what the mailbox's document requires. Only a person can help, so the
    pause is long from the first time, before the server locks the account."""


def describe(error: BaseException) -> str:
    """One line about an error, of bounded length, whatever a server wrote into it."""
    text = str(error) or type(error).__name__
    if not isinstance(error, MailboxError):
        text = f"{type(error).__name__}: {text}"
    return "".join(c if c.isprintable() else " " for c in " ".join(text.split()))[:LONGEST_DESCRIPTION]
