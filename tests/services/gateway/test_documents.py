"""Queues, people and companies: saving, versions, checks, and who may see or change them."""

import asyncio
from typing import Any

import pytest

from tests.services.gateway.conftest import PASSWORD, Client, Gateway
from tests.services.gateway.upstream import Asked, applied
from tests.specs.requirement import requirement

IT: dict[str, Any] = {"slug": "it", "name": "IT", "address": "it@help.example.org", "members": []}
ACME = {"slug": "acme", "name": "Acme"}
EVENT = "SELECT type, data, actor_kind, actor_id FROM es.events WHERE stream_id = $1 ORDER BY version DESC LIMIT 1"


async def test_a_queue_is_made_changed_and_retired_with_its_history(gateway: Gateway) -> None:
    admin = await gateway.admin()
    made = await admin.put("/queues/it", IT)
    assert made.status == 201 and made.headers["ETag"] == '"1"' and made.headers["Location"] == "/api/v1/queues/it"
    assert made.body["next_state_after_reply"] == "open" and made.body["follow_up"] == "reopen"
    changed = await admin.put("/queues/it", {**IT, "name": "IT support"})
    assert changed.status == 200 and changed.headers["ETag"] == '"2"' and changed.body["id"] == made.body["id"]
    by_id = await admin.put(f"/queues/{made.body['id']}", {**IT, "name": "Help"})
    assert by_id.status == 200 and by_id.headers["ETag"] == '"3"'
    assert (await admin.delete("/queues/it")).status == 204
    gone = await admin.get("/queues/it")
    assert gone.status == 200 and gone.body["retired"] is True and gone.headers["ETag"] == '"4"'
    assert [q["slug"] for q in (await admin.get("/queues")).body["items"]] == ["postmaster"]
    assert [q["slug"] for q in (await admin.get("/queues?retired=true")).body["items"]] == ["it", "postmaster"]
    history = (await admin.get("/queues/it/history")).body["items"]
    assert [(e["version"], e["type"], e["data"]["queue"]["name"]) for e in history] == [
        (1, "helpdesk.QueueSaved.v1", "IT"),
        (2, "helpdesk.QueueSaved.v1", "IT support"),
        (3, "helpdesk.QueueSaved.v1", "Help"),
        (4, "helpdesk.QueueRetired.v1", "Help"),
    ]
    me = (await admin.get("/session")).body["person"]["id"]
    assert history[0]["actor"] == {"kind": "agent", "id": me}
    back = await admin.put("/queues/it", IT)
    assert back.status == 200 and back.headers["ETag"] == '"5"' and back.body["retired"] is False


async def test_the_history_comes_in_pages(gateway: Gateway) -> None:
    admin = await gateway.admin()
    for n in range(5):
        await admin.put("/companies/acme", {**ACME, "name": str(n)})
    first = (await admin.get("/companies/acme/history?limit=3")).body
    rest = (await admin.get(f"/companies/acme/history?limit=3&cursor={first['next_cursor']}")).body
    assert [e["version"] for e in first["items"] + rest["items"]] == [1, 2, 3, 4, 5] and rest["next_cursor"] is None


async def test_saving_the_same_again_changes_nothing(gateway: Gateway) -> None:
    admin = await gateway.admin()
    await admin.put("/queues/it", IT)
    again = await admin.put("/queues/it", IT)
    assert again.status == 200 and again.headers["ETag"] == '"1"'


async def test_what_was_read_can_be_sent_back(gateway: Gateway) -> None:
    admin = await gateway.admin()
    await gateway.person("kari", "agent")
    await admin.put(
        "/queues/it", {**IT, "members": [{"person": "kari", "rights": ["work", "read"]}], "lock_timeout_minutes": 0.05}
    )
    for path in ("/queues/it", "/people/kari", "/people/admin"):
        read = (await admin.get(path)).body
        sent = await admin.put(path, read)
        assert sent.status == 200 and sent.body == read
    other = (await admin.get("/queues/postmaster")).body
    wrong = await admin.put("/queues/it", {**IT, "id": other["id"]})
    assert wrong.status == 422 and wrong.body["errors"][0]["pointer"] == "/id"


async def test_if_match_protects_from_lost_updates(gateway: Gateway) -> None:
    admin = await gateway.admin()
    assert (await admin.put("/queues/it", IT, headers={"If-Match": '"1"'})).status == 412
    await admin.put("/queues/it", IT)
    await admin.put("/queues/it", {**IT, "name": "two"}, headers={"If-Match": '"1"'})
    for method, body in (("PUT", {**IT, "name": "three"}), ("DELETE", None)):
        old = await admin.call(method, "/queues/it", body, headers={"If-Match": '"1"'})
        assert old.status == 412 and old.body["queue"]["name"] == "two" and old.body["queue"]["version"] == 2
    assert (await admin.put("/queues/it", IT, headers={"If-Match": "x"})).status == 422
    assert (await admin.put("/queues/it", IT, headers={"If-Match": "*"})).status == 200


async def test_of_many_writers_with_one_etag_one_wins(gateway: Gateway) -> None:
    admin = await gateway.admin()
    await admin.put("/queues/it", IT)
    answers = await asyncio.gather(
        *(admin.put("/queues/it", {**IT, "name": f"n{n}"}, headers={"If-Match": '"1"'}) for n in range(8))
    )
    assert sorted(a.status for a in answers) == [200] + [412] * 7


async def test_of_many_writers_of_a_new_document_one_creates_it(gateway: Gateway) -> None:
    admin = await gateway.admin()
    answers = await asyncio.gather(*(admin.put(f"/queues/q{n}", {**IT, "slug": f"q{n}"}) for n in range(6)))
    assert sorted(a.status for a in answers) == [201] + [422] * 5, "one address belongs to one queue"
    answers = await asyncio.gather(*(admin.put("/companies/acme", ACME) for _ in range(6)))
    assert sorted(a.status for a in answers) == [200] * 5 + [201]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"slug": "other"}, "/slug"),
        ({"slug": "IT"}, "/slug"),
        ({"slug": "it support"}, "/slug"),
        ({"slug": ""}, "/slug"),
        ({"slug": None}, "/slug"),
        ({"slug": "it\n"}, "/slug"),
        ({"name": ""}, "/name"),
        ({"name": 5}, "/name"),
        ({"name": "a\r\nBcc: x"}, "/name"),
        ({"name": "\u0000"}, "/name"),
        ({"name": "x" * 201}, "/name"),
        ({"display_name": "a\nb"}, "/display_name"),
        ({"address": "no"}, "/address"),
        ({"address": "a@b@c"}, "/address"),
        ({"address": "a b@example.org"}, "/address"),
        ({"address": "a@example.org\r\nBcc: b@example.org"}, "/address"),
        ({"address": "postmaster@ledgerdesk.invalid"}, "/address"),
        ({"address": "POSTMASTER@ledgerdesk.invalid"}, "/address"),
        ({"parent": "nowhere"}, "/parent"),
        ({"parent": 1}, "/parent"),
        ({"members": [{"person": "nobody", "rights": []}]}, "/members/0/person"),
        ({"members": [{"person": "admin", "rights": ["fly"]}]}, "/members/0/rights/0"),
        (
            {"members": [{"person": "admin", "rights": []}, {"person": "admin@ledgerdesk.invalid", "rights": []}]},
            "/members/1/person",
        ),
        ({"members": [{"person": "admin", "rights": [], "since": 1}]}, "/members/0/since"),
        ({"members": {}}, "/members"),
        ({"members": None}, "/members"),
        ({"next_state_after_reply": "gone"}, "/next_state_after_reply"),
        ({"next_state_after_reply": "merged"}, "/next_state_after_reply"),
        ({"follow_up": "ignore"}, "/follow_up"),
        ({"lock_timeout_minutes": 0}, "/lock_timeout_minutes"),
        ({"lock_timeout_minutes": -1}, "/lock_timeout_minutes"),
        ({"lock_timeout_minutes": 1e308}, "/lock_timeout_minutes"),
        ({"lock_timeout_minutes": "60"}, "/lock_timeout_minutes"),
        ({"lock_timeout_minutes": True}, "/lock_timeout_minutes"),
        ({"signature": "x" * 10_001}, "/signature"),
        ({"colour": "red"}, "/colour"),
    ],
)
async def test_the_error_of_a_queue_names_the_field(gateway: Gateway, change: dict[str, Any], pointer: str) -> None:
    answer = await (await gateway.admin()).put("/queues/it", {**IT, **change})
    assert answer.status == 422, answer
    assert {e["pointer"] for e in answer.body["errors"]} == {pointer}
    assert await gateway.pool.fetchval("SELECT count(*) FROM gateway.documents WHERE kind = 'queue'") == 1


async def test_members_are_named_by_login_id_or_address(gateway: Gateway) -> None:
    admin = await gateway.admin()
    ids = []
    for login in ("kari", "nils", "eva"):
        await gateway.person(login, "agent")
        ids.append((await admin.get(f"/people/{login}")).body["id"])
    members = [{"person": name, "rights": ["work", "read"]} for name in ("kari", ids[1], "EVA@help.example.org")]
    answer = await admin.put("/queues/it", {**IT, "members": members})
    assert [m["person"] for m in answer.body["members"]] == ids
    assert answer.body["members"][0]["rights"] == ["read", "work"]


async def test_a_retired_member_stays_but_cannot_be_added(gateway: Gateway) -> None:
    admin = await gateway.admin()
    await gateway.person("kari", "agent")
    members = [{"person": "kari", "rights": ["read"]}]
    await admin.put("/queues/it", {**IT, "members": members})
    await admin.delete("/people/kari")
    assert (await admin.put("/queues/it", {**IT, "members": members, "name": "changed"})).status == 200
    assert (await admin.put("/queues/hr", {"slug": "hr", "name": "HR", "members": members})).status == 422


@requirement("A3.17")
async def test_queues_nest_without_loops(gateway: Gateway) -> None:
    admin = await gateway.admin()
    for slug, parent in (("a", None), ("b", "a"), ("c", "b")):
        assert (await admin.put(f"/queues/{slug}", {"slug": slug, "name": slug, "parent": parent})).status == 201
    for parent in ("a", "b", "c"):
        loop = await admin.put("/queues/a", {"slug": "a", "name": "a", "parent": parent})
        assert loop.status == 422 and loop.body["errors"][0]["pointer"] == "/parent"
    held = await admin.delete("/queues/a")
    assert held.status == 409 and held.body["type"] == "/problems/rejected" and "b" in held.body["detail"]
    assert (await admin.delete("/queues/c")).status == (await admin.delete("/queues/b")).status == 204
    assert (await admin.delete("/queues/a")).status == 204


async def test_the_default_queue_cannot_be_retired(gateway: Gateway) -> None:
    answer = await (await gateway.admin()).delete("/queues/postmaster")
    assert answer.status == 409 and answer.body["type"] == "/problems/rejected"


async def test_an_address_and_a_name_are_free_again_after_retirement(gateway: Gateway) -> None:
    admin = await gateway.admin()
    await admin.put("/queues/it", IT)
    await admin.delete("/queues/it")
    assert (await admin.put("/queues/hr", {**IT, "slug": "hr"})).status == 201
    back = await admin.put("/queues/it", IT)
    assert back.status == 422 and back.body["errors"][0]["pointer"] == "/address"


KARI: dict[str, Any] = {"login": "kari", "name": "Kari", "email": "kari@help.example.org", "roles": ["agent"]}


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"login": "other"}, "/login"),
        ({"login": "a b"}, "/login"),
        ({"login": "01a208db-eeca-7020-aaac-d52bf975aba2"}, "/login"),
        ({"email": "kari"}, "/email"),
        ({"email": "admin@ledgerdesk.invalid"}, "/email"),
        ({"email": None}, "/email"),
        ({"roles": []}, "/roles"),
        ({"roles": ["boss"]}, "/roles/0"),
        ({"roles": "agent"}, "/roles"),
        ({"password": "short"}, "/password"),
        ({"password": "x" * 1025}, "/password"),
        ({"password": 12345678}, "/password"),
        ({"company": "nowhere"}, "/company"),
        ({"language": "norwegian!"}, "/language"),
        ({"admin": True}, "/admin"),
    ],
)
async def test_the_error_of_a_person_names_the_field(gateway: Gateway, change: dict[str, Any], pointer: str) -> None:
    answer = await (await gateway.admin()).put("/people/kari", {**KARI, **change})
    assert answer.status == 422 and {e["pointer"] for e in answer.body["errors"]} == {pointer}


async def test_a_login_can_change_and_the_person_stays_the_same(gateway: Gateway) -> None:
    admin = await gateway.admin()
    kari = await gateway.person("kari", "agent")
    renamed = await admin.put("/people/kari", {**KARI, "login": "kari.nordmann"})
    assert renamed.status == 200 and renamed.headers["Location"] == "/api/v1/people/kari.nordmann"
    assert (await kari.get("/session")).body["person"]["login"] == "kari.nordmann"
    assert (await admin.get("/people/kari")).status == 404
    taken = await admin.put("/people/kari.nordmann", {**KARI, "login": "admin"})
    assert taken.status == 422 and taken.body["errors"][0]["pointer"] == "/login"


async def test_the_last_administrator_stays(gateway: Gateway) -> None:
    admin = await gateway.admin()
    me = {"login": "admin", "name": "Administrator", "email": "admin@ledgerdesk.invalid", "roles": ["agent"]}
    assert (await admin.put("/people/admin", me)).status == 409
    assert (await admin.delete("/people/admin")).status == 409
    await admin.put("/people/eva", {**KARI, "login": "eva", "roles": ["admin"], "email": "eva@example.org"})
    assert (await admin.put("/people/admin", me)).status == 200
    assert (await admin.put("/people/admin", me)).status == 403, "the change takes effect at once"


async def test_a_password_is_in_no_event_and_no_answer(gateway: Gateway) -> None:
    admin = await gateway.admin()
    made = await admin.put("/people/kari", {**KARI, "password": PASSWORD})
    assert "password" not in made.body
    event = await gateway.pool.fetchrow(EVENT, made.body["id"])
    assert event is not None and event["data"]["password_changed"] is True and PASSWORD not in str(event["data"])
    for path in ("/people/kari", "/people", "/people/kari/history"):
        assert "argon2" not in (await admin.get(path)).raw.decode()


async def test_a_mail_domain_belongs_to_one_company_in_any_spelling(gateway: Gateway) -> None:
    admin = await gateway.admin()
    first = {"slug": "first", "name": "First", "domains": ["Kjøtt.example", "first.example."]}
    made = await admin.put("/companies/first", first)
    assert (made.status, made.body["domains"]) == (201, ["kjøtt.example", "first.example"])
    assert (await admin.put("/companies/first", made.body)).body["version"] == 1, "what is read may be sent back"
    second = {"slug": "second", "name": "Second", "domains": ["shop.kjøtt.example", "xn--kjtt-hra.example"]}
    refused = await admin.put("/companies/second", second)
    assert (refused.status, [e["pointer"] for e in refused.body["errors"]]) == (422, ["/domains/1"])
    for wrong in ("example", "a b.example", "-x.example", "192.0.2.1", "x@first.example"):
        answer = await admin.put("/companies/second", {**second, "domains": [wrong]})
        assert (answer.status, answer.body["errors"][0]["pointer"]) == (422, "/domains/0"), wrong
    await admin.delete("/companies/first")
    assert (await admin.put("/companies/second", second)).status == 201
    assert (await admin.put("/companies/first", first)).status == 422, "another company has the domain now"


async def test_an_address_belongs_to_one_person_in_any_spelling(gateway: Gateway) -> None:
    admin = await gateway.admin()
    made = await admin.put("/people/kari", {**KARI, "email": "Kari@KJØTT.example"})
    assert made.body["email"] == "kari@kjøtt.example"
    assert (await admin.get("/people/kari@xn--kjtt-hra.example")).body["login"] == "kari"
    other = {**KARI, "login": "other", "email": "kari@xn--kjtt-hra.example"}
    assert (await admin.put("/people/other", other)).body["errors"][0]["pointer"] == "/email"
    queue = {"slug": "it", "name": "IT", "address": "it@kjøtt.example"}
    assert (await admin.put("/queues/it", queue)).body["address"] == "it@kjøtt.example"
    taken = await admin.put("/queues/hr", {"slug": "hr", "name": "HR", "address": "IT@xn--kjtt-hra.example"})
    assert taken.body["errors"][0]["pointer"] == "/address"


async def test_agents_see_their_queues_and_names_and_change_nothing(gateway: Gateway) -> None:
    admin, kari = await gateway.admin(), await gateway.person("kari", "agent")
    await admin.put("/queues/it", {**IT, "members": [{"person": "kari", "rights": ["read"]}]})
    await admin.put("/queues/hr", {"slug": "hr", "name": "HR"})
    await admin.put("/companies/acme", ACME)
    assert [q["slug"] for q in (await kari.get("/queues")).body["items"]] == ["it"]
    assert (await kari.get("/queues/it")).status == 200
    assert (await kari.get("/queues/hr")).status == 404 and (await kari.get("/queues/nowhere")).status == 404
    assert (await kari.get("/people/admin")).body.keys() == {"id", "login", "name", "absence"}
    assert {"email", "roles"} <= (await kari.get("/people/kari")).body.keys()
    assert all("email" not in p or p["login"] == "kari" for p in (await kari.get("/people")).body["items"])
    assert [c["slug"] for c in (await kari.get("/companies")).body["items"]] == ["acme"]
    assert (await kari.get("/queues/it/history")).status == 403 and (await kari.get("/queues/hr/history")).status == 404
    assert (await kari.get("/queues?retired=true")).status == 403
    await _changes_nothing(gateway, kari)


async def test_customers_see_themselves_and_their_company(gateway: Gateway) -> None:
    admin = await gateway.admin()
    await admin.put("/companies/acme", ACME)
    await admin.put("/companies/other", {"slug": "other", "name": "Other"})
    per = await gateway.person("per", "customer", company="acme")
    assert (await per.get("/queues")).body["items"] == [] and (await per.get("/queues/postmaster")).status == 404
    assert [p["login"] for p in (await per.get("/people")).body["items"]] == ["per"]
    assert (await per.get("/people/admin")).status == 404 and (await per.get("/people/per")).status == 200
    assert [c["slug"] for c in (await per.get("/companies")).body["items"]] == ["acme"]
    assert (await per.get("/companies/other")).status == 404
    await _changes_nothing(gateway, per)


async def _changes_nothing(gateway: Gateway, client: Client) -> None:
    before = await gateway.pool.fetchval("SELECT count(*) FROM es.events")
    for path, body in (
        ("/queues/it", IT),
        ("/people/admin", KARI),
        ("/companies/acme", ACME),
        ("/people/new", {**KARI, "login": "new"}),
    ):
        assert (await client.put(path, body)).status == 403
        assert (await client.delete(path)).status == 403
    assert await gateway.pool.fetchval("SELECT count(*) FROM es.events") == before


async def test_nothing_is_seen_or_changed_without_a_sign_in(gateway: Gateway) -> None:
    for kind in ("queues", "people", "companies"):
        for method, path in (
            ("GET", f"/{kind}"),
            ("GET", f"/{kind}/x"),
            ("PUT", f"/{kind}/x"),
            ("DELETE", f"/{kind}/x"),
        ):
            assert (await gateway.anonymous.call(method, path, {} if method == "PUT" else None)).status == 401


async def test_lists_come_in_stable_pages(gateway: Gateway) -> None:
    admin = await gateway.admin()
    for slug in ("b", "d", "f"):
        await admin.put(f"/companies/{slug}", {"slug": slug, "name": slug})
    first = (await admin.get("/companies?limit=2")).body
    for slug in ("a", "e"):
        await admin.put(f"/companies/{slug}", {"slug": slug, "name": slug})
    rest = (await admin.get(f"/companies?limit=2&cursor={first['next_cursor']}")).body
    assert [c["slug"] for c in first["items"] + rest["items"]] == ["b", "d", "e", "f"] and rest["next_cursor"] is None
    for query in (
        "limit=0",
        "limit=201",
        "limit=x",
        "cursor=abc",
        "colour=red",
        f"cursor={first['next_cursor']}&retired=true",
    ):
        assert (await admin.get(f"/companies?{query}")).status == 422
    assert (await admin.get(f"/queues?cursor={first['next_cursor']}")).status == 422


async def test_an_unknown_id_is_404_and_creates_nothing(gateway: Gateway) -> None:
    admin = await gateway.admin()
    unknown = "01a208db-eeca-7020-aaac-d52bf975aba2"
    assert (await admin.put(f"/queues/{unknown}", IT)).status == 404
    assert (await admin.delete(f"/queues/{unknown}")).status == (await admin.delete("/queues/nowhere")).status == 404
    person = (await admin.get("/people/admin")).body["id"]
    assert (await admin.get(f"/queues/{person}")).status == 404, "an id of another kind"


async def test_a_put_answers_when_every_service_has_applied_it(gateway: Gateway) -> None:
    admin = await gateway.admin()
    made = await admin.put("/queues/it", IT)
    assert "X-Projection-Lag" not in made.headers
    asked = [a for a in gateway.service.asked if a.target.startswith("/internal/")]
    assert len(asked) == 4
    assert {a.target for a in asked} == {f"/internal/directory/queue/{made.body['id']}?version=1"}


@pytest.mark.parametrize("failure", ["refuses", "dies", "hangs"])
async def test_a_put_says_when_a_service_has_not_applied_it_yet(gateway: Gateway, failure: str) -> None:
    answered = 0

    async def one_fails(asked: Asked, writer: asyncio.StreamWriter) -> bool:
        nonlocal answered
        answered += 1
        if answered % 4:
            return await applied(asked, writer)
        if failure == "refuses":
            writer.write(b"HTTP/1.1 504 Gateway Timeout\r\ncontent-length: 0\r\n\r\n")
            return True
        if failure == "hangs":
            await asked.reader.read()
        return False

    gateway.service.behaviour = one_fails
    admin = await gateway.admin()
    async with asyncio.timeout(5):
        made = await admin.put("/queues/it", IT)
    assert made.status == 201
    if failure != "dies":  # a request whose connection broke is sent again
        assert made.headers["X-Projection-Lag"] == "true"


async def test_the_first_start_runs_once(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from services.gateway.documents.first_start import first_documents
    from shared.settings import env

    count = "SELECT count(*) FROM es.events"
    before = await gateway.pool.fetchval(count)
    await first_documents(env("LEDGERDESK_DATABASE_URL"))
    assert await gateway.pool.fetchval(count) == before == 14  # a person, seven states, five priorities, a queue
    assert capsys.readouterr().err == ""


async def test_a_body_that_is_not_a_document_is_422(gateway: Gateway) -> None:
    admin = await gateway.admin()
    for data in (b"{", b"[]", b"null", b'"x"', b"", b"\xff", b'{"slug": NaN}', b"[" * 5000):
        answer = await admin.call("PUT", "/queues/it", data=data, headers={"Content-Type": "application/json"})
        assert answer.status == 422 and answer.body["errors"], data
