"""The route on which the gateway asks whether this process works with a document that was just saved."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from shared.contracts.marks.declaration import DocumentKind
from shared.directory.copy import DirectoryCopy
from shared.http.identity import service_only
from shared.http.routes import router as strict

SECONDS = 2.0


def router(copy: DirectoryCopy) -> APIRouter:
    """`GET /internal/directory/{kind}/{id}?version=n`: 204 once this process works with version n, 504 after 2 s
    without it."""
    routes = strict("/internal/directory", dependencies=[Depends(service_only)], include_in_schema=False)

    @routes.get("/{kind}/{document_id}")
    async def wait_for_document(
        kind: DocumentKind, document_id: UUID, version: Annotated[int, Query(ge=1, le=2**31 - 1)]
    ) -> Response:
        return Response(status_code=204 if await copy.applied(kind, document_id, version, seconds=SECONDS) else 504)

    return routes
