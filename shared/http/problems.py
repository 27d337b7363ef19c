"""Problem details (RFC 9457): every refusal or failure of a service is `application/problem+json`."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.responses import Response

from shared.input_types import SHAPES
from shared.telemetry.trace import trace_id

MEDIA_TYPE = "application/problem+json"
_TITLES = {
    400: "Bad request",
    401: "Not signed in",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    409: "Refused",
    412: "Out of date",
    413: "Too large",
    415: "Unsupported media type",
    422: "Not valid",
    429: "Too many requests",
    500: "Internal error",
    502: "A service gave no valid response",
    503: "Temporarily unavailable",
    504: "A service did not respond in time",
}


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one input.

    `pointer` is a JSON pointer into the body (`/customer/email`, empty for the body as a whole), or `/query/<name>`,
    `/path/<name>`, `/header/<name>` for the other parts of a request.
    """

    pointer: str
    detail: str


class Problem(Exception):
    """A refusal that the caller gets as a problem document. Raise it anywhere below a route.

    `extra`: further members of the document (`ticket` of a 412). `headers`: further headers of the response.
    """

    def __init__(
        self,
        status: int,
        slug: str,
        detail: str = "",
        *,
        title: str | None = None,
        errors: Sequence[FieldError] = (),
        extra: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{status} {slug}: {detail}")
        self.status, self.slug, self.detail = status, slug, detail
        self.title = title or _TITLES.get(status, "Error")
        self.errors = tuple(errors)
        self.extra = dict(extra or {})
        self.headers = dict(headers or {})

    def document(self) -> dict[str, Any]:
        """The members of the problem document. `extra` never replaces the standard ones."""
        document: dict[str, Any] = {
            **self.extra,
            "type": f"/problems/{self.slug}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail or self.title,
            "trace_id": trace_id(),
        }
        if self.errors:
            document["errors"] = [{"pointer": error.pointer, "detail": error.detail} for error in self.errors]
        return document

    def response(self) -> Response:
        return Response(_dump(self.document()), self.status, headers=self.headers, media_type=MEDIA_TYPE)


def pointer(part: str, *path: str | int) -> str:
    """The pointer of a FieldError. `part` is `body`, `query`, `path` or `header`; long names are cut."""
    names = [str(name)[:100].replace("~", "~0").replace("/", "~1") for name in path]
    return "".join(f"/{name}" for name in (names if part == "body" else [part, *names]))


def not_found(detail: str = "There is no such thing, or you may not see it.") -> Problem:
    """404, also for objects that the caller may not see."""
    return Problem(404, "not-found", detail)


def forbidden(detail: str = "You may not do this here.") -> Problem:
    """403: the caller may see the object, but may not do this."""
    return Problem(403, "forbidden", detail)


def unauthorized(detail: str = "Sign in first.") -> Problem:
    """401, with the challenge that HTTP requires."""
    return Problem(401, "unauthorized", detail, headers={"WWW-Authenticate": 'Bearer realm="ledgerdesk"'})


def rejected(reason: str) -> Problem:
    """409: well-formed, but the ticket's state or a rule forbids it. Deciders raise `Rejected`, which becomes this."""
    return Problem(409, "rejected", reason)


def precondition_failed(current: Mapping[str, Any] | None = None, *, member: str = "ticket") -> Problem:
    """412: `If-Match` names an older version. The document has the current object as `member`."""
    extra = {member: dict(current)} if current is not None else None
    return Problem(412, "precondition-failed", "This was changed in the meantime. Load it again.", extra=extra)


def invalid(pointer: str, detail: str) -> Problem:
    """422 for one field; see FieldError for the pointer."""
    return invalid_fields([FieldError(pointer, detail)])


def invalid_fields(errors: Iterable[FieldError]) -> Problem:
    """422 for several fields."""
    found = tuple(errors)
    said = dict.fromkeys(error.detail for error in found)  # "This is required." once, however many are missing
    return Problem(422, "invalid", " ".join(list(said)[:3]), errors=found)


def of_validation(error: Mapping[str, Any]) -> str:
    """One of pydantic's errors as a sentence. Its own messages speak of Python, show patterns, and have no full stop."""
    match error["type"]:
        case "string_pattern_mismatch" if said := SHAPES.get(error["ctx"]["pattern"]):
            return said
        case "model_type" | "model_attributes_type" | "dict_type":
            return "Must be an object."
        case "list_type" | "tuple_type":
            return "Must be a list."
        case "union_tag_invalid":
            return f"Must be one of {error['ctx']['expected_tags']}."
        case "datetime_parsing" | "datetime_from_date_parsing" | "datetime_type":
            return "This is not a time; write it like 2026-12-24T08:00:00Z."
        case "uuid_parsing" | "uuid_type":
            return "This is not an id."
        case "timezone_aware":
            return "The time needs its offset; write it like 2026-12-24T08:00:00Z."
        case "too_short" | "string_too_short" if error["ctx"]["min_length"] == 1:
            return "Must not be empty."
        case "too_short":
            return f"At least {error['ctx']['min_length']} of these are needed."
        case "too_long":
            return f"At most {error['ctx']['max_length']} of these are allowed."
        case _:
            detail = str(error["msg"]).removeprefix("Value error, ")[:300]
            for theirs in ("Input should ", "String should "):
                if detail.startswith(theirs):
                    detail = f"Must {detail.removeprefix(theirs)}"
            return detail if detail.endswith(".") else f"{detail}."


def too_large(detail: str = "The body of this request is too large.") -> Problem:
    """413."""
    return Problem(413, "too-large", detail)


def too_many(retry_after: int, detail: str = "Too many requests. Wait a moment.") -> Problem:
    """429; `retry_after` in seconds."""
    return Problem(429, "too-many-requests", detail, headers={"Retry-After": str(max(1, retry_after))})


def unavailable(detail: str = "A part of the system is unavailable. Try again.", retry_after: int = 1) -> Problem:
    """503: nothing was done, and the same request may succeed later. `retry_after` in seconds."""
    return Problem(503, "unavailable", detail, headers={"Retry-After": str(retry_after)})


def too_slow() -> Problem:
    """503: a read took longer than reads may take."""
    detail = (
        "This took too long and was stopped. Ask for less: fewer tickets, a shorter time or one queue. "
        "If the system is just busy, try again."
    )
    return Problem(503, "too-slow", detail, headers={"Retry-After": "5"})


def key_reused() -> Problem:
    """422: another request had the same Idempotency-Key."""
    detail = "This Idempotency-Key was used for another request."
    return Problem(422, "idempotency-key-reused", detail, errors=[FieldError("/header/idempotency-key", detail)])


def still_running() -> Problem:
    """409: the first request with this Idempotency-Key is still running."""
    return Problem(
        409,
        "still-running",
        "The first request with this Idempotency-Key is still running.",
        headers={"Retry-After": "1"},
    )


def version_conflict() -> Problem:
    """409: others kept changing the same object while this request was decided."""
    return Problem(409, "conflict", "Others changed this at the same time. Try again.", headers={"Retry-After": "1"})


def _dump(document: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(document, default=str, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:  # quoted input has lone surrogates, which json escapes
        return json.dumps(document, default=str).encode()
