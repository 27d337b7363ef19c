"""Where a request came from, directly or through a reverse proxy."""

from typing import Any, cast

import pytest

from services.gateway.signing_in.authentication import Arrival, Authentication
from shared.http.problems import Problem

HEADERS = [
    (b"host", b"Help.Example.org"),
    (b"x-forwarded-for", b"192.0.2.9, 203.0.113.5"),
    (b"x-forwarded-proto", b"https"),
]


def scope(headers: list[tuple[bytes, bytes]], method: str = "POST") -> Any:
    return {"type": "http", "method": method, "scheme": "http", "client": ("127.0.0.1", 5), "headers": headers}


def authentication(trusts_proxy: bool) -> Authentication:
    return Authentication(cast("Any", None), trusts_proxy)


def test_forwarded_headers_count_only_from_a_configured_proxy() -> None:
    assert authentication(False).arrival(scope(HEADERS)) == Arrival("127.0.0.1", "http", "help.example.org")
    assert authentication(True).arrival(scope(HEADERS)) == Arrival("203.0.113.5", "https", "help.example.org")


def test_an_invalid_forwarded_scheme_is_ignored() -> None:
    odd = [(b"host", b"x"), (b"x-forwarded-proto", b"javascript")]
    assert authentication(True).arrival(scope(odd)).scheme == "http"


def test_behind_tls_the_origin_is_https() -> None:
    behind = authentication(True)
    behind.require_same_origin(scope([*HEADERS, (b"origin", b"https://help.example.org")]))
    for origin in (
        b"http://help.example.org",
        b"https://help.example.org.evil.example",
        b"https://help.example.org:444",
    ):
        with pytest.raises(Problem):
            behind.require_same_origin(scope([*HEADERS, (b"origin", origin)]))
    with pytest.raises(Problem):
        behind.require_same_origin(
            scope([*HEADERS, (b"origin", b"https://help.example.org"), (b"origin", b"https://evil.example")])
        )
