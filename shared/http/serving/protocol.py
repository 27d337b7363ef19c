"""uvicorn's HTTP/1.1 protocol with limits (docs/decisions/0098).

Limited are connections, the size and time of a request's head and body, and the time to read a response.
"""

import re
import time
from collections.abc import Callable, Iterable
from typing import Any, Protocol

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from shared.http import problems
from shared.network import network
from shared.runtime.admission import Admission

HEAD_BYTES = 64 * 1024
HEAD_SECONDS = 20.0
BODY_SECONDS = 20.0
"""For each BODY_BYTES of a body: at least 16 KiB a second at any time."""
BODY_BYTES = 320 * 1024
LONGEST_SECONDS = 600.0
"""For a whole body."""
STALL_SECONDS = 30.0
"""Without progress in reading a response."""
IDLE_SECONDS = 75.0
"""Longer than clients' pools keep idle connections: the client closes them, and no request meets a closing one."""
CLOSING_SECONDS = 10.0
MOST_PIPELINED = 16
SILENCE_SECONDS = 45.0
"""The longest silence of a peer that never ends its body (`OpenConnection.stay_open`)."""
UNREAD_BYTES = 32 * 1024
"""Of a connection that stays open: more unread bytes than this pause the response. The default of a transport is 64
KiB."""
SENT_MUCH = 64 * 1024
"""A sender gets this far only if the application reads the body: the connection counts as working from here on."""

_HOST = re.compile(rb"[A-Za-z0-9._~!$&'()*+,;=%:\[\]-]*")
"""RFC 9112, section 3.2 and RFC 3986, section 3.2.2."""


CONNECTION = "ledgerdesk.connection"
"""The key of a request's `OpenConnection` in its scope."""


class OpenConnection(Protocol):
    """What the application may do with the connection of a request that stays open, such as a live stream."""

    def stay_open(self, lost: Callable[[], None]) -> None:
        """The exchange has no end. `lost` is called when the peer has gone, so that no task must wait for that."""


class NotAllowed(Exception):
    """A request that is refused before the application gets it."""


class BoundedProtocol(HttpToolsProtocol):
    """One connection. Instead of a timer for every request, `close_stalled` checks all connections now and then."""

    def __init__(self, admission: "Admission[BoundedProtocol]", *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.admission = admission
        now = time.monotonic()
        self.heard = now
        """The time of the last data from the peer."""
        self.since = now
        """The start of the current wait: for a head, for BODY_BYTES of a body, or for the next request."""
        self.body_since = now
        self.looked = now
        self.unread_since: float | None = None
        """The time since which the peer has not read the response."""
        self.closing_since: float | None = None
        self.in_head, self.in_body = True, False
        self.head_bytes = self.body_bytes = self.counted_bytes = 0
        self.lost: Callable[[], None] | None = None
        """Called when the connection is gone; None unless the exchange stays open."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if not self.admission.admit(self, network(self.client[0]) if self.client else ""):
            self._refuse(problems.unavailable("Too many connections are open."))

    def connection_lost(self, exc: Exception | None) -> None:
        self.admission.leave(self)
        super().connection_lost(exc)
        if self.lost is not None:
            self.lost()
            self.lost = None

    def stay_open(self, lost: Callable[[], None]) -> None:
        """`OpenConnection.stay_open`. Its body has no time limit, but its peer may not be silent for SILENCE_SECONDS
        before it has ended the body."""
        self.lost = lost
        self.transport.set_write_buffer_limits(high=UNREAD_BYTES)
        self.admission.works(self)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        self.heard = time.monotonic()
        super().data_received(data)
        if self.in_head:
            self.head_bytes += len(data)
            if self.head_bytes > HEAD_BYTES and not self.transport.is_closing():
                self._refuse(problems.Problem(431, "head-too-large", "The head of a request may have at most 64 KiB."))

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope[CONNECTION] = self  # type: ignore[literal-required]
        self.in_head, self.head_bytes, self.since = True, 0, self.heard

    def on_header(self, name: bytes, value: bytes) -> None:
        # Trailers are discarded (RFC 9110, section 6.5.1): otherwise they would count as headers.
        if self.in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        hosts = [value for name, value in self.headers if name == b"host"]
        assert self.parser is not None
        if len(hosts) > 1 or (not hosts and self.parser.get_http_version() == "1.1"):
            raise NotAllowed("a request has one Host field (RFC 9112, section 3.2)")
        if hosts and not _HOST.fullmatch(hosts[0]):
            raise NotAllowed("the Host field is not valid")
        if len(self.pipeline) >= MOST_PIPELINED:
            raise NotAllowed("too many pipelined requests")
        self.in_head, self.in_body = False, True
        self.body_bytes = self.counted_bytes = 0
        self.since = self.body_since = self.heard
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self.body_bytes += len(body)
        if self.body_bytes - self.counted_bytes >= BODY_BYTES:
            self.counted_bytes, self.since = self.body_bytes, self.heard
        if self.body_bytes > SENT_MUCH and not self.cycle.response_complete:
            self.admission.works(self)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self.in_body = False
        if self.cycle.response_complete:  # the rest of a refused body
            self.since = self.heard
        else:
            self.admission.works(self)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        if not self.in_body and not self.in_head:
            self.since = time.monotonic()
        self.lost = None
        if not self.pipeline:
            self.admission.waits(self)
        super().on_response_complete()

    def pause_writing(self) -> None:
        self.unread_since = time.monotonic()
        super().pause_writing()

    def resume_writing(self) -> None:
        self.unread_since = None
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Called by uvicorn for invalid HTTP and refused requests. Its own response is plain text."""
        self._refuse(problems.Problem(400, "bad-request", "This is not a valid HTTP request."))

    def stalled(self, now: float) -> bool:
        """Whether the connection has waited for its peer too long.

        It is not stalled while its request is worked on, or while the application does not read the body.
        """
        between, self.looked = now - self.looked, now
        if self.unread_since is not None and now - self.unread_since > STALL_SECONDS:
            return True
        if self.in_head:
            return now - self.since > HEAD_SECONDS
        if self.in_body:
            if self.lost is not None:
                return now - self.heard > SILENCE_SECONDS
            if self.flow.read_paused:
                self.since += between
                self.body_since += between
                return False
            return now - self.since > BODY_SECONDS or now - self.body_since > LONGEST_SECONDS
        return (self.cycle is None or self.cycle.response_complete) and now - self.since > IDLE_SECONDS

    def close(self, now: float) -> None:
        """Closes the connection. After CLOSING_SECONDS, data that the peer has not read is dropped."""
        if self.closing_since is None:
            self.closing_since = now
            self.transport.close()
        elif now - self.closing_since > CLOSING_SECONDS:
            self.transport.abort()

    def _refuse(self, problem: problems.Problem) -> None:
        body = orjson.dumps(problem.document())
        head = (
            f"HTTP/1.1 {problem.status} {problem.title}\r\ncontent-type: {problems.MEDIA_TYPE}\r\n"
            f"cache-control: no-store\r\nx-content-type-options: nosniff\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()


def close_stalled(connections: Iterable[Any]) -> None:
    """Closes stalled connections."""
    now = time.monotonic()
    for connection in list(connections):
        if isinstance(connection, BoundedProtocol) and (connection.transport.is_closing() or connection.stalled(now)):
            connection.close(now)
