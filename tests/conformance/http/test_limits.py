"""Limits on the body of a request, and on concurrent requests."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from shared.http import routes
from shared.http.problems import Problem
from shared.http.serving.application import application
from shared.http.serving.health import Health
from shared.http.serving.limits import JSON_BODY, RUNNING, RunningLimit, body_limit, bounded
from shared.runtime.concurrency import ConcurrencyLimit
from shared.testing.keys import KEYS


def pieces(count: int, size: int) -> Iterator[bytes]:
    for _ in range(count):
        yield b"x" * size


@pytest.fixture(scope="module")
def client() -> TestClient:
    router = routes.router()

    @router.post("/small")
    @body_limit(1000, values=10)
    async def small(request: Request) -> Any:
        return {"letters": len(await request.json())}

    @router.post("/usual")
    async def usual(request: Request) -> Any:
        return {"letters": len(await request.json())}

    return TestClient(application(Health("example", "all"), keys=KEYS, routers=[router]))


def text(size: int) -> bytes:
    return b'"' + b"x" * (size - 2) + b'"'


@pytest.mark.parametrize("size", [2, 999, 1000])
def test_a_body_up_to_the_routes_limit_passes(client: TestClient, size: int) -> None:
    assert client.post("/small", content=text(size)).status_code == 200
    assert client.post("/small", content=iter([text(size)])).status_code == 200


@pytest.mark.parametrize("body", [text(1001), pieces(11, 100)], ids=["length", "chunked"])
def test_a_longer_one_is_a_413_that_tells_the_limit(client: TestClient, body: Any) -> None:
    answer = client.post("/small", content=body)
    assert answer.status_code == 413
    assert (answer.json()["type"], answer.json()["detail"]) == (
        "/problems/too-large",
        "The body of this request may have at most 1000 bytes.",
    )


def test_a_route_that_says_nothing_has_the_usual_limit(client: TestClient) -> None:
    assert client.post("/usual", content=text(JSON_BODY)).json() == {"letters": JSON_BODY - 2}
    assert client.post("/usual", content=text(JSON_BODY + 1)).status_code == 413


def test_the_longest_text_fits_in_two_bytes_a_letter(client: TestClient) -> None:
    assert client.post("/usual", content=f'"{"ж" * 1_000_000}"'.encode()).json() == {"letters": 1_000_000}


def test_values_are_counted_before_parsing(client: TestClient) -> None:
    def status(body: bytes) -> int:
        return client.post("/small", content=body).status_code

    assert status(b'{"a": "' + b"[,{" * 100 + b'\\"", "b": [1, 2]}') == 200  # within a string
    assert status(b"[" + b"{}," * 12 + b"1]") == 422
    assert status(b"[" * 300 + b"]" * 300) == 422
    assert status(b'{"a": ' + b"[,{" * 100) == 422  # not JSON


async def _unread() -> Message:
    raise AssertionError("nothing is to be read")


@pytest.mark.parametrize(
    ("length", "status"),
    [(b"1001", 413), *((each, 422) for each in (b"-1", b"x", b"", b"1.0", b"9" * 30, b"\xb2"))],
)
def test_a_length_that_is_too_large_or_none_is_refused_unread(length: bytes, status: int) -> None:
    with pytest.raises(Problem) as refused:
        bounded({"type": "http", "headers": [(b"content-length", length)]}, _unread, 1000)
    assert refused.value.status == status


class Waiting:
    """An application that reads the bodies of its requests, which then wait until they are released."""

    def __init__(self) -> None:
        self.entered, self.release = asyncio.Semaphore(0), asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (person := scope["person"]) is not None:
            scope[RUNNING].count_for(person)
        while (await receive()).get("more_body"):
            pass
        self.entered.release()
        await self.release.wait()
        await JSONResponse({})(scope, receive, send)


async def status_of(
    app: Any, path: str = "/", receive: Receive | None = None, *, address: str = "", person: str | None = None
) -> int:
    statuses: list[int] = []

    async def whole() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    try:
        await app(
            {"type": "http", "method": "GET", "path": path, "headers": [], "from": address, "person": person},
            receive or whole,
            send,
        )
    except Problem as problem:  # as `failures` does
        return problem.status
    (status,) = statuses
    return status


async def test_too_many_at_once_are_a_503_but_probes_pass() -> None:
    waiting = Waiting()
    app = RunningLimit(waiting, ConcurrencyLimit(1, 1))
    first = asyncio.create_task(status_of(app))
    await waiting.entered.acquire()
    assert await status_of(app) == 503
    probe = asyncio.create_task(status_of(app, "/livez"))
    await waiting.entered.acquire()
    waiting.release.set()
    assert [await first, await probe, await status_of(app)] == [200, 200, 200]


async def test_one_address_never_takes_all_slots() -> None:
    waiting = Waiting()
    app = RunningLimit(waiting, ConcurrencyLimit(3, 2), address=lambda scope: str(scope["from"]))
    mine = [asyncio.create_task(status_of(app, address="a")) for _ in range(2)]
    for _ in mine:
        await waiting.entered.acquire()
    assert await status_of(app, address="a") == 503
    other = asyncio.create_task(status_of(app, address="b"))
    await waiting.entered.acquire()
    waiting.release.set()
    assert await asyncio.gather(*mine, other) == [200] * 3


async def test_one_person_never_takes_all_slots_from_any_address() -> None:
    waiting = Waiting()
    app = RunningLimit(
        waiting, ConcurrencyLimit(3, 3), ConcurrencyLimit(3, 1), address=lambda scope: str(scope["from"])
    )
    first = asyncio.create_task(status_of(app, address="a", person="kari"))
    await waiting.entered.acquire()
    assert await status_of(app, address="b", person="kari") == 429
    other = asyncio.create_task(status_of(app, address="b", person="ola"))
    await waiting.entered.acquire()
    waiting.release.set()
    assert await asyncio.gather(*[first, other]) == [200, 200]
    assert await status_of(app, address="b", person="kari") == 200, "what was held is given back"


async def test_requests_that_wait_for_their_body_hold_no_slot() -> None:
    waiting, sent = Waiting(), asyncio.Event()
    app = RunningLimit(waiting, ConcurrencyLimit(1, 1))
    parts = iter([b"{", b"}"])

    async def slowly() -> Message:
        await sent.wait()
        part = next(parts)
        return {"type": "http.request", "body": part, "more_body": part != b"}"}

    slow = [asyncio.create_task(status_of(app, receive=slowly)) for _ in range(3)]
    await asyncio.sleep(0)  # they wait for their bodies
    quick = asyncio.create_task(status_of(app))
    await waiting.entered.acquire()
    waiting.release.set()
    assert await quick == 200
    for each in slow:
        each.cancel()
    await asyncio.wait(slow)
    assert await status_of(app) == 200


async def test_a_request_that_stays_open_holds_no_slot() -> None:
    limit, others = ConcurrencyLimit(1, 1), ConcurrencyLimit(1, 1)
    opened, end = asyncio.Event(), asyncio.Event()

    async def stays_open(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        scope[RUNNING].count_for("kari")
        scope[RUNNING].leave()
        opened.set()
        await receive()  # does not take one again
        await end.wait()

    app = RunningLimit(stays_open, limit, others)

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": True}

    async def send(message: Message) -> None:
        raise AssertionError(message)

    running = asyncio.create_task(app({"type": "http", "path": "/stream"}, receive, send))
    await opened.wait()
    assert (limit.taken, others.taken) == (0, 0)
    end.set()
    await running
    assert (limit.taken, others.taken) == (0, 0)
