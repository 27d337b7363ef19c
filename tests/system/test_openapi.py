"""Whatever the OpenAPI document allows, and much that it does not, never breaks the system (issue table of bad input).

schemathesis makes requests of every operation from the document; the seed is fixed, so that a failure comes again.
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import schemathesis

from tests.system.desk import open_desk, signed_in
from tests.system.harness import System

DOCUMENT = Path(__file__).parents[2] / "services" / "gateway" / "openapi.json"
EXAMPLES = 5


@schemathesis.serializer("message/rfc822")
def mail(context: Any, value: Any) -> bytes:
    """A body of `POST /mail` as bytes, whatever was made up for it."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")


schema = schemathesis.openapi.from_path(DOCUMENT)
# It would sign everybody out who asks after it.
operations = schema.exclude(operation_id="signOut")


@pytest.fixture(scope="module")
def token(whole_system: System) -> Iterator[str]:
    whole_system.heal()
    yield signed_in(whole_system)
    asyncio.run(let_mail_leave(whole_system))


async def let_mail_leave(system: System) -> None:
    """One of the requests may have paused every mail, and the tests after these wait for some."""
    async with open_desk(system) as desk:
        answer = await desk.call("POST", "/outgoing/resume", {})
        assert answer.status in (200, 409), answer  # 409: it leaves


@operations.parametrize()
@hypothesis.settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(hypothesis.HealthCheck),
    phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate),
)
def test_no_request_breaks_it(case: schemathesis.Case[Any], whole_system: System, token: str) -> None:
    answer = case.call(base_url=whole_system.url, headers={"Authorization": f"Bearer {token}"}, timeout=30)
    asked = f"{case.as_curl_command()}\n{answer.status_code} {answer.content[:2000]!r}"
    assert answer.status_code < 500 or (answer.status_code == 503 and "retry-after" in answer.headers), asked
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == ["application/problem+json"], asked
        told = answer.json()
        assert told["status"] == answer.status_code and told["type"].startswith("/problems/"), asked
