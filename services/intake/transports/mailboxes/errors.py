"""Why mails cannot be fetched from a mailbox, in words for an administrator. No secret ever stands in them."""

MOST_WORDS = 300


class Trouble(OSError):
    """Fetching does not go on now; it is tried again after a pause."""


class Refused(Trouble):
    """The server does not let us in, or lacks what the mailbox's document wants: only a person can help, so that the pause is long from
    the first time, before the server locks the account."""


def words(error: BaseException) -> str:
    """One line about an error, bounded, whatever a server wrote into it."""
    text = str(error) or type(error).__name__
    if not isinstance(error, Trouble):
        text = f"{type(error).__name__}: {text}"
    return "".join(c if c.isprintable() else " " for c in " ".join(text.split()))[:MOST_WORDS]
