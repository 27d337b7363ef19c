"""Limits for callers who are not signed in, and headers for caches."""

import asyncio
import json
import re
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from services.gateway.front.proxy import FORWARDED
from services.gateway.signing_in import passwords
from services.gateway.signing_in import sign_in_limits as places
from services.gateway.signing_in.sign_in import SignIn
from services.gateway.signing_in.sign_in_limits import SignInLimits
from services.gateway.signing_in.throttling import SignInThrottle
from shared.http.headers.consistency import HEADER as CONSISTENCY
from shared.http.problems import Problem
from tests.services.gateway.conftest import PASSWORD, Gateway
from tests.services.gateway.test_hop import raw

ROOT = Path(__file__).parents[3]
SIGN_IN = b"POST /api/v1/session HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\n"
GUESS = "wrong"  # pragma: allowlist secret


async def test_a_long_sign_in_is_refused_before_it_is_read(gateway: Gateway) -> None:
    head = SIGN_IN + b"Content-Length: 4097\r\nExpect: 100-continue\r\n\r\n"
    assert (await raw(gateway, head)).startswith(b"HTTP/1.1 413 ")

    async def pieces() -> Any:
        yield b'{"login": "'
        while True:
            yield b"x" * 1024

    async with gateway.session.post(f"{gateway.url}/api/v1/session", data=pieces()) as answer:
        assert answer.status == 413 and "4 KiB" in (await answer.json())["detail"]


async def test_the_body_of_a_request_without_a_sign_in_is_not_read(gateway: Gateway) -> None:
    """The answer comes although the body never does."""
    for head in (
        b"PUT /api/v1/companies/acme HTTP/1.1\r\nHost: here\r\n",
        b"POST /api/v1/tokens HTTP/1.1\r\nHost: here\r\n",
        b"POST /api/v1/tickets/1/split HTTP/1.1\r\nHost: here\r\n",
        b"POST /api/v1/tickets HTTP/1.1\r\nHost: here\r\n",
    ):
        assert (await raw(gateway, head + b"Content-Length: 100\r\nExpect: 100-continue\r\n\r\n")).startswith(
            b"HTTP/1.1 401 "
        )


async def test_password_proofs_have_the_limit_of_sign_ins(gateway: Gateway) -> None:
    admin = await gateway.admin()
    for path, most in (("/session/proof", 4 << 10), ("/session/password", 8 << 10)):
        assert (await admin.post(path, data=b" " * (most + 1))).status == 413
        assert (await admin.post(path, data=b" " * most)).status == 422


async def test_each_proxied_route_has_its_own_limit(gateway: Gateway) -> None:
    admin = await gateway.admin()
    for path, most in (("/outgoing/pause", 4 << 10), ("/tickets", 2 << 20), ("/tickets/1/note", 2 << 20)):
        assert (await admin.post(path, data=b"x" * most)).status == 200
        assert (await admin.post(path, data=b"x" * (most + 1))).status == 413
    assert (await admin.post("/blobs", data=b"x" * (2 << 20) + b"x")).status == 200
    assert (await admin.put("/companies/acme", None, data=b"x" * ((1 << 20) + 1))).status == 413


async def test_only_documents_may_hold_many_values(gateway: Gateway) -> None:
    """A queue may have thousands of members. No other body may have thousands of values."""
    admin = await gateway.admin()
    many = {f"word-{n}": n for n in range(5_000)}
    for path in ("/session/queues", "/session/notices", "/customers/kari"):
        told = (await admin.put(path, many)).body
        assert "more than 2000 values" in told["detail"], told
    led = (await admin.post("/tickets/2026112910000001/split", many)).body
    assert "more than 2000 values" in led["detail"], led
    document = (await admin.put("/companies/acme", many)).body
    assert "is not known" in document["detail"], document


async def test_unfinished_sign_ins_do_not_block_others(gateway: Gateway) -> None:
    """There are more of them than requests may run at the same time."""
    slow = [await asyncio.open_connection(*gateway.url.removeprefix("http://").split(":")) for _ in range(600)]
    for _, writer in slow:
        writer.write(SIGN_IN + b"Content-Length: 1000\r\n\r\n{")
    for _, writer in slow:
        await writer.drain()
    await gateway.sign_in("admin")
    await gateway.admin()
    for _, writer in slow:
        writer.close()


async def test_one_person_has_a_limit_of_running_requests(gateway: Gateway) -> None:
    from services.gateway.app import MOST_OF_A_PERSON

    await gateway.person("kari", "agent")
    kari, admin = await gateway.session_of("kari"), await gateway.admin()
    release, asked = asyncio.Event(), asyncio.Semaphore(0)

    async def waiting(_: Any, writer: asyncio.StreamWriter) -> bool:
        asked.release()
        await release.wait()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
        return True

    gateway.service.behaviour = waiting
    gateway.services["reporting"] = gateway.service.url
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        url, headers = f"{gateway.url}/api/v1/tickets", {"Authorization": f"Bearer {kari.token}"}

        async def ask() -> int:
            async with session.get(url, headers=headers) as answer:
                return answer.status

        running = [asyncio.create_task(ask()) for _ in range(MOST_OF_A_PERSON + 1)]
        done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        assert [each.result() for each in done] == [429]
        assert (await admin.get("/session")).status == 200
        release.set()
        assert sorted(await asyncio.gather(*running))[:1] in ([200], [429])


async def test_answers_are_not_cached_and_their_types_are_not_guessed(gateway: Gateway) -> None:
    admin = await gateway.admin()
    answers = [
        await admin.get("/session"),
        await admin.get("/people"),
        await admin.get("/people/admin"),
        await admin.get("/tickets"),
        await admin.get("/nothing"),
        await admin.delete("/tickets"),
        await gateway.anonymous.get("/tickets"),
        await gateway.anonymous.post("/session", {"login": "admin", "password": GUESS}),
        await gateway.anonymous.get("/readyz"),
        await gateway.anonymous.get("/metrics"),
    ]
    for answer in answers:
        told = answer.headers.getall("Cache-Control"), answer.headers.getall("X-Content-Type-Options")
        assert told == (["no-store"], ["nosniff"]), answer


@pytest.mark.parametrize(
    "head",
    [
        b"nonsense\r\n\r\n",
        b"GET /readyz HTTP/1.1\r\nHost: one\r\nHost: two\r\n\r\n",
        b"GET /readyz HTTP/1.1\r\nHost: here\r\n" + b"X-Long: %b\r\n" % (b"x" * 4000) * 20,
    ],
)
async def test_answers_to_invalid_requests_have_the_same_headers(gateway: Gateway, head: bytes) -> None:
    answer = (await raw(gateway, head)).lower()
    assert answer.startswith((b"http/1.1 400 ", b"http/1.1 431 "))
    assert answer.count(b"x-content-type-options: nosniff\r\n") == answer.count(b"cache-control: no-store\r\n") == 1


async def test_the_files_of_the_api_description_may_be_cached(gateway: Gateway) -> None:
    styles, document = (
        await gateway.anonymous.get("/api/docs/swagger-ui.css"),
        await gateway.anonymous.get("/openapi.json"),
    )
    assert styles.headers["Cache-Control"] == "max-age=86400" and document.headers["Cache-Control"] == "no-cache"
    assert (
        styles.headers.getall("X-Content-Type-Options")
        == ["nosniff"]
        == document.headers.getall("X-Content-Type-Options")
    )


async def test_a_browser_that_signs_in_again_leaves_no_session_behind(gateway: Gateway) -> None:
    await gateway.person("kari", "agent")
    old, elsewhere = await gateway.session_of("kari"), await gateway.session_of("kari")
    cookie = {"Cookie": f"ledgerdesk_session={old.token}"}
    assert (
        await gateway.anonymous.post("/session", {"login": "admin", "password": GUESS}, headers=cookie)
    ).status == 401
    assert (await old.get("/session")).status == 200, "a failed sign-in ends nothing"
    made = await gateway.anonymous.post("/session", {"login": "admin", "password": PASSWORD}, headers=cookie)
    assert (await old.get("/session")).status == 401
    assert (await elsewhere.get("/session")).status == 200
    assert (await gateway.holding(made.body["token"]).get("/session")).status == 200


async def test_a_repeated_sign_in_does_not_end_its_own_session(gateway: Gateway) -> None:
    key = {"Idempotency-Key": "once"}
    body = {"login": "admin", "password": PASSWORD}
    token = (await gateway.anonymous.post("/session", body, headers=key)).body["token"]
    again = await gateway.anonymous.post("/session", body, headers={**key, "Cookie": f"ledgerdesk_session={token}"})
    assert again.body["token"] == token and (await gateway.holding(token).get("/session")).status == 200


async def test_an_api_token_in_the_cookie_is_not_ended(gateway: Gateway) -> None:
    session = await gateway.sign_in("admin")
    token = (await session.post("/tokens", {"name": "script", "scopes": ["read"]})).body["token"]
    await gateway.anonymous.post(
        "/session", {"login": "admin", "password": PASSWORD}, headers={"Cookie": f"ledgerdesk_session={token}"}
    )
    assert (await gateway.holding(token).get("/session")).status == 200


def documented_headers() -> set[str]:
    """Every request header that the API description or a document promises for a service."""
    document = json.loads((ROOT / "services/gateway/front/openapi.json").read_text())
    described = {
        parameter["name"]
        for operations in document["paths"].values()
        for operation in operations.values()
        for parameter in operation.get("parameters", [])
        if parameter["in"] == "header"
    }
    told = {
        name
        for file in (ROOT / "docs").rglob("*.md")
        for line in file.read_text().splitlines()
        if "HTTP" in line
        for name in re.findall(r"`(X-[A-Za-z-]+[a-z])`", line)
    }
    return described | told


async def test_every_documented_header_reaches_the_service(gateway: Gateway) -> None:
    wanted = documented_headers() - {CONSISTENCY}  # the gateway decrypts it: test_hop.py
    assert {"X-Client-Address", "X-Client-Helo", "X-Envelope-From", "If-Match"} <= wanted
    values = {name: f"value-of-{name.lower()}" for name in wanted}
    admin = await gateway.admin()
    assert (await admin.post("/mail", data=b"mail", headers=values)).status == 200
    asked = gateway.service.business[-1]
    assert {name: asked.get(name.lower()) for name in wanted} == values
    assert {name.lower().encode() for name in wanted} <= FORWARDED


def test_strangers_take_no_places_of_known_accounts() -> None:
    holder = SignInLimits()
    with ExitStack() as people:
        with ExitStack() as flood:
            for n in range(places.STRANGERS):
                flood.enter_context(holder.slot(f"nobody-{n}", f"192.0.2.{n}", known=False))
            with pytest.raises(Problem) as refused:
                people.enter_context(holder.slot("one-more", "198.51.100.1", known=False))
            assert refused.value.status == 429
            for n in range(places.AN_ACCOUNT):
                people.enter_context(holder.slot("kari", f"192.0.2.{n}", known=True))
            with pytest.raises(Problem):
                people.enter_context(holder.slot("kari", "192.0.2.9", known=True))
            people.enter_context(holder.slot("ola", "192.0.2.9", known=True))
        people.enter_context(holder.slot("one-more", "198.51.100.1", known=False))


def test_neither_one_address_nor_one_account_takes_all_places_of_strangers() -> None:
    holder = SignInLimits()
    with ExitStack() as flood:
        for n in range(places.STRANGERS_OF_AN_ADDRESS):
            flood.enter_context(holder.slot(f"nobody-{n}", "2001:db8:1:2::1", known=False))
        with pytest.raises(Problem):
            flood.enter_context(holder.slot("nobody", "2001:db8:1:2:ffff::1", known=False))
    with ExitStack() as flood:
        for n in range(places.AN_ACCOUNT):
            flood.enter_context(holder.slot("kari", f"192.0.2.{n}", known=False))
        with pytest.raises(Problem):
            flood.enter_context(holder.slot("kari", "198.51.100.1", known=False))
        flood.enter_context(holder.slot("ola", "198.51.100.1", known=False))


async def test_known_people_sign_in_during_a_flood(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    await gateway.sign_in("admin")
    gate, verify = threading.Event(), passwords._verify

    def waiting(known: str, password: str) -> bool:
        if password == GUESS:
            gate.wait(20)
        return verify(known, password)

    monkeypatch.setattr(passwords, "_verify", waiting)

    async def guess(n: int) -> int:
        return (await gateway.anonymous.post("/session", {"login": f"nobody-{n}", "password": GUESS})).status

    flood = [asyncio.create_task(guess(n)) for n in range(90)]
    refused = 0
    for each in asyncio.as_completed(flood):
        refused += await each == 429
        if refused == 90 - places.STRANGERS_OF_AN_ADDRESS:
            break
    mine = asyncio.create_task(gateway.sign_in("admin"))
    gate.set()
    await mine
    assert sorted({await each for each in flood}) == [401, 429]


async def test_known_accounts_have_a_place_however_many_strangers_come(gateway: Gateway) -> None:
    await gateway.person("kari", "agent")
    sign_in = SignIn(gateway.pool, passwords.Passwords(), SignInThrottle(gateway.pool, b"key"))

    async def refused(login: str, address: str) -> bool:
        with ExitStack() as flood:
            for n in range(places.STRANGERS):
                flood.enter_context(sign_in.limits.slot(f"nobody-{n}", f"192.0.2.{n}", known=False))
            try:
                await sign_in.check(login, PASSWORD, address)
            except Problem as problem:
                return problem.status == 429
            return False

    assert await refused("kari", "198.51.100.1")
    await sign_in.check("kari", PASSWORD, "198.51.100.1")
    assert not await refused("kari", "198.51.100.1")
    assert await refused("kari", "127.0.0.1") and await refused("admin", "198.51.100.1")
    assert not await refused("admin", "127.0.0.1"), "the first administrator always has a place on the machine itself"
    sign_in.passwords.close()


async def test_passwords_with_priority_do_not_wait_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    gate, order = threading.Event(), list[str]()

    def recorded(known: str, password: str) -> bool:
        order.append(password)
        gate.wait(20)
        return True

    monkeypatch.setattr(passwords, "_verify", recorded)
    keeper = passwords.Passwords()
    tasks = [asyncio.create_task(keeper.verify("x", f"stranger {n}", first=False)) for n in range(10)]
    gone = asyncio.create_task(keeper.verify("x", "gone"))
    tasks += [asyncio.create_task(keeper.verify("x", f"known {n}")) for n in range(3)]
    await asyncio.sleep(0)
    gone.cancel()
    gate.set()
    assert all(await asyncio.gather(*tasks))
    assert {"known 0", "known 1", "known 2"} <= set(order[:6]) and "gone" not in order
    assert await keeper.verify("x", "later"), "every turn was given back"
    keeper.close()
