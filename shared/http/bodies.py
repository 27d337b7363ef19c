"""The base of request bodies and answers. The types of their values are in `shared.input_types`."""

from collections.abc import Mapping
from typing import Any

import orjson
from fastapi import Response
from pydantic import BaseModel, ConfigDict

EXAMPLE = "x-example"
"""Where the schema of a model has its example, as JSON text."""


class Body(BaseModel):
    """Unknown fields are refused, values frozen; errors never repeat what was sent."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def example(value: Mapping[str, Any]) -> ConfigDict:
    """The example of a model in the OpenAPI document: `model_config = example({...})`.

    A model without one is shown by the examples of its parts. Examples tell the story in `shared.http.story`.
    """
    # As text, because FastAPI removes what is null from a description.
    return ConfigDict(json_schema_extra={EXAMPLE: orjson.dumps(value).decode()})


def content(media_type: str, shown: str, *, binary: bool = True, status: int = 200) -> dict[str, Any]:
    """The keywords of a route whose answer is not JSON: `@routes.get(path, **content("text/csv", "...", binary=False))`.

    `shown` is the example of the body.
    """
    schema = {"type": "string"} | ({"format": "binary"} if binary else {})
    return {
        "response_class": Response,
        "responses": {status: {"content": {media_type: {"schema": schema, "example": shown}}}},
    }
