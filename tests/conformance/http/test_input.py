"""Bad input: never a 500, always a problem document that names the field."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from shared.http.json_input import DEEPEST

JSON = {"Content-Type": "application/json"}
GOOD = {"subject": "My computer hums"}
ANY_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda below: (
        st.lists(below, max_size=4)
        | st.dictionaries(st.sampled_from(("subject", "customer", "email", "fields", "x")), below)
    ),
    max_leaves=12,
)


def problem(answer: Any, status: int = 422) -> dict[str, str]:
    """The errors of a problem document by pointer, after checking the members that every document has."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == status
    assert body["type"].startswith("/problems/")
    assert body["title"] and body["detail"] and len(body["trace_id"]) == 32
    errors = {error["pointer"]: error["detail"] for error in body.get("errors", [])}
    assert status != 422 or errors
    return errors


def post(client: TestClient, raw: bytes) -> Any:
    return client.post("/api/v1/tickets", content=raw, headers=JSON)


def test_a_good_request_passes(client: TestClient) -> None:
    answer = post(
        client,
        orjson.dumps({**GOOD, "body": "Since\r\n\tthis morning \U0001f600", "customer": {"email": "a@b.example"}}),
    )
    assert answer.status_code == 201, answer.text
    assert answer.json()["body"]["subject"] == GOOD["subject"]


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"colour": "red"}, "/colour"),
        ({"customer": {"email": 3}}, "/customer/email"),
        ({"customer": {"email": "a@b", "x": 1}}, "/customer/x"),
        ({"customer": []}, "/customer"),
        ({"subject": 3}, "/subject"),
        ({"subject": None}, "/subject"),
        ({"subject": "a\r\nBcc: x@y.example"}, "/subject"),
        ({"subject": "a\x00b"}, "/subject"),
        ({"subject": "a\x1bb"}, "/subject"),
        ({"subject": "a\u2028b"}, "/subject"),
        ({"subject": "x" * 501}, "/subject"),
        ({"body": "a\x00b"}, "/body"),
        ({"fields": {"a/b": ["c\x00"]}}, "/fields/a~1b/0"),
        ({"priority": 2**31}, "/priority"),
        ({"priority": 10**30}, "/priority"),
        ({"priority": 3.5}, "/priority"),
        ({"priority": "3"}, "/priority"),
        ({"priority": 6}, "/priority"),
        ({"urgent": 1}, "/urgent"),
        ({"urgent": "yes"}, "/urgent"),
    ],
)
def test_a_wrong_field_is_named(client: TestClient, wrong: dict[str, Any], pointer: str) -> None:
    assert list(problem(post(client, json.dumps({**GOOD, **wrong}).encode()))) == [pointer]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"customer": "a@b.example"}, "Must be an object."),
        ({"fields": 3}, "Must be an object."),
        ({"hours": "08:00"}, "Must be a list."),
        ({"hours": []}, "Must not be empty."),
        ({"hours": [["8", "16:00"]]}, "This is not a time of day; write it like 08:00."),
        ({"queue": ""}, "Must not be empty."),
        (
            {"queue": "IT Support"},
            "Use lower-case letters and digits, with single hyphens between them, such as it-support.",
        ),
        ({"priority": 6}, "Must be less than or equal to 5."),
        ({"subject": "x" * 501}, "Must have at most 500 characters."),
        ({"place": "x"}, "This is not an id."),
        ({"due": "tomorrow"}, "This is not a time; write it like 2026-12-24T08:00:00Z."),
        ({"act": {"do": "fly"}}, "Must be one of 'note', 'tag'."),
        ({"due": "2026-12-24T08:00:00"}, "The time needs its offset; write it like 2026-12-24T08:00:00Z."),
    ],
)
def test_a_wrong_field_is_told_in_words_of_the_api(client: TestClient, wrong: dict[str, Any], said: str) -> None:
    assert list(problem(post(client, json.dumps({**GOOD, **wrong}).encode())).values()) == [said]


def test_what_is_wrong_with_several_fields_is_said_once(client: TestClient) -> None:
    answer = post(client, orjson.dumps({**GOOD, "customer": "a", "fields": 3}))
    assert list(problem(answer)) == ["/customer", "/fields"]
    assert answer.json()["detail"] == "Must be an object."


def test_every_wrong_field_is_named_at_once(client: TestClient) -> None:
    assert set(problem(post(client, b'{"body": 1, "customer": {"x": 1}}'))) == {
        "/subject", "/body", "/customer/email", "/customer/x",
    }  # fmt: skip


def test_a_lone_surrogate_is_named(client: TestClient) -> None:
    assert list(problem(post(client, rb'{"subject": "s", "customer": {"email": "\ud800"}}'))) == ["/customer/email"]
    assert list(problem(post(client, rb'{"subject": "s", "fields": {"\udc00": 1}}'))) == ["/fields/\ufffd"]


@pytest.mark.parametrize(
    "raw",
    [
        b"{", b"[", b'"', b"nul", b"NaN", b'{"subject": NaN}', b'{"subject": 1e999}', b"\xff", b'{"subject": "\xff"}',
        b"\xef\xbb\xbf{}", b"{}{}", b"[" * 100_000, b'{"a":' * 100_000, b"\x00", b"'x'", b"3", b"[]", b'"text"', b"null",
        b"",
    ],
)  # fmt: skip
def test_anything_but_a_json_object_is_refused(client: TestClient, raw: bytes) -> None:
    problem(post(client, raw))


def test_deep_nesting_is_refused_before_it_cannot_be_answered(client: TestClient) -> None:
    def nested(levels: int) -> bytes:
        return b'{"subject": "s", "fields": {"a": ' + b"[" * levels + b"]" * levels + b"}}"

    assert post(client, nested(DEEPEST - 2)).status_code == 201
    problem(post(client, nested(DEEPEST)))
    problem(post(client, nested(1000)))
    assert post(client, nested(DEEPEST)).json()["errors"][0]["pointer"] == "/fields"


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/xml", "", "multipart/form-data", "application/json; charset=\xff"]
)
def test_another_media_type_is_no_500(client: TestClient, content_type: str) -> None:
    answer = client.post(
        "/api/v1/tickets", content=b'{"subject": "s"}', headers={b"Content-Type": content_type.encode("latin-1")}
    )
    assert answer.status_code in (201, 422)


def test_a_secret_is_not_repeated(client: TestClient) -> None:
    answer = post(client, orjson.dumps({**GOOD, "password": "hunter2"}))
    assert list(problem(answer)) == ["/password"]
    assert "hunter2" not in answer.text


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(ANY_JSON)
def test_any_json_is_taken_or_refused(client: TestClient, value: Any) -> None:
    answer = client.post("/api/v1/tickets", json=value)
    if answer.status_code != 201:
        problem(answer)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_taken_or_refused(client: TestClient, raw: bytes) -> None:
    assert post(client, raw).status_code in (201, 422)


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("colour=red", "/query/colour"),
        ("limit=0", "/query/limit"),
        ("limit=201", "/query/limit"),
        ("limit=x", "/query/limit"),
        ("limit=", "/query/limit"),
        ("q=%00", "/query/q"),
        ("a%2Fb=1", "/query/a~1b"),
        ("%00=1", "/query/\x00"),
        ("cursor=" + "x" * 3000, "/query/cursor"),
        ("&".join(f"a{n}=1" for n in range(2000)), "/query"),
    ],
)
def test_an_unknown_or_wrong_query_parameter_is_named(client: TestClient, query: str, pointer: str) -> None:
    assert list(problem(client.get(f"/api/v1/tickets?{query}"))) == [pointer]


def test_a_known_query_parameter_passes(client: TestClient) -> None:
    assert client.get("/api/v1/tickets?limit=200").json() == {"limit": 200}
    assert client.get("/api/v1/filtered?colour=red&colour=blue").json() == {"colour": ["red", "blue"], "awaited": 0}
    assert list(problem(client.get("/api/v1/filtered?colours=red"))) == ["/query/colours"]


@pytest.mark.parametrize(
    "path",
    ["/api/v1/nothing", "/api/v1/tickets/7", "/api/v1/tickets/%00", "/api/v1/tickets/%ff", "/", "/api/v1/tickets/"],
)
def test_what_does_not_exist_is_a_404(client: TestClient, path: str) -> None:
    problem(client.get(path), 404)


def test_another_method_is_a_405(client: TestClient) -> None:
    answer = client.delete("/api/v1/tickets")
    problem(answer, 405)
    assert "GET" in answer.headers["allow"] or "POST" in answer.headers["allow"]


@pytest.mark.parametrize(
    ("header", "value", "pointer"),
    [
        ("If-Match", "7", "/header/if-match"),
        ("Idempotency-Key", "x" * 256, "/header/idempotency-key"),
        ("Idempotency-Key", "a\tb", "/header/idempotency-key"),
    ],
)
def test_a_wrong_header_is_named(client: TestClient, header: str, value: str, pointer: str) -> None:
    assert list(problem(client.post("/api/v1/tickets", json=GOOD, headers={header: value}))) == [pointer]


def test_a_foreign_consistency_token_is_named(client: TestClient) -> None:
    answer = client.get("/api/v1/filtered", headers={"X-Consistency-Token": "abc"})
    assert list(problem(answer)) == ["/header/x-consistency-token"]


@pytest.mark.parametrize("value", ["", "x", "a.b", "a.b.c", "\u00e9"])
def test_a_request_that_the_gateway_did_not_sign_is_a_401(client: TestClient, value: str) -> None:
    answer = client.post("/api/v1/tickets", json=GOOD, headers={b"X-Ledgerdesk-Identity": value.encode("latin-1")})
    problem(answer, 401)
    assert answer.headers["www-authenticate"]


def test_a_replayed_response_has_its_header(client: TestClient) -> None:
    assert (
        client.post("/api/v1/tickets", json=GOOD, headers={"If-Match": '"9"'}).headers["idempotent-replayed"] == "true"
    )
    assert "idempotent-replayed" not in client.post("/api/v1/tickets", json=GOOD).headers
