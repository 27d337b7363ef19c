"""`X-Consistency-Token`: the streams that a command wrote, so that a later read waits for them.

This is the form between gateway and services. The gateway seals it for callers
(`services/gateway/front/consistency_tokens.py`).
"""

import base64
import binascii
import struct
from collections.abc import Iterable
from typing import Annotated, NamedTuple
from uuid import UUID

from fastapi import Depends, Request

from shared.http import problems

HEADER = "X-Consistency-Token"
LAG = "X-Projection-Lag"
"""The header of a response that did not wait any longer: `true`."""
MOST = 256
"""Streams in one token. A bulk command writes 200. A full token has 7 kB, which fits into a header."""

_FORMAT = 1
_SERVICE = struct.Struct("!BH")
_STREAM = struct.Struct("!16sI")
LONGEST = 1 + MOST * (_STREAM.size + _SERVICE.size) + 256
"""Bytes of a token before it is encoded as text: at most one service for each stream, and the names of services."""


class Written(NamedTuple):
    """A stream of a service, and the version that it has reached."""

    service: str
    stream: UUID
    version: int


def encode(written: Iterable[Written]) -> str:
    """The token for these streams: the highest version of each, and the last MOST streams if there are more.

    It is packed, not JSON, so that the token of a bulk command fits into a header.
    """
    newest: dict[tuple[str, UUID], int] = {}
    for service, stream, version in written:
        newest[service, stream] = max(version, newest.pop((service, stream), 0))
    services: dict[str, list[bytes]] = {}
    for (service, stream), version in list(newest.items())[-MOST:]:
        services.setdefault(service, []).append(_STREAM.pack(stream.bytes, version))
    parts = [bytes((_FORMAT,))]
    for service, streams in services.items():
        name = service.encode()
        parts += [_SERVICE.pack(len(name), len(streams)), name, *streams]
    return base64.urlsafe_b64encode(b"".join(parts)).rstrip(b"=").decode()


def decode(token: str) -> tuple[Written, ...]:
    """The streams of a token. Raises Problem 422 for an invalid one."""
    try:
        return tuple(_unpack(base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)))
    except (ValueError, binascii.Error, struct.error):
        raise problems.invalid(f"/header/{HEADER.lower()}", "This is not a consistency token of this system.") from None


def merge(*tokens: str | None) -> str:
    """One token that covers all of these tokens."""
    return encode(written for token in tokens if token for written in decode(token))


async def awaited(request: Request) -> tuple[Written, ...]:
    """FastAPI dependency: the streams that a read must include; empty without the header. Use as `Awaited`."""
    token = request.headers.get(HEADER)
    return decode(token) if token else ()


Awaited = Annotated[tuple[Written, ...], Depends(awaited)]


def _unpack(data: bytes) -> Iterable[Written]:
    if data[:1] != bytes((_FORMAT,)):
        raise ValueError("another format")
    at, seen = 1, 0
    while at < len(data):
        length, count = _SERVICE.unpack_from(data, at)
        at += _SERVICE.size
        service = data[at : at + length].decode("ascii")
        at += length
        seen += count
        if seen > MOST or not service.isidentifier():
            raise ValueError("too long, or not a service")
        for _ in range(count):
            stream, version = _STREAM.unpack_from(data, at)
            at += _STREAM.size
            yield Written(service, UUID(bytes=stream), version)
