"""`Idempotency-Key`: the same request sent again gets the first response."""

import hashlib
from typing import Annotated, Any
from uuid import UUID, uuid4, uuid5

import orjson
from fastapi import Depends, Request
from starlette.responses import Response

from shared.eventstore.store import CommandId
from shared.http import problems
from shared.http.identity import caller

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
_SPACE = UUID("5f0e6a3e-2c0b-4f53-9d0e-6c6a1b8a5f10")


def command_id(person: UUID | str, method: str, path: str, key: str | None, content: bytes = b"") -> CommandId:
    """The identity of a request for retries. Its fingerprint differs for another request with the same key.

    Without a key every request has its own identity. `content` is the body, or a digest of a body that is not held in
    memory. Raises Problem 422 if the key does not have 1 to 255 printable ASCII characters.
    """
    start = f"{method} {path}\n".encode()
    fingerprint = hashlib.sha256(start + content).digest()
    if key is None:
        return CommandId(uuid4(), fingerprint)
    if not 1 <= len(key) <= 255 or not key.isascii() or not key.isprintable():
        raise problems.invalid("/header/idempotency-key", "This must have 1 to 255 printable ASCII characters.")
    return CommandId(uuid5(_SPACE, f"{person}\n{method}\n{path}\n{key}"), fingerprint)


async def command(request: Request) -> CommandId:
    """FastAPI dependency; reads the whole body into memory.

    Use as `Command`; a route that streams calls `command_id`.
    """
    who = await caller(request)
    key = request.headers.get(HEADER)
    return command_id(who.person_id, request.method, request.scope["path"], key, await request.body())


Command = Annotated[CommandId, Depends(command)]
"""Parameter type of a POST, PUT or DELETE: `async def lock(command: Command, ...)`."""


def json_response(
    content: Any, *, status: int = 200, replayed: bool = False, headers: dict[str, str] | None = None
) -> Response:
    """A JSON response. `replayed`: it is the first response to a request that was sent again."""
    fields = dict(headers or {})
    if replayed:
        fields[REPLAYED] = "true"
    return Response(orjson.dumps(content), status, headers=fields, media_type="application/json")
