"""`ETag` and `If-Match` over stream versions (RFC 9110, section 13.1.1): against lost updates."""

from typing import Annotated

from fastapi import Depends, Request

NEVER = -1
"""The version of an entity tag that is none of ours (or a weak one): no stream has it, so that the answer is 412."""


def etag(version: int) -> str:
    """The entity tag of a version: `"7"`."""
    return f'"{version}"'


def parse_if_match(header: str | None) -> int | None:
    """The version that an `If-Match` asks for: None for any (`*` or no header), NEVER for a tag that cannot match.

    Raises Problem 422 for what is no list of entity tags, and for several different versions at once.
    """
    raise NotImplementedError


async def if_match(request: Request) -> int | None:
    """FastAPI dependency, see `parse_if_match`. Use as `IfMatch`."""
    return parse_if_match(request.headers.get("if-match"))


IfMatch = Annotated[int | None, Depends(if_match)]
"""Parameter type of a command on something with an ETag; goes to `Request.expected` of the command loop."""
