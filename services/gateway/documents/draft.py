"""What requests that save a configuration document have in common."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from shared.http.bodies import Body
from shared.input_types import Flag, Whole


class Draft(Body):
    """A whole document as a request brings it.

    It may repeat what an answer adds, so that a client can change what it has read and send it.
    """

    id: Annotated[
        UUID | None,
        Field(description="If given, the id of the document that is meant.", json_schema_extra={"readOnly": True}),
    ] = None
    version: Annotated[
        Whole | None, Field(description="Ignored; use If-Match.", json_schema_extra={"readOnly": True})
    ] = None
    retired: Annotated[Flag | None, Field(description="Ignored; use DELETE.", json_schema_extra={"readOnly": True})] = (
        None
    )
    created_at: Annotated[datetime | None, Field(description="Ignored.", json_schema_extra={"readOnly": True})] = None
    updated_at: Annotated[datetime | None, Field(description="Ignored.", json_schema_extra={"readOnly": True})] = None
