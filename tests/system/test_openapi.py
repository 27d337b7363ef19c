"""Whatever the OpenAPI document allows, and much that it does not, never breaks the system (issue table of bad input).

schemathesis makes requests of every operation from the document; the seed is fixed, so that a failure comes again.
"""

import asyncio
import json
from collections.abc import Iterator
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import requests
import schemathesis
from schemathesis.generation.hypothesis.builder import HypothesisTestConfig, HypothesisTestMode, create_test

from tests.system.desk import open_desk, signed_in
from tests.system.harness import System

DOCUMENT = Path(__file__).parents[2] / "services" / "gateway" / "front" / "openapi.json"
EXAMPLES = 5


@schemathesis.serializer("message/rfc822")
def mail(context: Any, value: Any) -> bytes:
    """A body of `POST /mail` as bytes, whatever was made up for it."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")


schema = schemathesis.openapi.from_path(DOCUMENT)
OPERATIONS = [
    pytest.param(path, method, id=f"{method.upper()} {path}")
    for path, methods in json.loads(DOCUMENT.read_text("utf-8"))["paths"].items()
    for method, operation in methods.items()
    if operation["operationId"] != "signOut"  # it would sign everybody out who asks after it
]


@pytest.fixture(scope="module")
def token(whole_system: System) -> Iterator[str]:
    whole_system.heal()
    yield signed_in(whole_system)
    asyncio.run(let_mail_leave(whole_system))


@pytest.fixture(scope="module")
def client() -> Iterator[requests.Session]:
    """One connection for many requests: whatever one of them was, the next must be understood. It keeps no cookies."""
    with requests.Session() as session:
        session.trust_env = False
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
        yield session


async def let_mail_leave(system: System) -> None:
    """One of the requests may have paused every mail, and the tests after these wait for some."""
    async with open_desk(system) as desk:
        answer = await desk.call("POST", "/outgoing/resume", {})
        assert answer.status in (200, 409), answer  # 409: it leaves


SETTINGS = hypothesis.settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(hypothesis.HealthCheck),
    phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate),
)


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_no_request_breaks_it(
    path: str, method: str, whole_system: System, token: str, client: requests.Session
) -> None:
    """The requests are made up when the test runs: schemathesis' own decorator does so in every process that only collects tests, which takes
    longer than many of these tests."""
    headers = {"Authorization": f"Bearer {token}"}

    def is_well_told(case: schemathesis.Case[Any]) -> None:
        answer = case.call(base_url=whole_system.url, session=client, headers=headers, timeout=30)
        assert well_told(answer), f"{case.as_curl_command()}\n{answer.status_code} {answer.content[:2000]!r}"

    made = HypothesisTestConfig(project=schema.config, modes=list(HypothesisTestMode), settings=SETTINGS)
    create_test(operation=schema[path][method], test_func=is_well_told, config=made)()


def well_told(answer: schemathesis.Response) -> bool:
    """Whether it is a yes, or a problem document, and none about a fault of ours, except that one asks for patience."""
    if answer.status_code < 400:
        return True
    if answer.headers["content-type"] != ["application/problem+json"]:
        return False
    told = answer.json()
    for_now = answer.status_code == 503 and "retry-after" in answer.headers
    return (
        told["status"] == answer.status_code
        and told["type"].startswith("/problems/")
        and (answer.status_code < 500 or for_now)
    )
