"""The envelope of a mail: what the transport said, as opposed to the mail's own header."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Envelope:
    """`sender` is empty for the null sender. `trusted`: the mail came by a channel whose mails may carry instructions
    (A1.26). `client` and `helo`: address and name of the client that brought the mail to the mail system; empty if not
    known."""

    sender: str
    recipients: tuple[str, ...]
    trusted: bool = False
    client: str = ""
    helo: str = ""
