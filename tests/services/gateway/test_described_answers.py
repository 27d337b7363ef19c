"""Every successful answer has a schema and an example: clients' types are generated from them."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.described import document, operations, successes, validator

BODIES = [pytest.param(*each[2:], id=" ".join(each[:3])) for each in successes()]


@pytest.mark.parametrize(("media_type", "body"), BODIES)
def test_every_answer_has_a_schema_and_an_example_that_fits_it(media_type: str, body: dict[str, Any]) -> None:
    assert body.get("schema"), "no response model"
    assert "example" in body, "its schema or a part of it has no example: see shared/http/bodies.py"
    validator(body["schema"]).validate(body["example"])


def test_every_operation_says_whether_it_answers_a_body() -> None:
    for _, _, operation in operations():
        for status, response in operation["responses"].items():
            if status.startswith("2") and status != "204":
                assert response.get("content"), (operation["operationId"], status)


def test_every_object_says_whether_it_may_have_other_fields() -> None:
    """An undocumented field of an answer would otherwise go unnoticed."""
    components = document()["components"]["schemas"]
    open_ones = {
        f"{operation} {place}"
        for operation, _, _, body in successes()
        for place in _open_objects(body["schema"], components, ())
    }
    assert not open_ones


def _open_objects(schema: Any, components: dict[str, Any], inside: tuple[str, ...]) -> Iterator[str]:
    if isinstance(schema, list):
        for part in schema:
            yield from _open_objects(part, components, inside)
    if not isinstance(schema, dict):
        return
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        if name not in inside:
            yield from _open_objects(components[name], components, (*inside, name))
    if schema.get("type") == "object" and "additionalProperties" not in schema:
        yield " > ".join(inside) or "the body"
    for name in ("anyOf", "oneOf", "allOf", "items", "additionalProperties"):
        yield from _open_objects(schema.get(name), components, inside)
    for part in schema.get("properties", {}).values():
        yield from _open_objects(part, components, inside)
