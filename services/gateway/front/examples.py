"""Examples of answers in the OpenAPI document, composed from the examples of the parts."""

from collections.abc import Mapping
from typing import Any

Document = dict[str, Any]
PREFIX = "#/components/schemas/"


class NoExample(Exception):
    """Something in a schema has no example; `path` says where, from the outside in."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


def example_of(schema: Document, schemas: Mapping[str, Document], path: str = "") -> Any:
    """The example of a schema: its own, else one composed of its properties, items or first alternative.

    What may be null is null unless it has an example. Raises NoExample.
    """
    for name in ("examples", "enum"):
        if schema.get(name):
            return schema[name][0]
    for name in ("const", "default"):
        if name in schema:
            return schema[name]
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(PREFIX)
        return example_of(schemas[name], schemas, f"{path} > {name}" if path else name)
    alternatives = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf")
    if alternatives:
        return None if {"type": "null"} in alternatives else example_of(alternatives[0], schemas, path)
    match schema.get("type"):
        case "object" if "properties" in schema:
            return {name: example_of(part, schemas, f"{path}.{name}") for name, part in schema["properties"].items()}
        case "array" if "items" in schema:
            return [example_of(schema["items"], schemas, f"{path}[]")]
        case "null":
            return None
        case "boolean":
            return False
        case _:
            raise NoExample(path)
