"""The public paths that services serve. The gateway serves all others itself."""

import re
from typing import NamedTuple

from services.gateway.signing_in.scopes import Scope
from shared.http.serving.limits import JSON_BODY, MAX_BODY, SMALL_BODY


class Target(NamedTuple):
    """Where a request goes, and which scope a token needs for it.

    `path_format` is the path with the names of its parameters, for metrics; `most` is the longest body in bytes;
    `silence` how many seconds the service may send nothing, if that is longer than for other requests; `from_draft`
    whether a body may name the draft that it came from.
    """

    service: str
    scope: Scope
    path_format: str
    most: int = JSON_BODY
    silence: float | None = None
    from_draft: bool = False


class Route(NamedTuple):
    """The targets of a path by method."""

    pattern: re.Pattern[str]
    methods: dict[str, Target]


def _route(
    path: str,
    *,
    most: int = JSON_BODY,
    silence: float | None = None,
    from_draft: bool = False,
    **methods: tuple[str, Scope],
) -> Route:
    """`path` is a template below /api/v1. `{command}` stands for the name of any command."""
    pattern = re.escape(path).replace(r"\{", "{").replace(r"\}", "}")
    for name, allowed in _PARAMETERS.items():
        pattern = pattern.replace("{" + name + "}", allowed)
    full = f"/api/v1{path}"
    return Route(
        re.compile(f"/api/v1{pattern}"),
        {
            method: Target(service, scope, full, most, silence, from_draft and method == "POST")
            for method, (service, scope) in methods.items()
        },
    )


_PARAMETERS = {
    # An id, or a number in any form in which people write it. The services find out which.
    "ref": r"(?:[0-9A-Za-z-]{1,64}|[\[(]?(?i:ticket)?[A-Za-z #.:-]{0,12}[0-9][0-9 .-]{14,24}[0-9][\])]?)",
    "id": "[0-9A-Za-z_.-]{1,128}",
    "command": "(?!(?:forward|bounce|split)$)[a-z][a-z-]{0,40}",  # the gateway serves these: article_commands
    "stat": "[a-z]{1,40}",
    "name": "[0-9A-Za-z-]{1,64}",
}

EXPORT_SECONDS = 900.0
"""An export may take so long, and XLSX begins to arrive only when it is written."""

ROUTES = (
    _route("/tickets", from_draft=True, POST=("intake", "write"), GET=("reporting", "read")),
    _route("/tickets/commands", from_draft=True, POST=("routing", "write")),
    _route("/tickets/export", silence=EXPORT_SECONDS, GET=("reporting", "read")),
    _route("/tickets/{ref}", GET=("reporting", "read")),
    _route("/tickets/{ref}/message", from_draft=True, POST=("intake", "write")),
    _route("/tickets/{ref}/articles", GET=("reporting", "read")),
    _route("/tickets/{ref}/history", GET=("reporting", "read")),
    _route("/tickets/{ref}/articles/{id}/raw", GET=("reporting", "read")),
    _route("/tickets/{ref}/presence", most=SMALL_BODY, PUT=("reporting", "write")),
    _route("/tickets/{ref}/print", GET=("reporting", "read")),
    _route("/tickets/{ref}/{command}", from_draft=True, POST=("routing", "write")),
    _route("/blobs", most=MAX_BODY, POST=("intake", "write")),
    _route("/blobs/{id}", GET=("reporting", "read")),
    _route("/mail", most=MAX_BODY, POST=("intake", "mail")),
    _route("/mails", GET=("intake", "read")),
    _route("/mails/{id}", GET=("intake", "read")),
    _route("/mails/{id}/raw", GET=("intake", "read")),
    _route("/mails/{id}/process", most=SMALL_BODY, POST=("intake", "write")),
    _route("/mailboxes/{ref}/status", GET=("intake", "read")),
    _route("/outgoing", GET=("notify", "read")),
    _route("/outgoing/mails", GET=("notify", "read")),
    _route("/outgoing/decisions", GET=("notify", "read")),
    _route("/outgoing/pause", most=SMALL_BODY, POST=("notify", "manage")),
    _route("/outgoing/resume", most=SMALL_BODY, POST=("notify", "manage")),
    _route("/outgoing/mails/{id}/retry", most=SMALL_BODY, POST=("notify", "manage")),
    _route("/outgoing/mails/{id}/give-up", most=SMALL_BODY, POST=("notify", "manage")),
    _route("/events", GET=("reporting", "events")),
    _route("/notices", GET=("reporting", "read")),
    _route("/notices/seen", most=SMALL_BODY, POST=("reporting", "write")),
    _route("/search/export", silence=EXPORT_SECONDS, GET=("reporting", "read")),
    _route("/search", GET=("reporting", "read")),
    _route("/stats/{stat}", GET=("reporting", "read")),
    _route("/reports", GET=("reporting", "read")),
    _route("/reports/{name}", GET=("reporting", "read")),
)
"""The first match wins."""


class WrongMethod(Exception):
    """The path exists, but not for this method."""

    def __init__(self, allowed: list[str]) -> None:
        super().__init__(", ".join(allowed))
        self.allowed = allowed


def target(method: str, path: str) -> Target | None:
    """Where a request goes; None for a path that the gateway serves itself. Raises WrongMethod."""
    for route in ROUTES:
        if route.pattern.fullmatch(path):
            found = route.methods.get(method)
            if found is None:
                raise WrongMethod(sorted(route.methods))
            return found
    return None
