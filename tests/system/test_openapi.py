"""Requests that the OpenAPI document allows, and many that it does not, never break the system. Each success is as it says.

schemathesis generates requests for every operation of the document. The seed is fixed, so that a failure comes again.
"""

import asyncio
import json
from collections.abc import Iterator
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import hypothesis
import pytest
import requests
import schemathesis
from schemathesis.generation.hypothesis.builder import HypothesisTestConfig, HypothesisTestMode, create_test

from tests.described import fault
from tests.system.desk import open_desk, signed_in
from tests.system.harness import System

DOCUMENT = Path(__file__).parents[2] / "services" / "gateway" / "front" / "openapi.json"
EXAMPLES = 5


@schemathesis.serializer("message/rfc822")
def mail(context: Any, value: Any) -> bytes:
    """Any generated body of `POST /mail` as bytes."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")


schema = schemathesis.openapi.from_path(DOCUMENT)
OPERATIONS = [
    pytest.param(path, method, id=f"{method.upper()} {path}")
    for path, methods in json.loads(DOCUMENT.read_text("utf-8"))["paths"].items()
    for method, operation in methods.items()
    # The requests after signing out would be signed out, and the response of a stream has no end.
    if operation["operationId"] not in ("signOut", "openStream")
]


@pytest.fixture(scope="module")
def token(whole_system: System) -> Iterator[str]:
    whole_system.heal()
    yield signed_in(whole_system)
    asyncio.run(let_mail_leave(whole_system))


@pytest.fixture(scope="module")
def client() -> Iterator[requests.Session]:
    """One connection for many requests: none of them may spoil the next. It keeps no cookies."""
    with requests.Session() as session:
        session.trust_env = False
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
        yield session


async def let_mail_leave(system: System) -> None:
    """Resumes mail, which a generated request may have paused: later tests wait for some."""
    async with open_desk(system) as desk:
        answer = await desk.call("POST", "/outgoing/resume", {})
        assert answer.status in (200, 409), answer  # 409: it was not paused


SETTINGS = hypothesis.settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(hypothesis.HealthCheck),
    phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate),
)


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_no_request_breaks_the_system(
    path: str, method: str, whole_system: System, token: str, client: requests.Session
) -> None:
    """Generates the requests while it runs: schemathesis' decorator would do so in every process that only collects."""
    headers = {"Authorization": f"Bearer {token}"}

    def check(case: schemathesis.Case[Any]) -> None:
        answer = case.call(base_url=whole_system.url, session=client, headers=headers, timeout=30)
        assert is_correct(answer), f"{case.as_curl_command()}\n{answer.status_code} {answer.content[:2000]!r}"
        content_type = next(iter(answer.headers.get("content-type", [])), "")
        sent = urlsplit(answer.request.url or "").path
        assert fault(method, sent, answer.status_code, content_type, answer.content) is None

    made = HypothesisTestConfig(project=schema.config, modes=list(HypothesisTestMode), settings=SETTINGS)
    create_test(operation=schema[path][method], test_func=check, config=made)()


def is_correct(answer: schemathesis.Response) -> bool:
    """Whether it is a success, a problem document about an error of the client, or a 503 with Retry-After."""
    if answer.status_code < 400:
        return True
    if answer.headers["content-type"] != ["application/problem+json"]:
        return False
    problem = answer.json()
    for_now = answer.status_code == 503 and "retry-after" in answer.headers
    return (
        problem["status"] == answer.status_code
        and problem["type"].startswith("/problems/")
        and (answer.status_code < 500 or for_now)
    )
