"""Uploading files that a ticket or an answer will name (api.md, section 3)."""

import re
from typing import Any
from uuid import UUID, uuid5

from fastapi import APIRouter, Request, Response
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from shared.blobs.uploads import Uploads
from shared.http import problems
from shared.http.bodies import Body
from shared.http.idempotency import Command as Key
from shared.http.idempotency import answer
from shared.http.identity import Caller
from shared.http.routes import router as strict

MOST_FILES = 20
LONGEST_NAME = 200
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
"""Control characters, and those that turn a name's direction round: `gpj.exe` must not look like `exe.jpg`."""
_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,60}/[a-z0-9][a-z0-9!#$&^_.+-]{0,60}")


class Uploaded(Body):
    """A file that was taken in; until a ticket names it, it is its uploader's alone."""

    id: UUID
    name: str
    type: str
    size: int


class UploadedFiles(Body):
    items: list[Uploaded]


FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "array", "items": {"type": "string", "format": "binary"}, "minItems": 1, "maxItems": MOST_FILES}
                    },
                }
            }
        },
    }
}  # fmt: skip


def router(uploads: Uploads) -> APIRouter:
    routes = strict("/api/v1", tags=["tickets"])

    @routes.post(
        "/blobs",
        operation_id="uploadFiles",
        status_code=201,
        response_model=UploadedFiles,
        summary="Upload files to attach",
        openapi_extra=FORM,
    )
    async def upload(request: Request, who: Caller, key: Key) -> Response:
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "multipart/form-data":
            raise problems.Problem(415, "unsupported-media-type", "Send the files as multipart/form-data.")
        files = await _files(request)
        items: list[dict[str, Any]] = []
        for n, file in enumerate(files):
            content = await file.read()
            # The same request again gets the same ids: its key and content make them.
            made = uuid5(key.id, f"{n}/{key.fingerprint.hex()}")
            done = await uploads.put(
                who.person_id, safe_name(file.filename or ""), safe_type(file.content_type), content, made
            )
            items.append({"id": str(done.id), "name": done.name, "type": done.type, "size": done.size})
        return answer({"items": items}, status=201)

    return routes


async def _files(request: Request) -> list[UploadFile]:
    try:
        form = await request.form(max_files=MOST_FILES, max_fields=MOST_FILES)
    except HTTPException as error:
        raise problems.invalid("", str(error.detail)[:200]) from None
    files = [value for _, value in form.multi_items() if isinstance(value, UploadFile)]
    if not files:
        raise problems.invalid("/file", "is missing: send at least one file")
    return files


def safe_name(name: str) -> str:
    """A file's own name without its path and whatever cannot be seen."""
    last = _UNSEEN.sub("", name.replace("\\", "/")).rpartition("/")[2].strip(" .")
    if len(last) > LONGEST_NAME:
        stem, dot, ending = last.rpartition(".")
        last = f"{stem[: LONGEST_NAME - len(ending) - 1]}.{ending}" if dot and len(ending) < 20 else last[:LONGEST_NAME]
    return last or "file"


def safe_type(media_type: str | None) -> str:
    """A media type without parameters, as far as it is one."""
    plain = (media_type or "").partition(";")[0].strip().lower()
    return plain if _TYPE.fullmatch(plain) else "application/octet-stream"
