"""What StrictRoute reads from a request itself behaves as FastAPI's own dependencies do."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Request
from starlette.testclient import TestClient

from shared.http import idempotency
from shared.http.bodies import Body
from shared.http.etag import IfMatch
from shared.http.identity import HEADER, Caller, IdentityVerifier, service_only, sign
from shared.http.serving import routes
from shared.http.serving.application import application
from shared.http.serving.health import Health
from shared.testing.keys import KEYS, SIGNING
from tests.conformance.http.conftest import KARI


class Words(Body):
    text: str


async def unmarked(request: Request) -> str:
    return request.method


def endpoints(router: APIRouter) -> APIRouter:
    @router.post("/t/{ref}")
    async def with_request(
        ref: str,
        request: Request,
        who: Caller,
        words: Words,
        key: idempotency.Command,
        method: Annotated[str, Depends(unmarked)],
    ) -> Any:
        """Its description."""
        return {
            "ref": ref,
            "path": request.url.path,
            "who": who.login,
            "text": words.text,
            "method": method,
            "id": key.id,
        }

    @router.get("/t/{ref}")
    async def without_request(ref: str, who: Caller, expected: IfMatch, limit: int = 5) -> Any:
        return {"ref": ref, "who": who.login, "expected": expected, "limit": limit}

    @router.get("/internal", dependencies=[Depends(service_only)])
    async def internal() -> Any:
        return {}

    return router


def client_of(app: FastAPI) -> TestClient:
    return TestClient(app, raise_server_exceptions=False, headers={HEADER: sign(KARI, "example", SIGNING)})


def strict() -> TestClient:
    health = Health("example", "all")
    return client_of(application(health, keys=KEYS, routers=[endpoints(routes.router("/v1"))]))


def test_every_kind_of_parameter_arrives() -> None:
    told = strict().post("/v1/t/7", json={"text": "hums"}, headers={"Idempotency-Key": "k"}).json()
    assert told.pop("id")
    assert told == {"ref": "7", "path": "/v1/t/7", "who": "kari", "text": "hums", "method": "POST"}
    answer = strict().get("/v1/t/7?limit=6", headers={"If-Match": '"3"'})
    assert answer.json() == {"ref": "7", "who": "kari", "expected": 3, "limit": 6}


def test_who_asks_is_checked_before_what_they_send() -> None:
    for body in (b"{", b"{}"):
        answer = strict().post("/v1/t/7", content=body, headers={HEADER: "", "Content-Type": "application/json"})
        assert answer.status_code == 401


def test_an_internal_route_does_not_exist_for_people() -> None:
    assert strict().get("/v1/internal").status_code == 404
    service = sign(KARI.model_copy(update={"kind": "service"}), "example", SIGNING)
    assert strict().get("/v1/internal", headers={HEADER: service}).status_code == 200


def test_an_included_router_works_as_well() -> None:
    app = application(Health("example", "all"), keys=KEYS)
    app.include_router(endpoints(routes.router("/v1")), prefix="/api")
    assert client_of(app).get("/api/v1/t/7").json()["who"] == "kari"


def test_in_an_ordinary_route_they_are_ordinary_dependencies() -> None:
    app = FastAPI()
    app.state.identity = IdentityVerifier(KEYS.gateway, "example")
    app.include_router(endpoints(APIRouter(prefix="/v1")))
    assert client_of(app).post("/v1/t/7", json={"text": "hums"}).json()["who"] == "kari"
    assert client_of(app).get("/v1/t/7").json()["limit"] == 5


def test_the_openapi_document_is_the_same() -> None:
    def document(router: APIRouter) -> Any:
        app = FastAPI()
        app.include_router(endpoints(router))
        return app.openapi()

    assert document(routes.router("/v1")) == document(APIRouter(prefix="/v1"))
