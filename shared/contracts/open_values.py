"""Enumerations of published values are open: a version of tomorrow may record one that this version does not know.

So their fields are texts. A reader that only passes a value on takes any; one that decides takes what it knows, and an unknown one as "not mine"
(docs/decisions/0079). Who writes names the known ones with a `Literal`.
"""

from typing import Any, get_args

from pydantic import GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema


class Known:
    """Marks a text with the values that this version knows, those of a `Literal`."""

    def __init__(self, values: Any) -> None:
        self.values: tuple[str, ...] = get_args(values)

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {**handler(core), "x-extensible-enum": list(self.values)}
