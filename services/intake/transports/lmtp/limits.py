"""What one LMTP connection may take, in bytes and seconds."""

from dataclasses import dataclass

MOST_RECIPIENTS = 1_000
MOST_CONNECTIONS = 200
MOST_CONNECTIONS_OF_A_PEER = 150
MOST_ERRORS = 20
LONGEST_COMMAND = 4_096
LONGEST_PATH = 512


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds that a client has. A mail server, which is not slowed down by people, needs a small part of them."""

    greeting: float = 20.0
    """From the connection to LHLO."""
    idle: float = 300.0
    """Until the next command begins (RFC 5321, section 4.5.3.2.7), and from MAIL to DATA."""
    command: float = 30.0
    """For a command line, once it has begun."""
    answer: float = 30.0
    """To read a reply."""
    mail: float = 60.0
    """For a mail's content, and for each further `mail_bytes` of a longer one: at least 16 KiB a second at any time."""
    mail_bytes: int = 960 * 1024
    longest: float = 600.0
    """For the content of any mail."""
    slow: float = 10.0
    """A mail may arrive at any rate for this long. After that, a slow one is ended when another mail needs its
    memory."""
