"""The link of a gateway over HTTP: only a gateway gets one, only for people it vouches for, and it may stay open."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

import aiohttp
import pytest

from services.reporting.live import link_api
from services.reporting.live.hub import Hub
from services.reporting.live.subscriptions import Link
from shared.http.identity import HEADER, sign
from shared.http.live_link import PATH, encoded
from shared.http.serving import protocol, server
from shared.http.serving.application import application
from shared.http.serving.health import Health
from shared.http.serving.protocol import close_stalled
from shared.rules.access import Identity
from shared.testing.keys import KEYS, SIGNING
from shared.testing.progress import until
from tests.specs.requirement import requirement

GATEWAY = Identity(person_id=UUID(int=0), kind="service", login="gateway", name="gateway", email="")
KARI = Identity(person_id=UUID(int=1), kind="agent", login="kari", name="Kari", email="k@x.example", roles=("agent",))


class Recorder:
    """In place of the hub: what links tell it."""

    def __init__(self) -> None:
        self.links: set[Link] = set()
        self.told: list[Any] = []

    def add(self, link: Link) -> None:
        self.links.add(link)

    def remove(self, link: Link) -> None:
        self.links.discard(link)

    def identify(self, link: Link, number: int, who: Identity) -> None:
        self.told.append(("person", number, who.login))
        link.listeners[number] = cast("Any", who)

    def open(self, link: Link, number: int, listener: Any, after: str | None, tickets: Any) -> None:
        self.told.append(("open", number, listener.login, after, list(tickets)))


@dataclass
class Serving:
    url: str
    hub: Recorder
    http: aiohttp.ClientSession

    def post(self, who: Identity | None, body: Any, audience: str = "reporting") -> Any:
        headers = {HEADER: sign(who, audience, SIGNING)} if who is not None else {}
        return self.http.post(self.url + PATH, headers=headers, data=body)


@pytest.fixture
async def serving(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Serving]:
    monkeypatch.setattr(server, "TICK_SECONDS", 0.02)
    hub, stop = Recorder(), asyncio.Event()
    app = application(Health("reporting", "api"), keys=KEYS, routers=[link_api.router(cast("Hub", hub))])
    listener = server.listening_socket("127.0.0.1:0")
    running = asyncio.create_task(server.serve(app, listener, Health("reporting", "api"), {}, stop))
    async with aiohttp.ClientSession() as http:
        yield Serving(f"http://127.0.0.1:{listener.getsockname()[1]}", hub, http)
    stop.set()
    await running


@dataclass
class Sending:
    """A body without an end."""

    frames: asyncio.Queue[bytes]

    async def body(self) -> AsyncIterator[bytes]:
        while True:
            yield await self.frames.get()


def endless(*frames: dict[str, Any] | bytes) -> Sending:
    made = Sending(asyncio.Queue())
    for each in frames:
        made.frames.put_nowait(each if isinstance(each, bytes) else encoded(each))
    return made


async def true(value: object) -> bool:
    return bool(value)


@requirement("A13.08", "A19.04")
@pytest.mark.parametrize(
    ("who", "audience", "status"),
    [(None, "reporting", 401), (KARI, "reporting", 404), (GATEWAY, "routing", 401)],
)
async def test_only_a_gateway_gets_a_link(serving: Serving, who: Identity | None, audience: str, status: int) -> None:
    async with serving.post(who, b"", audience) as answer:
        assert answer.status == status
    assert not serving.hub.links


@requirement("A13.08")
async def test_a_link_carries_frames_both_ways_and_ends_when_the_process_does(serving: Serving) -> None:
    who = sign(KARI, "reporting", SIGNING)
    ticket = str(UUID(int=7))
    sending = endless({"op": "person", "p": 1, "who": who}, {"op": "of tomorrow"})
    async with serving.post(GATEWAY, sending.body()) as answer:
        assert answer.status == 200
        sending.frames.put_nowait(encoded({"op": "open", "s": 5, "p": 1, "after": None, "tickets": [ticket]}))
        await until(lambda: true(len(serving.hub.told) == 2))
        assert serving.hub.told == [("person", 1, "kari"), ("open", 5, "kari", None, [UUID(ticket)])]
        (link,) = serving.hub.links
        link.send({"op": "at", "id": "x"})
        lines = [json.loads(await answer.content.readline()) for _ in range(2)]
        assert lines == [{"op": "ping"}, {"op": "at", "id": "x"}]
        link.end()
        assert json.loads(await answer.content.readline()) == {"op": "end"}
        assert await answer.content.read() == b""
    await until(lambda: true(not serving.hub.links))


@requirement("A13.08", "A19.04")
@pytest.mark.parametrize(
    "frame",
    [
        b"nonsense\n",
        b"[]\n",
        b'{"op": "open", "s": 1}\n',
        b'{"op": "open", "s": 1, "p": 9, "after": null, "tickets": []}\n',
        b'{"op": "person", "p": 1, "who": "forged"}\n',
        encoded({"op": "person", "p": 1, "who": sign(KARI, "routing", SIGNING)}),
        b"x" * (3 << 20),
    ],
)
async def test_a_frame_that_is_none_or_not_vouched_for_ends_the_link(serving: Serving, frame: bytes) -> None:
    async with serving.post(GATEWAY, endless(frame).body()) as answer:
        with contextlib.suppress(aiohttp.ClientError):
            await answer.content.read()
    assert not serving.hub.told
    await until(lambda: true(not serving.hub.links))


@requirement("A13.08")
async def test_a_link_has_no_time_limit_but_a_silent_gateway_loses_it(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0

    def counted(connections: Any) -> None:
        nonlocal looks
        looks += 1
        close_stalled(connections)

    for name in ("BODY_SECONDS", "LONGEST_SECONDS", "HEAD_SECONDS", "IDLE_SECONDS"):
        monkeypatch.setattr(protocol, name, -1.0)
    monkeypatch.setattr(server, "close_stalled", counted)
    async with serving.post(GATEWAY, endless({"op": "ping"}).body()):
        await until(lambda: true(serving.hub.links))
        before = looks
        await until(lambda: true(looks > before + 2))
        assert serving.hub.links
        monkeypatch.setattr(protocol, "SILENCE_SECONDS", -1.0)
        await until(lambda: true(not serving.hub.links))
