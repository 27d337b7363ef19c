"""Callers who may not use a route are refused before their body is read."""

from typing import Any

import pytest
from fastapi import Depends
from starlette.testclient import TestClient

from shared.http import routes
from shared.http.bodies import Body
from shared.http.headers import idempotency
from shared.http.headers.etag import IfMatch
from shared.http.identity import HEADER, Caller, service_only, sign
from shared.http.serving.application import application
from shared.http.serving.health import Health
from shared.testing.keys import KEYS, SIGNING
from tests.conformance.http.conftest import KARI


class Words(Body):
    text: str


router = routes.router("/v1")


@router.post("/t/{ref}")
async def write(ref: str, who: Caller, words: Words, key: idempotency.Command, expected: IfMatch) -> Any:
    return {"ref": ref, "who": who.login, "text": words.text, "id": key.id, "expected": expected}


@router.post("/internal", dependencies=[Depends(service_only)])
async def internal(words: Words) -> Any:
    return {"text": words.text}


@pytest.fixture(scope="module")
def client() -> TestClient:
    app = application(Health("example", "all"), keys=KEYS, routers=[router])
    return TestClient(app, raise_server_exceptions=False, headers={HEADER: sign(KARI, "example", SIGNING)})


def test_every_dependency_has_its_value(client: TestClient) -> None:
    response = client.post("/v1/t/7", json={"text": "hums"}, headers={"Idempotency-Key": "k", "If-Match": '"3"'})
    assert response.json().pop("id")
    assert response.json() | {"id": 0} == {"ref": "7", "who": "kari", "text": "hums", "id": 0, "expected": 3}


@pytest.mark.parametrize("body", [b"{", b"{}"])
def test_the_caller_is_checked_before_the_body(client: TestClient, body: bytes) -> None:
    response = client.post("/v1/t/7", content=body, headers={HEADER: "", "Content-Type": "application/json"})
    assert response.status_code == 401


@pytest.mark.parametrize("body", [b"{", b"{}", b'{"text": "hums"}'])
def test_an_internal_route_does_not_exist_for_people(client: TestClient, body: bytes) -> None:
    assert client.post("/v1/internal", content=body).status_code == 404


def test_an_internal_route_takes_requests_of_services(client: TestClient) -> None:
    service = sign(KARI.model_copy(update={"kind": "service"}), "example", SIGNING)
    assert client.post("/v1/internal", json={"text": "hums"}, headers={HEADER: service}).status_code == 200
