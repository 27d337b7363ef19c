"""Changes to the identity and rights of a person need a session whose password was given recently."""

from typing import Any

import pytest

from tests.services.gateway.conftest import PASSWORD, Client, Gateway

LONG_AGO = "UPDATE gateway.sessions SET proved_at = now() - interval '16 minutes'"
KARI: dict[str, Any] = {"login": "kari", "name": "Kari", "email": "kari@help.example.org", "roles": ["agent"]}
PER: dict[str, Any] = {"login": "per", "name": "Per", "email": "per@help.example.org", "roles": ["customer"]}
DECISIVE: list[tuple[str, dict[str, Any]]] = [
    ("/people/kari", KARI | {"password": "another horse"}),  # pragma: allowlist secret
    ("/people/kari", KARI | {"password": PASSWORD}),
    ("/people/kari", KARI | {"roles": ["agent", "admin"]}),
    ("/people/kari", KARI | {"roles": ["customer"]}),
    ("/people/kari", KARI | {"login": "kari2"}),
    ("/people/kari", KARI | {"email": "elsewhere@example.org"}),
    ("/people/admin", {**KARI, "login": "admin", "roles": ["admin"], "email": "elsewhere@example.org"}),
    ("/people/per", PER | {"company": "acme"}),
    ("/people/new", {**PER, "login": "new", "email": "new@example.org", "password": PASSWORD}),
    ("/people/new", {**PER, "login": "new", "email": "new@example.org", "roles": ["agent"]}),
    ("/people/new", {**PER, "login": "new", "email": "new@example.org", "company": "acme"}),
    ("/people/gone", {**KARI, "login": "gone", "email": "gone@help.example.org"}),
    ("/customers/per", {"login": "per", "name": "Per", "email": "elsewhere@example.org"}),
    ("/customers/per", {"login": "per2", "name": "Per", "email": "per@help.example.org"}),
    ("/customers/per", {"login": "per", "name": "Per", "email": "per@help.example.org", "company": "acme"}),
]
HARMLESS: list[tuple[str, dict[str, Any]]] = [
    ("/people/kari", KARI | {"name": "Kari N.", "language": "nb"}),
    ("/people/per", PER | {"name": "Per H."}),
    ("/people/new", {**PER, "login": "new", "email": "new@example.org"}),
    ("/customers/per", {"login": "per", "name": "Per H.", "email": "per@help.example.org", "language": "en"}),
    ("/customers/new", {"login": "new", "name": "New", "email": "new@example.org"}),
]


@pytest.fixture
async def admin(gateway: Gateway) -> Client:
    """An administrator. There are also an agent, a customer, a retired person and a company."""
    await gateway.person("kari", "agent")
    await gateway.person("per", "customer")
    await gateway.person("gone", "agent")
    admin = await gateway.admin()
    assert (await admin.put("/companies/acme", {"slug": "acme", "name": "Acme"})).status == 201
    assert (await admin.delete("/people/gone")).status == 204
    return admin


async def token(gateway: Gateway, admin: Client, *scopes: str) -> Client:
    made = await admin.post("/tokens", {"name": "ci", "scopes": scopes})
    assert made.status == 201
    return gateway.holding(made.body["token"])


async def people(gateway: Gateway) -> list[Any]:
    rows = await gateway.pool.fetch(
        "SELECT d::text, c.hash FROM gateway.documents d LEFT JOIN gateway.credentials c ON person_id = id ORDER BY id"
    )
    return [tuple(row) for row in rows]


@pytest.mark.parametrize(("path", "document"), DECISIVE)
async def test_no_api_token_changes_identity_or_rights(
    gateway: Gateway, admin: Client, path: str, document: dict[str, Any]
) -> None:
    ci = await token(gateway, admin, "read", "write", "manage", "mail")
    before = await people(gateway)
    answer = await ci.put(path, document)
    assert answer.status == 403, answer
    assert await people(gateway) == before


@pytest.mark.parametrize(("path", "document"), DECISIVE)
async def test_a_session_needs_a_recent_password_to_change_identity_or_rights(
    gateway: Gateway, admin: Client, path: str, document: dict[str, Any]
) -> None:
    await gateway.pool.execute(LONG_AGO)
    before = await people(gateway)
    answer = await admin.put(path, document)
    assert answer.status == 403 and answer.body["type"] == "/problems/password-proof-needed", answer
    assert await people(gateway) == before
    assert (await admin.post("/session/proof", {"password": PASSWORD})).status == 204
    assert (await admin.put(path, document)).status in (200, 201)


@pytest.mark.parametrize(("path", "document"), HARMLESS)
async def test_other_changes_need_no_recent_password(
    gateway: Gateway, admin: Client, path: str, document: dict[str, Any]
) -> None:
    ci = await token(gateway, admin, "write", "manage")
    await gateway.pool.execute(LONG_AGO)
    answer = await ci.put(path, document)
    assert answer.status in (200, 201), answer


async def test_making_a_token_needs_a_recent_password_and_ending_one_does_not(gateway: Gateway, admin: Client) -> None:
    kari = await gateway.session_of("kari")
    made = (await kari.post("/tokens", {"name": "x", "scopes": ["read"]})).body["id"]
    await gateway.pool.execute(LONG_AGO)
    refused = await kari.post("/tokens", {"name": "y", "scopes": ["read"]})
    assert refused.status == 403 and refused.body["type"] == "/problems/password-proof-needed"
    assert [item["id"] for item in (await kari.get("/tokens")).body["items"]] == [made]
    assert (await kari.delete(f"/tokens/{made}")).status == 204


async def test_a_wrong_password_proves_nothing_and_counts_as_an_attempt(gateway: Gateway, admin: Client) -> None:
    kari = await gateway.session_of("kari")
    await gateway.pool.execute(LONG_AGO)
    seen = [await kari.post("/session/proof", {"password": f"wrong {n}"}) for n in range(5)]
    assert {answer.status for answer in seen} == {422} and seen[0].body["errors"][0]["pointer"] == "/password"
    await gateway.pool.execute("UPDATE gateway.guesses SET last = last + interval '1 hour'")
    assert (await kari.post("/session/proof", {"password": PASSWORD})).status == 429
    assert (await gateway.anonymous.post("/session", {"login": "kari", "password": PASSWORD})).status == 429
    assert (await kari.post("/session/password", {"current": PASSWORD, "new": "another horse"})).status == 429
    assert (await kari.post("/tokens", {"name": "y", "scopes": ["read"]})).status == 403


async def test_api_tokens_cannot_prove_a_password_or_manage_sign_ins(gateway: Gateway, admin: Client) -> None:
    ci = await token(gateway, admin, "read", "write", "manage", "mail")
    session = (await admin.get("/sessions")).body["items"][0]["id"]
    for method, path, body in (
        ("POST", "/session/proof", {"password": PASSWORD}),
        ("POST", "/session/password", {"current": PASSWORD, "new": "another horse"}),
        ("POST", "/tokens", {"name": "x", "scopes": ["read"]}),
        ("GET", "/tokens", None),
        ("GET", "/sessions", None),
        ("DELETE", f"/sessions/{session}", None),
        ("GET", "/people/admin/tokens", None),
        ("GET", "/people/admin/sessions", None),
    ):
        answer = await ci.call(method, path, body)
        assert answer.status == 403, (path, answer)
    assert (await admin.get("/session")).status == 200


async def test_changing_a_password_ends_other_sessions_and_tokens(gateway: Gateway, admin: Client) -> None:
    here, elsewhere = await gateway.sign_in("kari"), await gateway.sign_in("kari")
    program = gateway.holding((await here.post("/tokens", {"name": "x", "scopes": ["read"]})).body["token"])
    for body, pointer in (
        ({"current": "wrong", "new": "another horse"}, "/current"),
        ({"current": PASSWORD, "new": PASSWORD}, "/new"),
        ({"current": PASSWORD, "new": "short"}, "/new"),
    ):
        answer = await here.post("/session/password", body)
        assert answer.status == 422 and [e["pointer"] for e in answer.body["errors"]] == [pointer]
    assert (await elsewhere.get("/session")).status == 200
    change = {"current": PASSWORD, "new": "another horse"}
    first = await here.post("/session/password", change, headers={"Idempotency-Key": "k"})
    again = await here.post("/session/password", change, headers={"Idempotency-Key": "k"})
    assert (first.status, again.status) == (204, 204) and again.headers["Idempotent-Replayed"] == "true"
    assert (await here.get("/session")).status == 200
    assert (await elsewhere.get("/session")).status == 401 and (await program.get("/tickets")).status == 401
    assert (await gateway.anonymous.post("/session", {"login": "kari", "password": PASSWORD})).status == 401
    await gateway.sign_in("kari", "another horse")


async def test_a_password_change_may_keep_the_api_tokens(gateway: Gateway, admin: Client) -> None:
    here = await gateway.sign_in("kari")
    program = gateway.holding((await here.post("/tokens", {"name": "x", "scopes": ["read"]})).body["token"])
    change = {"current": PASSWORD, "new": "another horse", "end_tokens": False}
    assert (await here.post("/session/password", change)).status == 204
    assert (await program.get("/tickets")).status == 200


async def test_a_password_set_by_an_administrator_ends_sessions_and_tokens(gateway: Gateway, admin: Client) -> None:
    kari = await gateway.sign_in("kari")
    program = gateway.holding((await kari.post("/tokens", {"name": "x", "scopes": ["read"]})).body["token"])
    assert (await admin.put("/people/kari", KARI | {"name": "Kari N."})).status == 200
    assert (await kari.get("/session")).status == 200 and (await program.get("/tickets")).status == 200
    assert (
        await admin.put("/people/kari", KARI | {"password": "another horse"})  # pragma: allowlist secret
    ).status == 200  # pragma: allowlist secret
    assert (await kari.get("/session")).status == 401 and (await program.get("/tickets")).status == 401


async def test_administrators_see_and_end_everybodys_sign_ins(gateway: Gateway, admin: Client) -> None:
    kari, ola = await gateway.sign_in("kari"), await gateway.person("ola", "agent")
    made = (await kari.post("/tokens", {"name": "innocent", "scopes": ["read"]})).body
    (shown,) = (await admin.get("/people/kari/tokens")).body["items"]
    assert shown["id"] == made["id"] and shown["name"] == "innocent" and "token" not in shown
    sessions = (await admin.get("/people/kari@help.example.org/sessions")).body["items"]
    assert len(sessions) == 2 and not any(each["current"] for each in sessions)
    for path in ("/people/kari/tokens", "/people/kari/sessions"):
        assert (await ola.get(path)).status == 403 and (await kari.get(path)).status == 403
    for path in (f"/tokens/{made['id']}", f"/sessions/{sessions[0]['id']}"):
        assert (await ola.delete(path)).status == 404
    for path in (f"/tokens/{made['id']}", *(f"/sessions/{each['id']}" for each in sessions)):
        assert (await admin.delete(path)).status == 204
        assert (await admin.delete(path)).status == 404
    assert (await gateway.holding(made["token"]).get("/tickets")).status == 401
    assert (await kari.get("/session")).status == 401


async def test_a_person_lists_and_ends_their_own_sessions(gateway: Gateway, admin: Client) -> None:
    await gateway.pool.execute("DELETE FROM gateway.sessions")
    body = {"login": "kari", "password": PASSWORD}
    agents = ("Browser/1.0 (a machine)", "x" * 500)
    made = [await gateway.anonymous.post("/session", body, headers={"User-Agent": told}) for told in agents]
    one, two = (gateway.holding(each.body["token"]) for each in made)
    first = (await one.get("/sessions?limit=1")).body
    second = (await one.get(f"/sessions?limit=1&cursor={first['next_cursor']}")).body
    listed = first["items"] + second["items"]
    assert [each["client"] for each in listed] == [agents[0], "x" * 200] and second["next_cursor"] is None
    assert [each["current"] for each in listed] == [True, False]
    assert (await one.delete(f"/sessions/{listed[1]['id']}")).status == 204
    assert (await two.get("/session")).status == 401 and (await one.get("/session")).status == 200
    program = (await one.post("/tokens", {"name": "x", "scopes": ["read"]})).body["id"]
    assert (await one.delete(f"/sessions/{program}")).status == 404, "a token is not a session"


@pytest.mark.parametrize(
    "change",
    [
        {"company": "acme"}, {"company": None}, {"email": "mine@example.org"}, {"login": "mine"},
    ],
)  # fmt: skip
async def test_an_agent_does_not_change_company_login_or_address_of_who_can_sign_in(
    gateway: Gateway, admin: Client, change: dict[str, Any]
) -> None:
    await admin.put("/companies/other", {"slug": "other", "name": "Other"})
    assert (await admin.put("/people/per", PER | {"company": "other"})).status == 200
    kari = await gateway.session_of("kari")
    record = {"login": "per", "name": "Per", "email": "per@help.example.org", "company": "other"}
    assert (await kari.put("/customers/per", record | {"name": "Per H.", "language": "nb"})).status == 200
    assert (await kari.put("/customers/per", record | change)).status == 403
    assert (await admin.get("/customers/per")).body["company"] == "other"
    assert (await admin.put("/customers/per", record | change)).status == 200


async def test_an_agent_changes_the_address_of_who_cannot_sign_in_but_no_company(
    gateway: Gateway, admin: Client
) -> None:
    kari = await gateway.session_of("kari")
    lise = {"login": "lise", "name": "Lise", "email": "lise@example.org"}
    assert (await kari.put("/customers/lise", lise | {"company": "acme"})).status == 403
    assert (await kari.put("/customers/lise", lise)).status == 201
    assert (await kari.put("/customers/lise", lise | {"email": "new@example.org"})).status == 200
    assert (await kari.put("/customers/lise", lise | {"company": "acme"})).status == 403
    assert (await admin.put("/people/lise", PER | lise | {"password": PASSWORD})).status == 200
    assert (await kari.put("/customers/lise", lise | {"email": "mine@example.org"})).status == 403
