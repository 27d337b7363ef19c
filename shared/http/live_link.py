"""The link between a gateway process and reporting that carries all its live streams (docs/decisions/0108).

One POST whose body and response both stay open. Each is lines of JSON, which are frames: an object with `op`. The
gateway numbers its people (`p`: one sign-in) and its streams (`s`).

Frames of the gateway:

* `person` `p`, `who`: a signed identity, once before its streams and again before it expires.
* `forget` `p`: the sign-in has no stream any more.
* `open` `s`, `p`, `after` (a place or null), `tickets` (ids whose presence is wanted).
* `close` `s`.
* `more` `s`: the client has read a page of the past and may get the next one.
* `ping`: nothing, so that silence means a lost peer.

Frames of reporting:

* `opened` `s`, `id`, `reset`: the stream begins at this place. `reset`: the place it asked for is unknown.
* `past` `s`, `event`, `id`, `data`: a message from before the stream joined the present. `data` is JSON as text.
* `page` `s`, `id`: the stream has reached this place and waits for `more`.
* `joined` `s`, `id`: from here on the stream gets what is new.
* `new` `to` (streams), `event`, `id`, `data`: one message for several streams.
* `at` `id`: every joined stream has everything up to this place.
* `refused` `s`, `reason`: `identity` if it has expired. The stream may be opened again.
* `end`: this process is ending; another one takes the link.
* `ping`: as above.
"""

from collections.abc import Iterator
from typing import Any

import orjson

PATH = "/internal/live"
PING_SECONDS = 10.0
SILENCE_SECONDS = 30.0
"""Without a frame for this long, the peer is lost."""
LONGEST_FRAME = 1 << 20
"""Bytes of one frame."""
MOST_STREAMS = 2048
"""Streams on one link."""
MOST_TICKETS = 50
"""Tickets whose presence one stream gets."""

Frame = dict[str, Any]


class BadFrame(Exception):
    """The peer sent something that is not a frame."""


def encoded(frame: Frame) -> bytes:
    return orjson.dumps(frame) + b"\n"


class FrameReader:
    """Splits the bytes of a link into frames."""

    def __init__(self) -> None:
        self._rest = b""

    def frames(self, data: bytes) -> Iterator[Frame]:
        """The frames that these bytes complete. Raises BadFrame."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LONGEST_FRAME:
            raise BadFrame("a frame is too long")
        for line in lines:
            try:
                frame = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                raise BadFrame("a frame is not JSON") from error
            if not isinstance(frame, dict) or not isinstance(frame.get("op"), str):
                raise BadFrame("a frame has no op")
            yield frame
