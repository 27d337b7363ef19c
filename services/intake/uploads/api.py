"""Uploading files that a ticket or an answer will name (api.md, section 3)."""

import asyncio
import hashlib
import time
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response

from services.intake.opening.allowances import LEAST_BYTES, Allowances
from services.intake.uploads.form import MOST_FILES, FormWrong, SentFile, sent_files
from services.intake.uploads.virus_scan import VirusScan
from shared.blobs.uploads import Uploads
from shared.eventstore.store import CommandId, Store
from shared.http import problems
from shared.http.bodies import Body
from shared.http.idempotency import HEADER as KEY
from shared.http.idempotency import command_id, json_response
from shared.http.identity import Caller
from shared.http.serving.limits import MAX_BODY, body_limit
from shared.http.serving.routes import router as strict

AT_ONCE = 4
"""Files that one process holds in memory as a whole, on their way into the blob store."""


SCAN_SECONDS = 15.0
"""For all files of a form; the gateway waits for 30. What is left is marked as not scanned."""


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
    },
    "description": (
        f"At most {MOST_FILES} files and 32 MiB together; send more in further requests. Each answers its id, which a ticket, a message or an "
        "answer then names in `attachments`. Until then it is its uploader's alone, and it vanishes after a day. The same files with the "
        "same `Idempotency-Key` get the first answer, whatever the form's boundary. What a virus scanner calls malware is refused (422). "
        "What one person uploads within 24 hours is bounded (429); each file counts for 256 KiB at least."
    ),
}  # fmt: skip


def router(uploads: Uploads, store: Store, virus_scan: VirusScan | None, allowances: Allowances) -> APIRouter:
    routes = strict("/api/v1", tags=["tickets"])
    turns = asyncio.Semaphore(AT_ONCE)

    async def kept(person: UUID, file: SentFile, until: float) -> dict[str, Any]:
        async with turns:
            content, scan = await asyncio.to_thread(file.bytes), None
            if virus_scan is not None:
                (found,) = await virus_scan.scan([content], until - time.monotonic())
                if found.result == "infected":
                    raise problems.invalid("/file", f"a scanner calls {file.name} malware: {found.threat}")
                scan = found.result
            done = await uploads.put(person, file.name, file.type, content, scan)
        return {"id": str(done.id), "name": done.name, "type": done.type, "size": done.size}

    @routes.post(
        "/blobs",
        operation_id="uploadFiles",
        status_code=201,
        response_model=UploadedFiles,
        summary="Upload files to attach",
        openapi_extra=FORM,
    )
    @body_limit(MAX_BODY)
    async def upload(request: Request, who: Caller) -> Response:
        if who.kind == "service":
            raise problems.forbidden("Only people upload files.")
        content_type = request.headers.get("content-type", "")
        if content_type.partition(";")[0].strip().lower() != "multipart/form-data":
            raise problems.Problem(415, "unsupported-media-type", "Send the files as multipart/form-data.")
        await allowances.require_some(who, "bytes")
        try:
            async with sent_files(content_type, request.stream()) as files:
                key = request.headers.get(KEY)
                command = command_id(who.person_id, "POST", request.url.path, key, _fingerprint(files))
                known = await store.response_of(command) if key is not None else None
                if known is not None:
                    return json_response(known.response, status=201, replayed=True)
                await allowances.take(who, "bytes", sum(max(file.size, LEAST_BYTES) for file in files))
                until = time.monotonic() + SCAN_SECONDS
                items = [await kept(who.person_id, file, until) for file in files]
        except FormWrong as wrong:
            raise problems.invalid("", str(wrong)) from wrong
        return await _remembered(store, command if key is not None else None, {"items": items})

    return routes


async def _remembered(store: Store, command: CommandId | None, told: dict[str, Any]) -> Response:
    """The answer, kept for a retry. Of two requests with one key at once the first counts; the other's files vanish unnamed."""
    if command is not None:
        appended = await store.append([], command=command, response=told)
        if appended.status == "duplicate":
            return json_response(appended.response, status=201, replayed=True)
    return json_response(told, status=201)


def _fingerprint(files: list[SentFile]) -> bytes:
    """What makes two forms the same: their files, not the boundary between them, which every sending may choose anew."""
    return hashlib.sha256(repr([(f.name, f.type, f.digest.hexdigest()) for f in files]).encode()).digest()
