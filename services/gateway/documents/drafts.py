"""What the bodies of all configuration documents share."""

from abc import ABC, abstractmethod
from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from services.gateway.documents.document import Document
from services.gateway.documents.rows import Row
from shared.database import Connection
from shared.http.bodies import Body, Flag, Whole


class Draft(Body, ABC):
    """A document as sent in, whole. What an answer adds to it may come back, so that a read can be changed and sent again."""

    id: Annotated[
        UUID | None,
        Field(description="if given, the id of the document that is meant", json_schema_extra={"readOnly": True}),
    ] = None
    version: Annotated[
        Whole | None, Field(description="not looked at; use If-Match", json_schema_extra={"readOnly": True})
    ] = None
    retired: Annotated[
        Flag | None, Field(description="not looked at; use DELETE", json_schema_extra={"readOnly": True})
    ] = None
    created_at: Annotated[datetime | None, Field(description="not looked at", json_schema_extra={"readOnly": True})] = (
        None
    )
    updated_at: Annotated[datetime | None, Field(description="not looked at", json_schema_extra={"readOnly": True})] = (
        None
    )

    @abstractmethod
    async def document(self, connection: Connection, document_id: UUID, current: Row | None) -> Document:
        """The document to store, with names resolved; raises Problem 422."""
