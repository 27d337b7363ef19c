"""Where the gateway asks whether this process works with a setting that was just saved."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response

from shared.directory.copy import DirectoryCopy, Kind


def router(copy: DirectoryCopy) -> APIRouter:
    """`GET /internal/directory/{kind}/{id}?version=n`: 204 once version n is applied here, 504 when it is not within 2 s."""
    routes = APIRouter(prefix="/internal/directory", include_in_schema=False)

    @routes.get("/{kind}/{document_id}")
    async def wait_for_document(
        kind: Annotated[Kind, Path()], document_id: UUID, version: Annotated[int, Query(ge=1)]
    ) -> Response:
        return Response(status_code=204 if await copy.applied(kind, document_id, version) else 504)

    return routes
