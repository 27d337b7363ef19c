"""Uploading files for tickets, messages and answers."""

import asyncio
import hashlib
import time
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import Field

from services.intake.opening.quotas import LEAST_BYTES_OF_A_FILE, Quotas
from services.intake.uploads.form import MOST_FILES, FormWrong, SentFile, sent_files
from services.intake.uploads.virus_scan import VirusScan
from shared.blobs.uploads import Uploads
from shared.eventstore.store import CommandId, Store
from shared.http import problems, story
from shared.http.bodies import Body, example
from shared.http.headers.idempotency import HEADER as KEY
from shared.http.headers.idempotency import command_id, json_response
from shared.http.identity import Caller
from shared.http.problems import FieldError, invalid_fields
from shared.http.routes import router as strict
from shared.http.serving.limits import MAX_BODY, body_limit

AT_ONCE = 4
"""Files that one process holds in memory at a time, on their way into the blob store."""
SCAN_SECONDS = 15.0
"""For all files of a form; the gateway waits 30 seconds. Further files are marked as not scanned."""


class Uploaded(Body):
    """An uploaded file. Until a ticket names it, only its uploader has access."""

    model_config = example({"id": story.BLOB, "name": "hum.ogg", "type": "audio/ogg", "size": 48213})

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
        f"At most {MOST_FILES} files and 32 MiB together; send more files in further requests. Each file gets an id, which "
        "a ticket, a message or an answer then names in `attachments`. Until then only its uploader has access, and after "
        "a day it is removed. The same files with the same `Idempotency-Key` get the first response, whatever the form's "
        "boundary. Malware is refused (422). Each person has a quota for 24 hours (429); a file counts for at least "
        "256 KiB."
    ),
}  # fmt: skip


class FilesOfDraft(Body):
    uploads: Annotated[list[UUID], Field(max_length=100)]


def router(uploads: Uploads, store: Store, virus_scan: VirusScan | None, quotas: Quotas) -> APIRouter:
    routes = strict("/api/v1", tags=["tickets"])
    in_memory = asyncio.Semaphore(AT_ONCE)

    async def stored(person: UUID, file: SentFile, deadline: float) -> dict[str, Any]:
        async with in_memory:
            content, scan = await asyncio.to_thread(file.bytes), None
            if virus_scan is not None:
                (found,) = await virus_scan.scan([content], deadline - time.monotonic())
                if found.result == "infected":
                    raise problems.invalid("/file", f"The virus scanner found malware in {file.name}: {found.threat}.")
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
        await quotas.require_some(who, "bytes")
        try:
            async with sent_files(content_type, request.stream()) as files:
                key = request.headers.get(KEY)
                command = command_id(who.person_id, "POST", request.url.path, key, _fingerprint(files))
                known = await store.response_of(command) if key is not None else None
                if known is not None:
                    return json_response(known.response, status=201, replayed=True)
                await quotas.take(who, "bytes", sum(max(file.size, LEAST_BYTES_OF_A_FILE) for file in files))
                deadline = time.monotonic() + SCAN_SECONDS
                items = [await stored(who.person_id, file, deadline) for file in files]
        except FormWrong as wrong:
            raise problems.invalid("", str(wrong)) from wrong
        return await _response(store, command if key is not None else None, {"items": items})

    return routes


def internal_router(uploads: Uploads) -> APIRouter:
    routes = strict("/internal/uploads", include_in_schema=False)
    in_memory = asyncio.Semaphore(AT_ONCE)

    @routes.post("/kept", status_code=204)
    async def keep(who: Caller, body: FilesOfDraft) -> Response:
        """Keeps files for a draft of the caller. 422 names those that are not theirs."""
        missing: list[int] = []
        for n, upload in enumerate(body.uploads):
            async with in_memory:
                if not await uploads.keep_for_draft(upload, who.person_id):
                    missing.append(n)
        if missing:
            raise invalid_fields(FieldError(f"/uploads/{n}", "There is no such file of yours.") for n in missing)
        return Response(status_code=204)

    return routes


async def _response(store: Store, command: CommandId | None, content: dict[str, Any]) -> Response:
    """The response, which is remembered for a retry. Of two requests with the same key at once the first counts; the
    other's files are removed after a day."""
    if command is not None:
        appended = await store.append([], command=command, response=content)
        if appended.status == "duplicate":
            return json_response(appended.response, status=201, replayed=True)
    return json_response(content, status=201)


def _fingerprint(files: list[SentFile]) -> bytes:
    """Two forms with the same files are the same, even if their boundaries differ."""
    return hashlib.sha256(repr([(f.name, f.type, f.digest.hexdigest()) for f in files]).encode()).digest()
