"""Spans, and the propagation of the trace context."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from shared.telemetry import recording, tracing
from shared.telemetry.asgi import RequestTelemetry
from shared.telemetry.trace import trace_id
from shared.telemetry.tracing import span, traceparent
from shared.testing.spans import in_memory

ROOT = Path(__file__).parents[3]
TRACE = "0af7651916cd43dd8448eb211c80319c"
ELSEWHERE = f"00-{TRACE}-b7ad6b7169203331-01"


def test_off_there_is_nothing_to_propagate_and_nothing_recorded() -> None:
    with span("x", kind="server", traceparent=ELSEWHERE, ticket="1") as it:
        it.set("a", 1)
        it.rename("y")
        it.fail()
        assert traceparent() is None
    assert it is tracing.NO_SPAN
    assert not tracing.enabled()


def test_off_nothing_of_the_sdk_is_imported() -> None:
    code = (
        "import sys; from shared.telemetry.setup import setup; setup('x', 'all');"
        "from shared.telemetry import asgi, tracing;"
        "found = [m for m in sys.modules if m.startswith(('opentelemetry.sdk', 'opentelemetry.exporter', 'requests'))];"
        "sys.exit(str(found) if found else 0)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, env={"PATH": ""})


def test_off_a_span_costs_less_than_a_microsecond() -> None:
    def once() -> float:
        began = time.perf_counter()
        for _ in range(10_000):
            with span("append", kind="internal"):
                pass
        return (time.perf_counter() - began) / 10_000

    assert min(once() for _ in range(20)) < 1e-6


def test_a_span_from_elsewhere_continues_its_trace() -> None:
    with in_memory() as spans:
        with span("work", kind="consumer", traceparent=ELSEWHERE, ticket="7"):
            with span("inner"):
                within = traceparent()
            assert trace_id() == TRACE
        work, inner = spans.named("work"), spans.named("inner")
    assert within == f"00-{TRACE}-{inner.context.span_id:016x}-01"
    assert f"{work.context.trace_id:032x}" == TRACE
    assert work.parent is not None and work.parent.span_id == int("b7ad6b7169203331", 16)
    assert inner.parent is not None and inner.parent.span_id == work.context.span_id
    assert work.attributes == {"ticket": "7"}


def test_a_propagated_traceparent_is_read_by_the_receiver() -> None:
    with in_memory() as spans:
        with span("here"):
            travelling = traceparent()
        with span("there", traceparent=travelling):
            pass
        here, there = spans.named("here"), spans.named("there")
    assert there.context.trace_id == here.context.trace_id


def test_an_exception_marks_the_span_without_its_text() -> None:
    with in_memory() as spans:
        with pytest.raises(ValueError), span("x"):
            raise ValueError("what a customer wrote")
        failed = spans.named("x")
    assert not failed.status.is_ok
    assert failed.attributes == {"error.type": "ValueError"}
    assert "customer" not in failed.to_json()


def test_outside_of_a_span_nothing_travels() -> None:
    with in_memory():
        assert traceparent() is None


@given(st.text(max_size=80) | st.from_regex(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}", fullmatch=True))
def test_any_traceparent_is_read_or_ignored(header: str) -> None:
    context = recording.parse(header)
    assert context is None or (context.is_valid and f"{context.trace_id:032x}" in header)


async def tickets(scope: Scope, receive: Receive, send: Send) -> None:
    scope["route"] = type("Route", (), {"path_format": "/tickets/{ref}"})
    status = 500 if Request(scope).query_params else 200
    await JSONResponse({"trace": trace_id(), "traceparent": traceparent()}, status)(scope, receive, send)


def ask(path: str, headers: dict[str, str] | None = None) -> Any:
    return TestClient(RequestTelemetry(tickets)).get(path, headers=headers).json()


def test_a_request_is_a_server_span_named_by_its_route() -> None:
    with in_memory() as spans:
        told = ask("/tickets/7", {"traceparent": ELSEWHERE})
        served = spans.named("GET /tickets/{ref}")
    assert told == {"trace": TRACE, "traceparent": f"00-{TRACE}-{served.context.span_id:016x}-01"}
    assert served.attributes is not None
    assert served.attributes["http.response.status_code"] == 200
    assert served.attributes["http.route"] == "/tickets/{ref}"
    assert served.status.status_code.name == "UNSET"


def test_a_500_marks_the_server_span() -> None:
    with in_memory() as spans:
        ask("/tickets/7?x=1")
        assert spans.named("GET /tickets/{ref}").status.status_code.name == "ERROR"


def test_a_probe_is_no_span() -> None:
    with in_memory() as spans:
        ask("/livez")
        assert not spans.ended()


def test_off_a_request_still_has_a_trace_id_of_its_own() -> None:
    assert ask("/tickets/7", {"traceparent": ELSEWHERE}) == {"trace": TRACE, "traceparent": None}
    one, two = ask("/tickets/7")["trace"], ask("/tickets/7")["trace"]
    assert one != two and len(one) == 32


@pytest.mark.parametrize(
    "path", ["/api/v1/password-resets/secret-token", "/password/new/secret-token", "/password/new/secret-token/"]
)
def test_no_secret_of_a_path_is_in_a_trace(path: str) -> None:
    with in_memory() as spans:
        ask(path)
        ask("/api/v1/tickets/1")
        ended = spans.ended()
    assert not any("secret-token" in span.to_json() for span in ended)
    assert [span.attributes["url.path"] for span in ended if span.attributes][-1] == "/api/v1/tickets/1"
