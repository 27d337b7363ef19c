"""Signing in and out, API tokens and their scopes."""

import asyncio
import time
from typing import Any

import pytest

from shared.testing.progress import until
from tests.services.gateway.conftest import PASSWORD, Gateway
from tests.specs.requirement import requirement

CHANGE = """
  WITH kari AS (SELECT id FROM gateway.documents WHERE slug = 'kari'),
       ended AS (UPDATE gateway.sessions s SET ended_at = now() FROM kari WHERE s.person_id = kari.id)
UPDATE gateway.credentials c SET hash = 'another', changed_at = now() FROM kari WHERE c.person_id = kari.id
"""
WAITING = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"


async def test_a_session_says_who_i_am_and_what_i_may_do(gateway: Gateway) -> None:
    kari = await gateway.person("kari", "agent")
    admin = await gateway.admin()
    await admin.put(
        "/queues/it", {"slug": "it", "name": "IT", "members": [{"person": "kari", "rights": ["read", "work"]}]}
    )
    me = await kari.get("/session")
    assert me.status == 200
    assert me.body["person"]["login"] == "kari" and me.body["roles"] == ["agent"] and me.body["scopes"] is None
    assert [(r["queue"]["slug"], r["rights"]) for r in me.body["rights"]] == [("it", ["read", "work"])]
    everything = (await admin.get("/session")).body["rights"]
    assert {r["queue"]["slug"]: len(r["rights"]) for r in everything} == {"it": 5, "postmaster": 5}


async def test_login_and_address_both_sign_in_in_any_case(gateway: Gateway) -> None:
    await gateway.person("kari", "agent")
    for login in ("KARI", "kari@help.example.org", "Kari@Help.Example.Org"):
        await gateway.sign_in(login)


async def test_a_wrong_password_and_an_unknown_login_get_the_same_answer(gateway: Gateway) -> None:
    wrong = await gateway.anonymous.post("/session", {"login": "admin", "password": "wrong"})
    unknown = await gateway.anonymous.post("/session", {"login": "nobody", "password": "wrong"})
    without_password = await gateway.admin()
    await without_password.put(
        "/people/per", {"login": "per", "name": "Per", "email": "per@example.org", "roles": ["customer"]}
    )
    none = await gateway.anonymous.post("/session", {"login": "per", "password": "wrong"})
    for answer in (wrong, unknown, none):
        assert answer.status == 401 and answer.headers["Content-Type"] == "application/problem+json"
        assert answer.headers["WWW-Authenticate"]
        assert {**answer.body, "trace_id": ""} == {**wrong.body, "trace_id": ""}


async def test_an_unknown_login_costs_as_much_as_a_wrong_password(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    from services.gateway.signing_in import passwords

    checked: list[str] = []
    verify = passwords._verify

    def watched(known: str, password: str) -> bool:
        checked.append(known)
        return verify(known, password)

    monkeypatch.setattr(passwords, "_verify", watched)
    for login in ("admin", "nobody"):
        await gateway.anonymous.post("/session", {"login": login, "password": "wrong"})
    somebodys, nobodys = (known.split("$")[1:4] for known in checked)
    assert somebodys == nobodys


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"login": "admin"},
        {"login": "admin", "password": ""},
        {"login": "admin", "password": 1},
        {"login": ["admin"], "password": "x"},
        {"login": "admin", "password": "x", "remember": True},
        {"login": "ad\u0000min", "password": "x"},
        {"login": "admin", "password": "x" * 1025},
        [],
        "x",
    ],
)
async def test_malformed_credentials_are_422_and_never_repeated(gateway: Gateway, body: Any) -> None:
    answer = await gateway.anonymous.post("/session", body)
    assert answer.status == 422 and answer.body["errors"]
    assert "xxxx" not in answer.raw.decode()


@requirement("A19.08")
async def test_signing_out_is_at_once(gateway: Gateway) -> None:
    admin = await gateway.admin()
    other = await gateway.admin()
    assert (await admin.delete("/session")).status == 204
    assert (await admin.get("/session")).status == 401
    assert (await admin.get("/tickets")).status == 401
    assert (await other.get("/session")).status == 200


async def test_a_repeated_sign_in_with_one_key_gives_the_same_session(gateway: Gateway) -> None:
    body = {"login": "admin", "password": PASSWORD}
    answers = [await gateway.anonymous.post("/session", body, headers={"Idempotency-Key": "k"}) for _ in range(2)]
    assert [a.status for a in answers] == [201, 201] and answers[0].body == answers[1].body
    assert answers[1].headers["Idempotent-Replayed"] == "true"
    assert await gateway.pool.fetchval("SELECT count(*) FROM gateway.sessions") == 1
    await gateway.holding(answers[0].body["token"]).delete("/session")
    again = await gateway.anonymous.post("/session", body, headers={"Idempotency-Key": "k"})
    assert (await gateway.holding(again.body["token"]).get("/session")).status == 401, (
        "a repeat must not revive what was ended"
    )


async def test_secrets_are_stored_as_hashes_only(gateway: Gateway) -> None:
    admin = await gateway.admin()
    token = (await admin.post("/tokens", {"name": "x", "scopes": ["read"]}, headers={"Idempotency-Key": "k"})).body[
        "token"
    ]
    tables = await gateway.pool.fetch(
        "SELECT format('%s.%s', table_schema, table_name) FROM information_schema.tables"
        " WHERE table_schema IN ('gateway', 'es')"
    )
    for (table,) in tables:
        for row in await gateway.pool.fetch(f"SELECT t::text FROM {table} t"):
            assert token not in row[0] and str(admin.token) not in row[0] and PASSWORD not in row[0]


async def test_tokens_are_made_listed_used_and_revoked(gateway: Gateway) -> None:
    admin = await gateway.admin()
    made = await admin.post("/tokens", {"name": "backup", "scopes": ["read"]})
    assert made.status == 201 and made.headers["Cache-Control"] == "no-store"
    token = gateway.holding(made.body["token"])
    assert (await token.get("/people")).status == 200

    async def listed() -> Any:
        (item,) = (await admin.get("/tokens")).body["items"]
        return item

    while (await listed())["last_used_at"] is None:
        await asyncio.sleep(0)
    item = await listed()
    assert item["name"] == "backup" and item["scopes"] == ["read"] and "token" not in item
    assert (await admin.delete(f"/tokens/{item['id']}")).status == 204
    assert (await token.get("/people")).status == 401
    assert (await admin.delete(f"/tokens/{item['id']}")).status == 404


async def test_a_token_is_listed_in_pages(gateway: Gateway) -> None:
    admin = await gateway.admin()
    for n in range(3):
        await admin.post("/tokens", {"name": str(n), "scopes": ["read"]})
    first = await admin.get("/tokens?limit=2")
    rest = await admin.get(f"/tokens?limit=2&cursor={first.body['next_cursor']}")
    assert [i["name"] for i in first.body["items"] + rest.body["items"]] == ["0", "1", "2"] and rest.body[
        "next_cursor"
    ] is None
    kari = await gateway.person("kari", "agent")
    assert (await kari.get(f"/tokens?cursor={first.body['next_cursor']}")).status == 422, (
        "a cursor is its owner's alone"
    )


async def test_a_token_belongs_to_its_person(gateway: Gateway) -> None:
    admin, kari = await gateway.admin(), await gateway.person("kari", "agent")
    token = (await admin.post("/tokens", {"name": "x", "scopes": ["read"]})).body["id"]
    assert (await kari.get("/tokens")).body["items"] == []
    assert (await kari.delete(f"/tokens/{token}")).status == 404


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"name": "x", "scopes": []}, "/scopes"),
        ({"name": "x", "scopes": ["everything"]}, "/scopes/0"),
        ({"name": "", "scopes": ["read"]}, "/name"),
        ({"name": "x"}, "/scopes"),
        ({"name": "x", "scopes": ["read"], "expires_at": "2020-01-01T00:00:00Z"}, "/expires_at"),
        ({"name": "x", "scopes": ["read"], "expires_at": "2020-01-01T00:00:00"}, "/expires_at"),
        ({"name": "x", "scopes": ["read"], "expires_at": "soon"}, "/expires_at"),
        ({"name": "x", "scopes": ["read"], "expires_at": "99999-01-01T00:00:00Z"}, "/expires_at"),
        ({"name": "x", "scopes": ["read"], "expires_at": "9999-12-31T23:59:59-23:00"}, "/expires_at"),
        ({"name": "x", "scopes": ["read"], "expires_at": 1e300}, "/expires_at"),
    ],
)
async def test_a_malformed_token_request_names_the_field(gateway: Gateway, body: Any, pointer: str) -> None:
    answer = await (await gateway.admin()).post("/tokens", body)
    assert answer.status == 422 and [e["pointer"] for e in answer.body["errors"]] == [pointer]


async def test_an_expired_token_is_refused(gateway: Gateway) -> None:
    admin = await gateway.admin()
    made = await admin.post("/tokens", {"name": "x", "scopes": ["read"], "expires_at": "2999-01-01T00:00:00Z"})
    assert made.body["expires_at"] == "2999-01-01T00:00:00.000Z"
    await gateway.pool.execute("UPDATE gateway.sessions SET expires_at = now() WHERE kind = 'token'")
    assert (await gateway.holding(made.body["token"]).get("/people")).status == 401


@pytest.mark.parametrize(
    ("scopes", "method", "path", "status"),
    [
        (["mail"], "POST", "/mail", 200),
        (["mail"], "GET", "/tickets", 403),
        (["mail"], "GET", "/mails", 403),
        (["mail"], "POST", "/tickets", 403),
        (["mail"], "GET", "/people", 403),
        (["mail"], "GET", "/tokens", 403),
        (["mail"], "POST", "/tokens", 403),
        (["mail"], "GET", "/session", 200),
        (["read"], "GET", "/tickets", 200),
        (["read"], "POST", "/tickets", 403),
        (["read"], "POST", "/mail", 403),
        (["read"], "PUT", "/companies/x", 403),
        (["write"], "POST", "/tickets/1/lock", 200),
        (["write"], "GET", "/tickets", 403),
        (["write", "read", "manage", "mail"], "POST", "/tokens", 403),
        (["manage"], "PUT", "/companies/x", 201),
        (["manage"], "POST", "/triggers/dry-run", 403),
        (["manage", "read"], "POST", "/triggers/dry-run", 422),
    ],
)
async def test_a_token_is_limited_to_its_scopes(
    gateway: Gateway, scopes: list[str], method: str, path: str, status: int
) -> None:
    admin = await gateway.admin()
    token = (await admin.post("/tokens", {"name": "x", "scopes": scopes})).body["token"]
    body = (
        {"slug": "x", "name": "X"} if method == "PUT" else {"name": "y", "scopes": scopes} if path == "/tokens" else {}
    )
    answer = await gateway.holding(token).call(method, path, None if method == "GET" else body)
    assert answer.status == status, answer


async def test_a_token_cannot_exceed_the_rights_of_its_person(gateway: Gateway) -> None:
    kari = await gateway.person("kari", "agent")
    for scope in ("mail", "manage"):
        assert (await kari.post("/tokens", {"name": "x", "scopes": [scope]})).status == 403
    admin = await gateway.admin()
    await admin.put(
        "/people/eva",
        {"login": "eva", "name": "Eva", "email": "eva@example.org", "password": PASSWORD, "roles": ["admin"]},
    )
    eva = await gateway.sign_in("eva")
    token = gateway.holding((await eva.post("/tokens", {"name": "x", "scopes": ["mail"]})).body["token"])
    assert (await token.post("/mail", data=b"x")).status == 200
    await admin.put("/people/eva", {"login": "eva", "name": "Eva", "email": "eva@example.org", "roles": ["agent"]})
    assert (await token.post("/mail", data=b"x")).status == 403, "the scope needs an administrator"


async def test_the_sign_ins_of_a_retired_person_end_at_once(gateway: Gateway) -> None:
    kari = await gateway.person("kari", "agent")
    token = gateway.holding((await kari.post("/tokens", {"name": "x", "scopes": ["read"]})).body["token"])
    admin = await gateway.admin()
    assert (await admin.delete("/people/kari")).status == 204
    assert (await kari.get("/session")).status == 401 and (await token.get("/tickets")).status == 401
    refused = await gateway.anonymous.post("/session", {"login": "kari", "password": PASSWORD})
    assert refused.status == 401
    await admin.put(
        "/people/kari", {"login": "kari", "name": "Kari", "email": "kari@help.example.org", "roles": ["agent"]}
    )
    assert (await kari.get("/session")).status == 401, "old sessions stay ended"
    assert (await gateway.anonymous.post("/session", {"login": "kari", "password": PASSWORD})).status == 401


async def test_a_new_password_ends_the_other_sessions(gateway: Gateway) -> None:
    kari = await gateway.person("kari", "agent")
    admin, other = await gateway.admin(), await gateway.admin()
    kept = {"login": "kari", "name": "Kari", "email": "kari@help.example.org", "roles": ["agent"]}
    assert (await admin.put("/people/kari", {**kept, "password": PASSWORD})).headers["ETag"] == '"1"', (
        "the same password is no change"
    )
    assert (await kari.get("/session")).status == 200
    changed = await admin.put("/people/kari", {**kept, "password": "another horse"})
    assert changed.headers["ETag"] == '"2"' and "password" not in changed.body
    assert (await kari.get("/session")).status == 401
    await gateway.sign_in("kari", "another horse")
    mine = {
        "login": "admin",
        "name": "Administrator",
        "email": "admin@ledgerdesk.invalid",
        "roles": ["admin"],
        "password": "mine alone",
    }
    assert (await admin.put("/people/admin", mine)).status == 200
    assert (await admin.get("/session")).status == 200, "the session that changes the password stays"
    assert (await other.get("/session")).status == 401


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/session", {"login": "kari", "password": PASSWORD}),
        ("/tokens", {"name": "x", "scopes": ["read"]}),
    ],
)
async def test_no_sign_in_outlives_a_change_of_the_password_that_runs_meanwhile(
    gateway: Gateway, path: str, body: dict[str, Any]
) -> None:
    kari = await gateway.person("kari", "agent")
    async with gateway.pool.acquire() as connection:
        async with connection.transaction():
            await connection.execute(CHANGE)
            asked = asyncio.create_task((kari if path == "/tokens" else gateway.anonymous).post(path, body))

            async def is_waiting() -> bool:
                return asked.done() or bool(await gateway.pool.fetchval(WAITING))

            await until(is_waiting)
        refused = await asked
    assert refused.status == 401, refused
    assert (
        await gateway.pool.fetchval("SELECT count(*) FROM gateway.sessions WHERE ended_at IS NULL") == 1
    )  # the admin's


async def test_failed_sign_ins_of_one_login_do_not_slow_down_another(gateway: Gateway) -> None:
    await gateway.person("kari", "agent")
    statuses = [(await gateway.anonymous.post("/session", {"login": "ola", "password": "x"})).status for _ in range(7)]
    assert statuses[:5] == [401] * 5 and statuses[-1] == 429
    slowed = await gateway.anonymous.post("/session", {"login": "ola", "password": "x"})
    assert int(slowed.headers["Retry-After"]) >= 1 and slowed.body["type"] == "/problems/too-many-requests"
    await gateway.sign_in("kari")


@pytest.mark.parametrize(
    "authorization", ["Bearer", "Bearer x", "Basic YWRtaW46YWRtaW4=", "Bearer lds_" + "A" * 43, "bearer \xff", ""]
)
async def test_an_invalid_authorization_header_is_401(gateway: Gateway, authorization: str) -> None:
    answer = await gateway.anonymous.get("/tickets", headers={"Authorization": authorization})
    assert answer.status == 401 and gateway.service.business == []


async def test_many_sign_ins_at_once_wait_for_each_other(gateway: Gateway) -> None:
    await gateway.person("kari", "agent")
    began = time.monotonic()
    await asyncio.gather(*(gateway.sign_in("kari") for _ in range(20)))
    assert time.monotonic() - began < 20
