"""uvicorn's HTTP/1.1 protocol with bounds of our own: on size and time of a request's head, and on a stalled body."""

import time
from collections.abc import Iterable
from typing import Any

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from shared.http import problems

HEAD_BYTES = 64 * 1024
HEAD_SECONDS = 20.0
STALL_SECONDS = 30.0


class BoundedProtocol(HttpToolsProtocol):
    """One connection. A timer for every request would cost all of them, so `close_stalled` looks now and then."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.heard = self.waiting_since = time.monotonic()
        self.in_head = True
        self.head_bytes = 0

    def data_received(self, data: bytes) -> None:
        self.heard = time.monotonic()
        super().data_received(data)
        if self.in_head:
            self.head_bytes += len(data)
            if self.head_bytes > HEAD_BYTES and not self.transport.is_closing():
                self._refuse(problems.Problem(431, "head-too-large", "The head of a request is at most 64 KiB."))

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.in_head, self.head_bytes, self.waiting_since = True, 0, self.heard

    def on_headers_complete(self) -> None:
        self.in_head = False
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Called by uvicorn for what is no HTTP; its own answer is plain text."""
        self._refuse(problems.Problem(400, "bad-request", "This is no HTTP request that can be understood."))

    def stalled(self, now: float) -> bool:
        """Whether the peer has been silent, or has been sending one head, for too long. An idle kept-alive connection
        is not stalled, nor one whose body the application does not want yet."""
        if self.in_head:
            return now - self.waiting_since > HEAD_SECONDS
        receiving = self.cycle is not None and self.cycle.more_body and not self.cycle.response_complete
        return receiving and not self.flow.read_paused and now - self.heard > STALL_SECONDS

    def _refuse(self, problem: problems.Problem) -> None:
        body = orjson.dumps(problem.document())
        head = (
            f"HTTP/1.1 {problem.status} {problem.title}\r\ncontent-type: {problems.MEDIA_TYPE}\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()


def close_stalled(connections: Iterable[Any]) -> None:
    """Closes the connections whose peer stalls."""
    now = time.monotonic()
    for connection in list(connections):
        if (
            isinstance(connection, BoundedProtocol)
            and connection.stalled(now)
            and not connection.transport.is_closing()
        ):
            connection.transport.close()
