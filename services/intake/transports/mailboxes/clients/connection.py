"""A connection to a mail server that another thread can cut, and that takes no more bytes than it was told."""

import contextlib
import socket
import ssl
from collections.abc import Sequence

from services.intake.transports.mailboxes.destinations import Destinations, Target
from services.intake.transports.mailboxes.errors import Trouble

CONNECT_SECONDS = 20.0
SILENCE_SECONDS = 60.0
"""How long a server may say nothing in the middle of an answer."""
MOST_CHATTER = 4 * 1024 * 1024
"""Bytes of one answer beside the mail in it."""


class Wire:
    """One connection. The protocol libraries wrap sockets as they like (STARTTLS): a second handle on it always reaches the connection."""

    def __init__(self, destinations: Destinations) -> None:
        self._destinations = destinations
        self._handle: socket.socket | None = None
        self._cut = False
        self._left = MOST_CHATTER

    def connect(self, host: str, port: int, context: ssl.SSLContext | None) -> socket.socket:
        """A connected socket, encrypted if there is a context; the certificate is the host's, whatever its address. Raises Refused for a host that
        may not be asked."""
        plain = _connected(self._destinations.resolve(host, port))
        self._handle = plain.dup()
        if self._cut:
            self.cut()
        if context is None:
            return plain
        try:
            return context.wrap_socket(plain, server_hostname=host)
        except BaseException:
            plain.close()
            raise

    def allow(self, count: int = 0) -> None:
        """The next answer may have so many bytes, and some chatter around them."""
        self._left = count + MOST_CHATTER

    def took(self, count: int) -> None:
        """Counts bytes that were read, or are about to be. Raises Trouble when the server sends more than it may."""
        self._left -= count
        if self._left < 0:
            raise Trouble("the server sends more than was asked for")

    def cut(self) -> None:
        """Ends the connection from any thread: whoever reads from it gets its end."""
        self._cut = True
        if self._handle is not None:
            with contextlib.suppress(OSError):
                self._handle.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.cut()
        if self._handle is not None:
            self._handle.close()


def _connected(targets: Sequence[Target]) -> socket.socket:
    """A connection to the first of the addresses that takes one. Raises OSError for the last one's trouble."""
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
    raise failed or Trouble("there is no address to connect to")
