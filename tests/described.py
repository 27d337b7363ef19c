"""Compares the answers of running services with the OpenAPI document."""

import json
import re
from functools import cache
from typing import Any

import jsonschema_rs
from httpx2 import Response

from services.gateway.front.reference import DOCUMENT

Document = dict[str, Any]
compared: set[str] = set()
"""Ids of the operations of which `fault` has seen a success with a JSON body."""


@cache
def document() -> Document:
    """The committed document."""
    found: Document = json.loads(DOCUMENT.read_text("utf-8"))
    return found


@cache
def operations() -> list[tuple[re.Pattern[str], str, Document]]:
    """The pattern of a path, the method, and the operation. Paths without parameters come first."""
    paths = sorted(document()["paths"].items(), key=lambda item: item[0].count("{"))
    return [
        (re.compile("/".join("[^/]+" if part.startswith("{") else re.escape(part) for part in path.split("/"))), m, o)
        for path, methods in paths
        for m, o in methods.items()
    ]


def successes() -> list[tuple[str, str, str, Document]]:
    """Operation id, status, media type and described body of every success that has a body."""
    return [
        (operation["operationId"], status, media_type, body)
        for _, _, operation in operations()
        for status, response in operation["responses"].items()
        if status.startswith("2")
        for media_type, body in response.get("content", {}).items()
    ]


def validator(schema: Document) -> jsonschema_rs.Validator:
    """Checks values against a schema of the document, and their formats."""
    whole = {**schema, "components": document()["components"]}
    return jsonschema_rs.Draft202012Validator(whole, validate_formats=True)


def fault(method: str, path: str, status: int, content_type: str, raw: bytes) -> str | None:
    """What is wrong with a successful answer, None if it is as described.

    `path` is the request's, from /api/v1 on. Paths outside the document are not looked at.
    """
    found = _operation(method, path.partition("?")[0])
    if found is None or not 200 <= status < 300:
        return None
    name = f"{found['operationId']} {status}"
    response = found["responses"].get(str(status))
    if response is None:
        return f"{name}: the status is not described"
    described = response.get("content", {})
    media_type = content_type.partition(";")[0].strip()
    if not described:
        return f"{name}: no body is described" if raw else None
    body = described.get(media_type) or described.get("*/*")
    if body is None:
        return f"{name}: {media_type!r} is not described"
    if media_type != "application/json":
        return None
    compared.add(found["operationId"])
    errors = list(_of_body(found["operationId"], status).iter_errors(json.loads(raw)))
    return f"{name}: {errors[0].instance_path}: {errors[0].message}"[:500] if errors else None


async def check(response: Response) -> None:
    """An `AsyncClient` with `event_hooks=CHECKED` fails on a successful answer that is not as described."""
    await response.aread()
    sent = response.request
    wrong = fault(
        sent.method, sent.url.path, response.status_code, response.headers.get("content-type", ""), response.content
    )
    assert wrong is None, wrong


CHECKED: dict[str, list[Any]] = {"response": [check]}


@cache
def _operation(method: str, path: str) -> Document | None:
    for pattern, its_method, operation in operations():
        if its_method == method.lower() and pattern.fullmatch(path):
            return operation
    return None


@cache
def _of_body(operation_id: str, status: int) -> jsonschema_rs.Validator:
    for name, its_status, media_type, body in successes():
        if (name, its_status, media_type) == (operation_id, str(status), "application/json"):
            return validator(body["schema"])
    raise KeyError(operation_id)
