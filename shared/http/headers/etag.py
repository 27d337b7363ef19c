"""`ETag` and `If-Match` over stream versions (RFC 9110, section 13.1.1), against lost updates."""

import re
from typing import Annotated

from fastapi import Depends, Request

from shared.http import problems

NEVER = -1
"""The version of a weak or foreign entity tag. No stream has it, so the response is 412."""

_TAG = re.compile(r'\s*(W/)?"([\x21\x23-\x7e\x80-\xff]*)"\s*')


def etag(version: int) -> str:
    """The entity tag of a version: `"7"`."""
    return f'"{version}"'


def parse_if_match(header: str | None) -> int | None:
    """The version that `If-Match` requires: None for any (`*` or no header), NEVER if no tag can match.

    Raises Problem 422 if it is not a list of entity tags, or names several versions: a command is decided on one.
    """
    if header is None or header.strip() == "*":
        return None
    versions: set[int] = set()
    at = 0
    while True:
        tag = _TAG.match(header, at)
        if tag is None:
            raise problems.invalid("/header/if-match", 'This must be "*" or an entity tag such as "7".')
        weak, value = tag.groups()
        if not weak and value.isdecimal() and len(value) <= 9 and str(int(value)) == value:
            versions.add(int(value))
        at = tag.end()
        if at == len(header):
            break
        if header[at] != ",":
            raise problems.invalid("/header/if-match", "Entity tags must be separated by commas.")
        at += 1
    if len(versions) > 1:
        raise problems.invalid("/header/if-match", "This must name one version.")
    return versions.pop() if versions else NEVER


async def if_match(request: Request) -> int | None:
    """FastAPI dependency, see `parse_if_match`. Use as `IfMatch`."""
    headers = request.headers.getlist("if-match")
    return parse_if_match(", ".join(headers)) if headers else None


IfMatch = Annotated[int | None, Depends(if_match)]
"""Parameter type of a command on something with an ETag; becomes `Request.expected` of the command runner."""
