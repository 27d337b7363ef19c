"""The description of the API is complete, up to date, and browsable without other servers."""

import json
import re
from typing import Any

import pytest

from deploy.openapi import documents, text
from services.gateway.front.reference import ASSETS, DOCUMENT, SERVED
from services.gateway.front.routes import WrongMethod, target
from tests.services.gateway.conftest import Gateway


async def test_the_committed_document_is_the_generated_one() -> None:
    assert DOCUMENT.read_text("utf-8") == text(), "run `python -m deploy.openapi`"


async def test_every_operation_has_an_id_of_its_own_a_summary_and_its_errors() -> None:
    document = json.loads(DOCUMENT.read_text("utf-8"))
    ids: list[str] = []
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            ids.append(operation["operationId"])
            assert operation["summary"] and operation["tags"], (path, method)
            assert {"401", "403", "422", "503"} <= operation["responses"].keys(), (path, method)
            for status, response in operation["responses"].items():
                assert status[0] != "4" or "application/problem+json" in response["content"], (path, method, status)
    assert len(ids) == len(set(ids)) and all(re.fullmatch("[a-z][A-Za-z]+", name) for name in ids)


async def test_every_reference_in_the_document_resolves() -> None:
    document = json.loads(DOCUMENT.read_text("utf-8"))
    names = set(re.findall(r'"#/components/schemas/([^"]+)"', DOCUMENT.read_text("utf-8")))
    assert names <= document["components"]["schemas"].keys()


async def test_what_a_service_describes_is_routed_to_it() -> None:
    for service, document in documents().items():
        for path, operations in document["paths"].items():
            example = re.sub(r"\{[^}]+\}", "01a208db-eeca-7020-aaac-d52bf975aba2", path)
            for method in operations:
                try:
                    found = target(method.upper(), example)
                except WrongMethod as error:
                    pytest.fail(f"{method} {path} of {service} is not routed: {error}")
                assert (found.service if found else "gateway") == service, path


async def test_it_is_served_to_everybody(gateway: Gateway) -> None:
    answer = await gateway.anonymous.get("/openapi.json")
    assert (
        answer.status == 200 and answer.body["openapi"].startswith("3.1") and "/api/v1/tickets" in answer.body["paths"]
    )


async def test_the_pages_load_nothing_from_other_servers(gateway: Gateway) -> None:
    page = await gateway.anonymous.get("/api/docs")
    assert page.status == 200 and page.headers["Content-Type"].startswith("text/html")
    assert "default-src 'self'" in page.headers["Content-Security-Policy"]
    named = re.findall(r'(?:src|href)="([^"]+)"', page.raw.decode())
    assert named and all(each.startswith("/api/docs/") for each in named)
    for each in named:
        part: Any = await gateway.anonymous.get(each)
        assert part.status == 200 and part.raw
    assert all((ASSETS / name).is_file() for name in SERVED)
