"""`X-Consistency-Token`: which streams a command wrote, so that a later read can wait for them (architecture, section 7)."""

from collections.abc import Iterable
from typing import Annotated, NamedTuple
from uuid import UUID

from fastapi import Depends, Request

HEADER = "X-Consistency-Token"
LAG = "X-Projection-Lag"
"""Answered as `true` by a read that gave up waiting."""
MOST = 256
"""Streams in one token: a bulk command writes 200."""


class Written(NamedTuple):
    """A service's stream and the version that it has at least."""

    service: str
    stream: UUID
    version: int


def encode(written: Iterable[Written]) -> str:
    """The opaque token for these streams; of several versions of one stream the highest counts."""
    raise NotImplementedError


def decode(token: str) -> tuple[Written, ...]:
    """What a token covers; raises Problem 422 if it is none of ours."""
    raise NotImplementedError


def merge(*tokens: str | None) -> str:
    """One token that covers all of these."""
    return encode(written for token in tokens if token for written in decode(token))


async def awaited(request: Request) -> tuple[Written, ...]:
    """FastAPI dependency: what a read must show; empty without the header. Use as `Awaited`."""
    token = request.headers.get(HEADER)
    return decode(token) if token else ()


Awaited = Annotated[tuple[Written, ...], Depends(awaited)]
