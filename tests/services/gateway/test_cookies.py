"""The session cookie: its attributes, and that no other site can use it."""

import pytest

from tests.services.gateway.conftest import PASSWORD, Gateway
from tests.specs.requirement import requirement

COOKIE = "ledgerdesk_session"
COMPANY = {"slug": "acme", "name": "Acme"}


async def cookie_of(gateway: Gateway) -> str:
    answer = await gateway.anonymous.post("/session", {"login": "admin", "password": PASSWORD})
    value, *attributes = answer.headers["Set-Cookie"].split("; ")
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(attributes) and "Secure" not in attributes
    assert value == f"{COOKIE}={answer.body['token']}"
    return f"theme=dark; {value}"


async def test_a_cookie_is_enough_to_read(gateway: Gateway) -> None:
    answer = await gateway.anonymous.get("/session", headers={"Cookie": await cookie_of(gateway)})
    assert answer.status == 200 and answer.body["kind"] == "session"


async def test_a_cookie_changes_something_from_this_site_only(gateway: Gateway) -> None:
    cookie = await cookie_of(gateway)
    same = await gateway.anonymous.put("/companies/acme", COMPANY, headers={"Cookie": cookie, "Origin": gateway.url})
    assert same.status == 201
    for origin in ("https://evil.example", "null", gateway.url.replace("http:", "https:"), gateway.url + "0", ""):
        headers = {"Cookie": cookie, "Origin": origin}
        assert (await gateway.anonymous.put("/companies/acme", COMPANY, headers=headers)).status == 403
        assert (await gateway.anonymous.post("/tickets", {}, headers=headers)).status == 403
        assert (await gateway.anonymous.delete("/session", headers=headers)).status == 403
    assert (await gateway.anonymous.post("/tickets", {}, headers={"Cookie": cookie})).status == 403
    assert gateway.service.business == []


async def test_a_bearer_token_needs_no_origin_and_wins_over_a_cookie(gateway: Gateway) -> None:
    admin, cookie = await gateway.admin(), await cookie_of(gateway)
    assert (await admin.post("/tickets", {}, headers={"Origin": "https://evil.example"})).status == 200
    assert (
        await gateway.anonymous.get("/session", headers={"Authorization": "Bearer x", "Cookie": cookie})
    ).status == 401


async def test_another_site_cannot_sign_somebody_in(gateway: Gateway) -> None:
    answer = await gateway.anonymous.post(
        "/session", {"login": "admin", "password": PASSWORD}, headers={"Origin": "https://evil.example"}
    )
    assert answer.status == 403 and "Set-Cookie" not in answer.headers


@requirement("A19.08")
async def test_signing_out_deletes_the_cookie(gateway: Gateway) -> None:
    cookie = await cookie_of(gateway)
    answer = await gateway.anonymous.delete("/session", headers={"Cookie": cookie, "Origin": gateway.url})
    assert answer.status == 204 and "Max-Age=0" in answer.headers["Set-Cookie"]
    assert (await gateway.anonymous.get("/session", headers={"Cookie": cookie})).status == 401


async def test_forwarded_headers_are_ignored_without_a_configured_proxy(gateway: Gateway) -> None:
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.1"}
    answer = await gateway.anonymous.post("/session", {"login": "admin", "password": PASSWORD}, headers=headers)
    assert "Secure" not in answer.headers["Set-Cookie"]


@pytest.mark.parametrize("cookie", [f"{COOKIE}=", COOKIE, f"x={COOKIE}=y", f"{COOKIE}=\xff", ";;;=;", "a=b"])
async def test_an_invalid_cookie_is_401(gateway: Gateway, cookie: str) -> None:
    assert (await gateway.anonymous.get("/tickets", headers={"Cookie": cookie})).status == 401
