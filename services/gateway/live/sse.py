"""Server-sent events as bytes (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

RETRY = b"retry: 2000\n\n"
"""The first thing on every stream: clients reconnect after 2 s."""
COMMENT = b":\n\n"


def message(event: str, place: str, data: str) -> bytes:
    """One message. `data` is JSON without line breaks."""
    return f"event: {event}\nid: {place}\ndata: {data}\n\n".encode()


def comment(place: str | None) -> bytes:
    """A comment. With a place, a client that reconnects resumes there: the stream had nothing for it up to there."""
    return COMMENT if place is None else f":\nid: {place}\n\n".encode()


def begin(place: str) -> bytes:
    """How a stream begins. Its place counts even if the connection breaks before the first message."""
    return RETRY + f"id: {place}\n\n".encode()


def retry(milliseconds: int) -> bytes:
    """When a client reconnects after the stream's end."""
    return f"retry: {milliseconds}\n\n".encode()
