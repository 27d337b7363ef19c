"""One OpenAPI 3.1 document of the whole public API: the gateway's own routes and those of the services behind it.

`deploy/openapi.py` writes it to `openapi.json`, because the gateway may not import the services.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from copy import deepcopy
from typing import Any

from services.gateway.drafts.keys import LONGEST
from services.gateway.front.examples import NoExample, example_of
from services.gateway.signing_in.scopes import MEANINGS
from shared.http.bodies import EXAMPLE

Document = dict[str, Any]

TITLE = "Ledgerdesk"
VERSION = "1"
DESCRIPTION = """\
The public API of Ledgerdesk. Sign in with `POST /api/v1/session`, then send `Authorization: Bearer <token>`.

* Errors are problem documents (RFC 9457) with a `trace_id`; `errors` lists the fields that are wrong.
* Every POST takes an `Idempotency-Key`: the same request again gets the first answer.
* A command answers `X-Consistency-Token`; a read that sends it back waits until it shows the effect of that command.
"""
PUBLIC = frozenset(("signIn", "askForPassword", "resetPassword"))
BOUNDED = frozenset(
    (
        "proveSession",
        "changePassword",
        "openTicket",
        "addCustomerMessage",
        "uploadFiles",
        "openStream",
        "listEvents",
        "exportTickets",
        "exportSearch",
        "printTicket",
        "getReport",
        "tryTrigger",
    )
)
"""Operations with a limit on how often they are called, or on how many of them run."""
TICKETS = "/api/v1/tickets"
UNVERSIONED = (
    "/api/v1/tokens",
    "/api/v1/sessions",
    "/api/v1/tickets/{ref}/presence",
    "/api/v1/people/{reference}/absence",
)
"""Paths of objects that have no versions."""
VERSIONED = ("/api/v1/session/notes",)
"""Paths of objects that have versions though the path names none."""
DRAFT = {
    "anyOf": [{"type": "string", "minLength": 1, "maxLength": LONGEST}, {"type": "null"}],
    "description": "The key of the draft that this was written as (`/drafts`): removed if the command succeeds.",
}
IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Makes the request safe to repeat for 30 days: the same key and body get the first answer again.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}
CONSISTENCY_TOKEN = {
    "name": "X-Consistency-Token",
    "in": "header",
    "required": False,
    "description": (
        "The token that a command answered. The read waits up to 2 s until it shows the effect of that command, else "
        "it answers X-Projection-Lag."
    ),
    "schema": {"type": "string"},
}
IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "description": 'The ETag on which the change is based, such as `"7"`; 412 if there is a newer one.',
    "schema": {"type": "string", "pattern": r'^(\*|"[0-9]{1,9}")$', "examples": ['"7"']},
}
PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "trace_id"],
    "properties": {
        "type": {
            "type": "string",
            "description": "The kind of problem: `/problems/<slug>`.",
            "examples": ["/problems/invalid"],
        },
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "In words, for people."},
        "trace_id": {"type": "string", "description": "Finds the request in the logs."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "detail"],
                "properties": {
                    "pointer": {
                        "type": "string",
                        "description": "A JSON pointer into the body, or `/query/...`, `/path/...`, `/header/...`.",
                    },
                    "detail": {"type": "string"},
                },
            },
        },
    },
}
_ALWAYS = {
    "422": "Malformed, missing or unknown input",
    "503": (
        "Not available now, or the answer took too long (`/problems/too-slow`); Retry-After says when to try again"
    ),
}
_SIGNED_IN = {"401": "Not signed in", "403": "The person or the token may not do this"}
_PROXIED = {"504": "A service did not answer in time"}
_NAMED = {"404": "This does not exist, or you may not see it"}
_CHANGING = {"409": "Refused by the rules, or the first request with this Idempotency-Key is still running"}
_WITH_BODY = {
    "413": (
        "The body is too large. The limit is 4 KiB for a few short values (signing in), 1 MiB for a document, 2 MiB "
        "for other JSON, 32 MiB for a mail or files"
    )
}
_OTHER_BODY = {"415": "The media type of the body is not supported"}
_CONDITIONAL = {"412": "If-Match names an older version"}
_SLOWED = {"429": "Too many requests; Retry-After says when to try again"}


def merged(own: Document, services: Mapping[str, Document]) -> Document:
    """The whole document. `services` are name -> OpenAPI document of the service; only paths below /api/v1 are taken.

    Raises ValueError when two operations have the same id or one has none: clients are generated from them.
    """
    paths: Document = {}
    schemas: Document = {"Problem": PROBLEM}
    seen: set[str] = set()
    for name, document in [("gateway", own), *sorted(services.items())]:
        document = _with_own_names(document, name, schemas)
        schemas |= document.get("components", {}).get("schemas", {})
        for path, operations in document.get("paths", {}).items():
            if not path.startswith("/api/v1/"):
                continue
            for method, operation in operations.items():
                operation_id = operation.get("operationId")
                if not operation_id or operation_id in seen:
                    raise ValueError(f"{method.upper()} {path} of {name} has no operationId of its own: {operation_id}")
                seen.add(operation_id)
                paths.setdefault(path, {})[method] = _completed(operation, path, method, proxied=name != "gateway")
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    for schema in schemas.values():
        if EXAMPLE in schema:
            schema["examples"] = [json.loads(schema.pop(EXAMPLE))]
    for path, operations in paths.items():
        for method, operation in operations.items():
            _add_examples(operation, schemas)
            if method == "post" and (path == TICKETS or path.startswith(f"{TICKETS}/")):
                _add_draft(operation, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": TITLE,
            "version": VERSION,
            "description": DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}, {"cookie": []}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The token of a session or an API token. Scopes of API tokens: "
                    + "; ".join(f"`{scope}`: {meaning}" for scope, meaning in MEANINGS.items()),
                },
                "cookie": {"type": "apiKey", "in": "cookie", "name": "ledgerdesk_session"},
            },
        },
    }


def _add_draft(operation: Document, schemas: Document) -> None:
    """Lets the body of a command name its draft, which the gateway takes out."""
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if body is not None:
        schema = body["schema"]
        one = next((each for each in schema.get("anyOf", ()) if "$ref" in each), schema)
        whole = schemas[one["$ref"].rpartition("/")[2]] if "$ref" in one else one
        whole.setdefault("properties", {})["draft"] = DRAFT


def _add_examples(operation: Document, schemas: Document) -> None:
    """Adds the examples of successful answers. One that cannot be composed is missing: a test names it."""
    for status, response in operation["responses"].items():
        if not status.startswith("2"):
            continue
        for body in response.get("content", {}).values():
            if "example" not in body:
                with suppress(NoExample):
                    body["example"] = example_of(body["schema"], schemas)


def _with_own_names(document: Document, service: str, taken: Document) -> Document:
    """The document, in which schemas are renamed whose names another service uses for other schemas."""
    document = deepcopy(document)
    schemas = document.get("components", {}).get("schemas", {})
    renamed = {
        name: f"{service.capitalize()}{name}"
        for name, schema in schemas.items()
        if name in taken and taken[name] != schema and name not in ("HTTPValidationError", "ValidationError")
    }
    if not renamed:
        return document
    document["components"]["schemas"] = {renamed.get(name, name): schema for name, schema in schemas.items()}
    references = {f"#/components/schemas/{old}": f"#/components/schemas/{new}" for old, new in renamed.items()}
    return _replaced(document, references)  # type: ignore[no-any-return]


def _replaced(value: Any, references: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {
            key: references.get(below, below)
            if key == "$ref" and isinstance(below, str)
            else _replaced(below, references)
            for key, below in value.items()
        }
    if isinstance(value, list):
        return [_replaced(below, references) for below in value]
    return value


def _completed(operation: Document, path: str, method: str, *, proxied: bool) -> Document:
    """An operation with the headers and errors that all operations of its kind have."""
    parameters: list[Document] = list(operation.get("parameters", []))
    errors = dict(_ALWAYS)
    public = operation["operationId"] in PUBLIC
    if not public:
        errors |= _SIGNED_IN
    else:
        errors |= {"401": "The login or the password is wrong", "403": "The request came from another site"} | _SLOWED
        operation["security"] = []
    if operation["operationId"] in BOUNDED:
        errors |= _SLOWED
    if "{" in path:
        errors |= _NAMED
    if proxied:
        errors |= _PROXIED
    if "requestBody" in operation:
        errors |= _WITH_BODY
        if "application/json" not in operation["requestBody"]["content"]:
            errors |= _OTHER_BODY
    wanted: list[Document] = []
    if method == "post":
        wanted.append(IDEMPOTENCY_KEY)
        errors |= _CHANGING
    if method in ("put", "delete") and (path in VERSIONED or ("{" in path and not path.startswith(UNVERSIONED))):
        errors |= _CHANGING
        wanted.append(IF_MATCH)
        errors |= _CONDITIONAL
    if method == "post" and path.startswith("/api/v1/tickets/{"):
        wanted.append(IF_MATCH)
        errors |= _CONDITIONAL
    if method == "get" and proxied:
        wanted.append(CONSISTENCY_TOKEN)
    given = {header["name"].lower() for header in wanted}
    operation["parameters"] = [p for p in parameters if p["in"] != "header" or p["name"].lower() not in given] + wanted
    if not operation["parameters"]:
        del operation["parameters"]
    responses: Document = operation.setdefault("responses", {})
    for status, description in sorted(errors.items()):
        responses[status] = {
            "description": description,
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
    operation["responses"] = dict(sorted(responses.items()))
    return operation
