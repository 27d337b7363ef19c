"""A body over the limit is a 413: at once if it says its length, else as soon as it is longer."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from shared.http.limits import MAX_BODY, BodyLimit, RunningLimit


async def measuring(scope: Scope, receive: Receive, send: Send) -> None:
    try:
        size = len(await Request(scope, receive).body())
    except Exception as error:  # an application may swallow the error and answer something of its own
        size = type(error).__name__  # type: ignore[assignment]
    await JSONResponse({"size": size})(scope, receive, send)


def pieces(count: int, size: int) -> Iterator[bytes]:
    for _ in range(count):
        yield b"x" * size


@pytest.fixture
def client() -> TestClient:
    return TestClient(BodyLimit(measuring, most=1000))


@pytest.mark.parametrize("size", [0, 1, 999, 1000])
def test_a_body_up_to_the_limit_passes(client: TestClient, size: int) -> None:
    assert client.post("/", content=b"x" * size).json() == {"size": size}
    assert client.post("/", content=pieces(size, 1)).json() == {"size": size}


@pytest.mark.parametrize("body", [b"x" * 1001, pieces(11, 100)])
def test_a_longer_one_is_a_413(client: TestClient, body: Any) -> None:
    answer = client.post("/", content=body)
    assert answer.status_code == 413
    assert answer.json()["type"] == "/problems/too-large"


def test_one_that_says_its_length_is_refused_unread() -> None:
    async def unread() -> Message:
        raise AssertionError("nothing is to be read")

    scope = {"type": "http", "path": "/", "headers": [(b"content-length", str(MAX_BODY + 1).encode())]}
    assert answered(BodyLimit(measuring), scope, unread) == 413


@pytest.mark.parametrize("length", [b"-1", b"x", b"", b"1.0", b"9" * 30, b"\xb2"])
def test_a_length_that_is_none_is_a_422(length: bytes) -> None:
    async def unread() -> Message:
        raise AssertionError("nothing is to be read")

    assert (
        answered(BodyLimit(measuring), {"type": "http", "path": "/", "headers": [(b"content-length", length)]}, unread)
        == 422
    )


def test_too_many_at_once_are_a_503_but_probes_pass() -> None:
    async def run() -> list[int]:
        release = asyncio.Event()
        entered = asyncio.Event()

        async def waiting(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["path"] == "/":
                entered.set()
                await release.wait()
            await JSONResponse({})(scope, receive, send)

        app = RunningLimit(waiting, most=1)
        first = asyncio.create_task(status_of(app, "/"))
        await entered.wait()
        second, probe = await status_of(app, "/"), await status_of(app, "/livez")
        release.set()
        return [await first, second, probe, await status_of(app, "/other")]

    assert asyncio.run(run()) == [200, 503, 200, 200]


async def status_of(app: Any, path: str) -> int:
    return await _answer(app, {"type": "http", "method": "GET", "path": path, "headers": []}, _empty)


async def _empty() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


def answered(app: Any, scope: Scope, receive: Receive) -> int:
    return asyncio.run(_answer(app, scope, receive))


async def _answer(app: Any, scope: Scope, receive: Receive) -> int:
    statuses: list[int] = []

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    await app(scope, receive, send)
    (status,) = statuses
    return status
