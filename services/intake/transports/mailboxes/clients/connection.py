"""A connection to a mail server. Another thread can abort it, and no answer may be larger than expected."""

import contextlib
import socket
import ssl
from collections.abc import Sequence

from services.intake.transports.mailboxes.destinations import Destinations, Target
from services.intake.transports.mailboxes.errors import MailboxError

CONNECT_SECONDS = 20.0
SILENCE_SECONDS = 60.0
"""How long a server may be silent in the middle of an answer."""
MOST_OVERHEAD = 4 * 1024 * 1024
"""Bytes of one answer beside the mail in it."""


class ServerConnection:
    """The protocol libraries wrap the socket as they like (STARTTLS); a duplicate of it always reaches the
    connection."""

    def __init__(self, destinations: Destinations) -> None:
        self._destinations = destinations
        self._duplicate: socket.socket | None = None
        self._is_aborted = False
        self._bytes_left = MOST_OVERHEAD

    def connect(self, host: str, port: int, context: ssl.SSLContext | None) -> socket.socket:
        """A connected socket; encrypted if there is a context. The certificate must be the host's, whatever its
        address. Raises PermanentMailboxError for a host to which no connection is allowed."""
        plain = _connected(self._destinations.resolve(host, port))
        self._duplicate = plain.dup()
        if self._is_aborted:
            self.abort()
        if context is None:
            return plain
        try:
            return context.wrap_socket(plain, server_hostname=host)
        except BaseException:
            plain.close()
            raise

    def expect(self, count: int = 0) -> None:
        """The next answer may have so many bytes, and some more around them."""
        self._bytes_left = count + MOST_OVERHEAD

    def count(self, count: int) -> None:
        """Counts bytes that were read, or will be. Raises MailboxError if the server sends more than expected."""
        self._bytes_left -= count
        if self._bytes_left < 0:
            raise MailboxError("the server sends more than was asked for")

    def abort(self) -> None:
        """Ends the connection, from any thread: whoever reads from it gets end of file."""
        self._is_aborted = True
        if self._duplicate is not None:
            with contextlib.suppress(OSError):
                self._duplicate.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.abort()
        if self._duplicate is not None:
            self._duplicate.close()


def _connected(targets: Sequence[Target]) -> socket.socket:
    """A connection to the first address that accepts one. Raises the OSError of the last address."""
    failed: OSError | None = None
    for target in targets:
        plain = socket.socket(target.family, socket.SOCK_STREAM)
        plain.settimeout(CONNECT_SECONDS)
        try:
            plain.connect((target.address, target.port))
        except OSError as error:
            plain.close()
            failed = error
        else:
            return plain
    raise failed or MailboxError("there is no address to connect to")
