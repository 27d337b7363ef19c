"""A password that somebody else has set: its person changes it before anything else (A10.11)."""

import asyncio
import os
from datetime import timedelta
from typing import Any

import pytest

from services.gateway.live.link import Link
from services.gateway.live.sign_in_watch import SignInWatch
from services.gateway.live.streams import Streams
from services.gateway.signing_in.sessions import Sessions
from shared.testing.keys import SIGNING
from shared.testing.progress import until
from tests.services.gateway.conftest import PASSWORD, Answer, Client, Gateway
from tests.specs.requirement import requirement

KARI = {"login": "kari", "name": "Kari", "email": "kari@help.example.org", "roles": ["agent"]}
OWN = "a password of my own"


def refused(answer: Answer) -> bool:
    return answer.status == 403 and answer.body["type"] == "/problems/password-must-change"


async def put(gateway: Gateway, **more: Any) -> Answer:
    admin = await gateway.admin()
    return await admin.put("/people/kari", KARI | more)


async def change(who: Client, current: str, new: str) -> Answer:
    return await who.post("/session/password", {"current": current, "new": new})


@requirement("A10.11")
async def test_a_password_that_somebody_else_has_set_is_changed_first(gateway: Gateway) -> None:
    assert (await put(gateway, password=PASSWORD, password_must_change=True)).status == 201
    kari = await gateway.sign_in("kari")
    for method, path, body in (
        ("GET", "/tickets", None),
        ("POST", "/tickets", {"subject": "x"}),
        ("GET", "/blobs/1", None),
        ("POST", "/blobs", None),
        ("GET", "/stream", None),
        ("GET", "/events", None),
        ("GET", "/people", None),
        ("PUT", "/people/kari", KARI),
        ("GET", "/sessions", None),
        ("DELETE", "/sessions/0190a6d0-0000-7000-8000-000000000000", None),
        ("POST", "/tokens", {"name": "x", "scopes": ["read"]}),
        ("POST", "/session/proof", {"password": PASSWORD}),
        ("PUT", "/session/queues", {}),
        ("GET", "/session/", None),
        ("GET", "//session", None),
    ):
        answer = await kari.call(method, path, body)
        assert refused(answer) or answer.status in (307, 404), (method, path, answer)
    assert gateway.service.business == []
    me = await kari.get("/session")
    assert me.status == 200 and me.body["password_must_change"] is True
    assert refused(await (await gateway.sign_in("kari")).get("/tickets")), "another sign-in is no way round"
    assert (await change(kari, PASSWORD, PASSWORD)).status == 422
    assert refused(await kari.get("/tickets"))
    assert (await change(kari, PASSWORD, OWN)).status == 204
    assert (await kari.get("/tickets")).status == 200
    assert (await kari.get("/session")).body["password_must_change"] is False
    assert (await (await gateway.sign_in("kari", OWN)).get("/tickets")).status == 200


@requirement("A10.11")
async def test_without_the_flag_nothing_has_to_be_changed(gateway: Gateway) -> None:
    await put(gateway, password=PASSWORD)
    assert (await (await gateway.sign_in("kari")).get("/tickets")).status == 200


async def test_a_person_saved_without_a_password_keeps_theirs_and_its_flag(gateway: Gateway) -> None:
    await put(gateway, password=PASSWORD, password_must_change=True)
    kari = await gateway.sign_in("kari")
    assert (await put(gateway, name="Kari N.", password_must_change=False)).body["password_must_change"] is True
    assert refused(await kari.get("/tickets"))
    await change(kari, PASSWORD, OWN)
    assert (await put(gateway, password_must_change=True)).body["password_must_change"] is False
    assert (await kari.get("/tickets")).status == 200


@requirement("A10.11")
async def test_one_set_anew_ends_sessions_and_tokens_and_is_changed_again(gateway: Gateway) -> None:
    await put(gateway, password=PASSWORD)
    kari = await gateway.sign_in("kari")
    program = gateway.holding((await kari.post("/tokens", {"name": "x", "scopes": ["read"]})).body["token"])
    await put(gateway, password=OWN, password_must_change=True)
    assert (await kari.get("/session")).status == 401 and (await program.get("/tickets")).status == 401
    assert refused(await (await gateway.sign_in("kari", OWN)).get("/tickets"))


async def test_the_same_password_again_ends_nothing_but_may_have_to_be_changed(gateway: Gateway) -> None:
    await put(gateway, password=PASSWORD)
    kari = await gateway.sign_in("kari")
    program = gateway.holding((await kari.post("/tokens", {"name": "x", "scopes": ["read"]})).body["token"])
    assert (await put(gateway, password=PASSWORD)).status == 200
    assert (await kari.get("/tickets")).status == 200
    assert (await put(gateway, password=PASSWORD, password_must_change=True)).status == 200
    assert refused(await kari.get("/tickets")) and refused(await program.get("/tickets"))
    assert (await put(gateway, password=PASSWORD)).status == 200
    assert (await kari.get("/tickets")).status == 200


async def test_administrators_alone_see_the_flag_and_no_event_has_it(gateway: Gateway) -> None:
    await put(gateway, password=PASSWORD, password_must_change=True)
    admin, ola = await gateway.admin(), await gateway.person("ola", "agent")
    assert (await admin.get("/people/kari")).body["password_must_change"] is True
    flags = {each["login"]: each["password_must_change"] for each in (await admin.get("/people")).body["items"]}
    assert flags == {"admin": False, "kari": True, "ola": False}
    for path in ("/people/kari", "/people/ola", "/people"):
        assert b"must_change" not in (await ola.get(path)).raw
    history = await admin.get("/people/kari/history")
    assert b"must_change" not in history.raw and PASSWORD.encode() not in history.raw
    assert not await gateway.pool.fetchval("SELECT count(*) FROM es.events WHERE data::text LIKE '%must_change%'")


@pytest.mark.parametrize("wrong", ["yes", 1, [], {}])
async def test_a_flag_is_a_boolean(gateway: Gateway, wrong: Any) -> None:
    answer = await put(gateway, password=PASSWORD, password_must_change=wrong)
    assert answer.status == 422 and [e["pointer"] for e in answer.body["errors"]] == ["/password_must_change"]


async def test_a_change_with_the_cookie_makes_a_new_cookie(gateway: Gateway) -> None:
    """Who has read the old cookie is out. Other clients of the same session do not exist: they have a token."""
    await put(gateway, password=PASSWORD)
    signed = await gateway.anonymous.post("/session", {"login": "kari", "password": PASSWORD})
    old = signed.headers["Set-Cookie"].partition(";")[0]
    headers = {"Cookie": old, "Origin": gateway.url}
    changed = await gateway.anonymous.post("/session/password", {"current": PASSWORD, "new": OWN}, headers=headers)
    assert changed.status == 204
    new, *attributes = changed.headers["Set-Cookie"].split("; ")
    assert new != old and {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(attributes)
    assert (await gateway.anonymous.get("/session", headers={"Cookie": old})).status == 401
    assert (await gateway.holding(signed.body["token"]).get("/session")).status == 401
    assert (await gateway.anonymous.get("/session", headers={"Cookie": new})).status == 200


async def test_changes_at_the_same_time_do_not_lose_a_password(gateway: Gateway) -> None:
    await put(gateway, password=PASSWORD)
    one, two = await gateway.sign_in("kari"), await gateway.sign_in("kari")
    answers = await asyncio.gather(
        change(one, PASSWORD, "the first new one"), change(two, PASSWORD, "the other new one")
    )
    assert {each.status for each in answers} <= {204, 401, 422, 409}
    holding = [
        (await gateway.anonymous.post("/session", {"login": "kari", "password": each})).status
        for each in ("the first new one", "the other new one", PASSWORD)
    ]
    assert holding.count(201) == 1 and holding[2] == 401


async def test_somebody_who_gets_another_password_is_told(gateway: Gateway) -> None:
    async def told() -> list[str]:
        rows = await gateway.pool.fetch("SELECT kind FROM gateway.account_mails ORDER BY created_at")
        return [row["kind"] for row in rows]

    await put(gateway, password=PASSWORD)
    assert await told() == []
    await put(gateway, password=OWN)
    assert await told() == ["password_set"]
    await change(await gateway.sign_in("kari", OWN), OWN, PASSWORD)
    assert await told() == ["password_set", "password_changed"]
    await put(gateway, password=PASSWORD, name="Kari N.")
    assert len(await told()) == 2


@requirement("A10.11")
async def test_open_streams_end_once_the_password_must_be_changed(gateway: Gateway) -> None:
    """With a session of before: the same password was set again, with the flag."""
    await put(gateway, password=PASSWORD)
    kari = await gateway.sign_in("kari")
    sessions, streams = Sessions(gateway.pool, b"key", timedelta(hours=1)), Streams()
    principal = await sessions.authenticate(str(kari.token))
    assert principal is not None
    link = Link(gateway.session, "", SIGNING, streams)
    stream = streams.add(principal, None, [])
    watch = SignInWatch(os.environ["LEDGERDESK_DATABASE_URL"], sessions, streams, link)
    watching = asyncio.create_task(watch.run())
    try:
        before = streams.checked

        async def looked() -> bool:
            return streams.checked > before

        await until(looked)
        assert not stream.ended
        await put(gateway, password=PASSWORD, password_must_change=True)

        async def ended() -> bool:
            return stream.ended

        await until(ended)
    finally:
        watching.cancel()
