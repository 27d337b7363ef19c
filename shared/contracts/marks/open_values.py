"""Open enumerations: a newer version may record a value that this version does not know (docs/decisions/0079).

Their fields are therefore texts. A reader that only passes a value on accepts any. A reader that decides treats an
unknown value as "not mine". Code that writes uses a `Literal` of the known values.
"""

from typing import Any, get_args

from pydantic import GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema


class Known:
    """Marks a text with the values that this version knows: those of a `Literal`."""

    def __init__(self, values: Any) -> None:
        self.values: tuple[str, ...] = get_args(values)

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {**handler(core), "x-extensible-enum": list(self.values)}
