"""A new password by a mailed link (A19.07), and what others got wrong about such links."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Any
from uuid import uuid4

import pytest

from services.gateway import reset_links
from services.gateway.app import http_client
from services.gateway.resets.worker import AccountMailer
from services.gateway.service_client import ServiceClient
from services.gateway.settings import _public_url
from services.gateway.signing_in import backoff
from services.gateway.signing_in.throttling import SignInThrottle
from shared.http.keys import gateways_keys
from shared.http.problems import Problem
from shared.runtime import failpoints
from shared.settings import SettingMissing
from tests.services.gateway.conftest import PASSWORD, Answer, Client, Gateway
from tests.services.gateway.upstream import applied, response
from tests.specs.requirement import requirement

DESK = "https://desk.example.org/help"
NEW = "what I shall remember"
UNKNOWN = "0" * 43
GUESS = "wrong"  # pragma: allowlist secret
KARI = {"login": "kari", "name": "Kari", "email": "kari@help.example.org", "roles": ["agent"]}


@dataclass
class Desk:
    """The gateway with a worker that a test runs by hand; notify is the stand-in."""

    gateway: Gateway
    mailer: AccountMailer

    async def ask(self, login: str, **options: Any) -> Answer:
        return await self.gateway.anonymous.post("/password-resets", {"login": login}, **options)

    async def reset(self, token: str, new: Any = NEW, **options: Any) -> Answer:
        return await self.gateway.anonymous.post(f"/password-resets/{token}", {"new": new}, **options)

    async def work(self) -> None:
        while await self.mailer.take_request():
            pass
        while await self.mailer.send_one():
            pass

    @property
    def mails(self) -> list[Mapping[str, Any]]:
        """What notify was given, each mail once."""
        found: dict[str, Mapping[str, Any]] = {}
        for asked in self.gateway.service.asked:
            if asked.target == "/internal/account-mails":
                body = json.loads(asked.body)
                found.setdefault(body["id"], body)
        return list(found.values())

    @property
    def links(self) -> list[str]:
        return [mail["link"] for mail in self.mails if mail["kind"] == "reset_link"]

    @property
    def tokens(self) -> list[str]:
        return [link.rpartition("/")[2] for link in self.links]

    async def link(self, login: str = "kari") -> str:
        """Asks for a link, and returns its token."""
        assert (await self.ask(login)).status == 202
        await self.work()
        return self.tokens[-1]

    async def signs_in(self, login: str, password: str) -> bool:
        answer = await self.gateway.anonymous.post("/session", {"login": login, "password": password})
        return answer.status == 201


@pytest.fixture
async def desk(gateway: Gateway) -> AsyncIterator[Desk]:
    signing_key, keys = gateways_keys()
    async with http_client(1.0) as client:
        services = ServiceClient(client, {"notify": gateway.service.url}, signing_key)
        yield Desk(gateway, AccountMailer(gateway.pool, services, keys.purpose("password resets"), DESK))
    failpoints.arm("")


@pytest.fixture
async def kari(desk: Desk) -> Client:
    return await desk.gateway.person("kari", "agent", language="nb")


@requirement("A19.07")
async def test_a_link_chooses_a_new_password_once(desk: Desk, kari: Client) -> None:
    program = desk.gateway.holding((await kari.post("/tokens", {"name": "x", "scopes": ["read"]})).body["token"])
    token = await desk.link()
    (mail,) = desk.mails
    assert mail["link"] == f"{DESK}/password/new/{token}" and re.fullmatch(r"[A-Za-z0-9_-]{43}", token)
    assert (mail["email"], mail["name"], mail["language"]) == ("kari@help.example.org", "Kari", "nb")
    assert (await desk.reset(token)).status == 204
    assert await desk.signs_in("kari", NEW) and not await desk.signs_in("kari", PASSWORD)
    assert (await kari.get("/session")).status == 401 and (await program.get("/tickets")).status == 401
    assert (await desk.reset(token, "what somebody else wants")).status == 404
    assert await desk.signs_in("kari", NEW)
    await desk.work()
    assert [each["kind"] for each in desk.mails] == ["reset_link", "password_reset"] and "link" not in desk.mails[1]


@requirement("A19.07")
async def test_the_answer_is_the_same_for_everybody(desk: Desk, kari: Client) -> None:
    """What tells known people from unknown ones is done later, by somebody else."""
    admin = await desk.gateway.admin()
    await admin.put("/people/per", {"login": "per", "name": "Per", "email": "per@example.org", "roles": ["customer"]})
    await desk.gateway.person("ola", "agent")
    await admin.delete("/people/ola")
    asked = ("kari", "KARI@Help.Example.org", "nobody", "nobody@example.org", "per", "ola", "%", "*", "admin' OR 1=1")
    answers = [await desk.ask(login) for login in asked]
    assert {(each.status, each.raw) for each in answers} == {(202, b'{"minutes":30}')}
    headers = [sorted(name for name in each.headers if name != "Date") for each in answers]
    assert all(each == headers[0] for each in headers)
    statements = await desk.gateway.pool.fetch("SELECT login FROM gateway.reset_requests")
    assert len(statements) == len(asked), "each leaves one row, whoever is named"
    await desk.work()
    assert {mail["email"] for mail in desk.mails} == {"kari@help.example.org"}
    assert await desk.gateway.pool.fetchval("SELECT count(*) FROM gateway.reset_requests") == 0


async def test_nothing_of_a_token_is_stored_or_told(desk: Desk, kari: Client) -> None:
    token = await desk.link()
    tables = await desk.gateway.pool.fetch(
        "SELECT format('%s.%s', table_schema, table_name) FROM information_schema.tables"
        " WHERE table_schema IN ('gateway', 'es')"
    )
    for (table,) in tables:
        for row in await desk.gateway.pool.fetch(f"SELECT t::text FROM {table} t"):
            assert token not in row[0]
    hashes = [
        row["token_hash"] for row in await desk.gateway.pool.fetch("SELECT token_hash FROM gateway.password_resets")
    ]
    assert hashes == [sha256(token.encode()).digest()]


async def test_a_newer_link_ends_older_ones(desk: Desk, kari: Client) -> None:
    first, second = await desk.link(), await desk.link("kari@help.example.org")
    assert first != second
    assert (await desk.reset(first)).status == 404
    assert (await desk.reset(second)).status == 204


@requirement("A19.07")
async def test_three_mails_an_hour_at_most_and_a_fourth_request_ends_nothing(desk: Desk, kari: Client) -> None:
    """CVE-2022-29701, and CVE-2022-35488 (a limit for each spelling): anybody could fill somebody's mailbox."""
    for login in ("kari", "KARI", " kari", "kari@help.example.org", "Kari@Help.Example.org", "kari"):
        await desk.ask(login)
    await desk.work()
    assert len(desk.tokens) <= 3
    assert await desk.gateway.pool.fetchval("SELECT count(*) FROM gateway.password_resets") == 3
    last = await desk.gateway.pool.fetchval("SELECT id FROM gateway.password_resets WHERE ended_at IS NULL")
    assert (await desk.reset(reset_links.token(desk.mailer.key, last))).status == 204
    await desk.gateway.pool.execute(
        "UPDATE gateway.password_resets SET created_at = created_at - interval '61 minutes'"
    )
    count = len(desk.tokens)
    await desk.link()
    assert len(desk.tokens) == count + 1


async def test_workers_side_by_side_keep_the_limit_too(desk: Desk, kari: Client) -> None:
    for _ in range(8):
        await desk.ask("kari")
    await asyncio.gather(*(desk.mailer.take_request() for _ in range(8)))
    assert await desk.gateway.pool.fetchval("SELECT count(*) FROM gateway.password_resets") == 3
    assert await desk.gateway.pool.fetchval("SELECT count(*) FROM gateway.password_resets WHERE ended_at IS NULL") == 1


async def test_a_refused_password_does_not_use_the_link_up(desk: Desk, kari: Client) -> None:
    token = await desk.link()
    for wrong in ("short", "", None, 12345678, ["long enough"], "x" * 1025):
        answer = await desk.reset(token, wrong)
        assert answer.status == 422 and [e["pointer"] for e in answer.body["errors"]] == ["/new"]
        assert token.encode() not in answer.raw and b"xxxx" not in answer.raw
    assert (await desk.reset(token)).status == 204


@pytest.mark.parametrize(
    "given",
    [UNKNOWN, "%", "*", "_" * 43, "x", "%25", "..%2f..", "x" * 100, "x" * 5000, "0%00", "%F0%9F%98%80", "null"],
)
async def test_no_other_token_holds(desk: Desk, kari: Client, given: str) -> None:
    """Nor a wildcard in place of one."""
    await desk.link()
    assert (await desk.reset(given)).status == 404
    assert await desk.signs_in("kari", PASSWORD)


async def test_a_prefix_or_another_case_of_a_token_is_none(desk: Desk, kari: Client) -> None:
    token = await desk.link()
    for other in (token[:-1], token + "A", token.swapcase(), token + "="):
        assert (await desk.reset(other)).status == 404
    assert (await desk.reset(token)).status == 204


async def test_a_link_ends_after_half_an_hour(desk: Desk, kari: Client) -> None:
    token = await desk.link()
    left = await desk.gateway.pool.fetchval("SELECT expires_at - created_at FROM gateway.password_resets")
    assert left == reset_links.LASTS
    await desk.gateway.pool.execute("UPDATE gateway.password_resets SET expires_at = now()")
    assert (await desk.reset(token)).status == 404


@pytest.mark.parametrize("what", ["password", "own password", "address", "retired"])
async def test_whatever_changes_the_sign_in_ends_the_links(desk: Desk, kari: Client, what: str) -> None:
    """A link that was mailed to the old address, or before the password was changed, is no way in any more."""
    token, admin = await desk.link(), await desk.gateway.admin()
    match what:
        case "password":
            await admin.put("/people/kari", KARI | {"password": "set by the boss"})  # pragma: allowlist secret
        case "own password":
            mine = await desk.gateway.sign_in("kari")
            await mine.post("/session/password", {"current": PASSWORD, "new": "chosen by me"})
        case "address":
            await admin.put("/people/kari", KARI | {"email": "kari@elsewhere.example"})
        case _:
            await admin.delete("/people/kari")
    assert (await desk.reset(token)).status == 404


async def test_a_link_needs_no_further_change(desk: Desk, gateway: Gateway) -> None:
    await gateway.person("kari", "agent", password_must_change=True)
    assert (await desk.reset(await desk.link())).status == 204
    assert (await (await gateway.sign_in("kari", NEW)).get("/tickets")).status == 200


async def test_a_new_password_forgets_the_guesses_at_the_old_one(desk: Desk, kari: Client) -> None:
    for _ in range(6):
        await desk.gateway.anonymous.post("/session", {"login": "kari", "password": GUESS})
    answer = await desk.gateway.anonymous.post("/session", {"login": "kari", "password": PASSWORD})
    assert answer.status == 429
    assert (await desk.reset(await desk.link())).status == 204
    assert await desk.signs_in("kari", NEW)


async def test_who_cannot_sign_in_gets_no_password_by_a_mail(desk: Desk, gateway: Gateway) -> None:
    """A customer whose record somebody made, without a password, and who has left."""
    admin = await gateway.admin()
    await admin.put("/people/per", {"login": "per", "name": "Per", "email": "per@example.org", "roles": ["customer"]})
    await gateway.person("ola", "agent")
    await admin.delete("/people/ola")
    for login in ("per", "per@example.org", "ola", "ola@help.example.org"):
        await desk.ask(login)
    await desk.work()
    assert desk.mails == []


async def test_customers_with_a_password_get_one(desk: Desk, gateway: Gateway) -> None:
    await gateway.person("mari", "customer")
    assert (await desk.reset(await desk.link("mari"))).status == 204
    assert await desk.signs_in("mari", NEW)


@pytest.mark.parametrize("address", ["it@help.example.org", "it+kari@help.example.org", "IT@HELP.example.org"])
async def test_no_link_goes_to_an_address_of_the_desk(desk: Desk, gateway: Gateway, address: str) -> None:
    """It would become a ticket, and everybody in the queue could choose the password."""
    admin = await gateway.admin()
    await admin.put("/queues/it", {"slug": "it", "name": "IT", "address": "it@help.example.org"})
    await gateway.person("kari", "agent", email=address)
    await desk.ask("kari")
    await desk.work()
    assert desk.mails == []


async def test_the_mail_goes_to_the_address_of_the_record_whatever_was_typed(desk: Desk, kari: Client) -> None:
    """CVE-2019-19844 (letters that fold to others) and CVE-2023-7028 (a second address)."""
    for typed in ("ｋari@help.example.org", "karı@help.example.org", "KARI@HELP.EXAMPLE.ORG", " kari "):
        assert (await desk.ask(typed)).status == 202
    for body in (
        {"login": ["kari", "evil@example.org"]},
        {"login": "kari", "email": "evil@example.org"},
        {"login": {"$ne": ""}},
        {"login": ""},
        {},
        {"login": "x" * 255},
        {"login": "kari\nBcc: evil@example.org"},
    ):
        assert (await desk.gateway.anonymous.post("/password-resets", body)).status == 422
    await desk.work()
    assert {mail["email"] for mail in desk.mails} <= {"kari@help.example.org"}


async def test_the_link_leads_where_the_settings_say(desk: Desk, kari: Client) -> None:
    for name in ("Host", "X-Forwarded-Host", "X-Host", "X-Original-Host", "Forwarded", "X-Forwarded-Server"):
        await desk.ask("kari", headers={name: "evil.example"})
    await desk.work()
    assert desk.links and all(link.startswith(f"{DESK}/") for link in desk.links)


async def test_no_other_site_asks_or_resets(desk: Desk, kari: Client) -> None:
    token, foreign = await desk.link(), {"Origin": "https://evil.example"}
    assert (await desk.ask("kari", headers=foreign)).status == 403
    assert (await desk.reset(token, headers=foreign)).status == 403
    assert (await desk.reset(token, headers={"Origin": desk.gateway.url})).status == 204


async def test_answers_tell_no_other_site_their_address(desk: Desk) -> None:
    assert (await desk.reset(UNKNOWN)).headers["Referrer-Policy"] == "no-referrer"


async def test_the_same_request_again_is_answered_alike(desk: Desk, kari: Client) -> None:
    key = {"Idempotency-Key": "k"}
    for _ in range(3):
        assert (await desk.ask("kari", headers=key)).status == 202
        await desk.work()
    (token,) = desk.tokens
    first, again = [await desk.reset(token, headers=key) for _ in range(2)]
    assert (first.status, again.status) == (204, 204) and again.headers["Idempotent-Replayed"] == "true"
    assert (await desk.reset(token, "something else", headers=key)).status == 422
    assert (await desk.reset(token, headers={"Idempotency-Key": "other"})).status == 404
    assert await desk.signs_in("kari", NEW)


async def test_one_of_two_who_use_a_link_at_once_wins(desk: Desk, kari: Client) -> None:
    token = await desk.link()
    answers = await asyncio.gather(*(desk.reset(token, f"the password of {n}") for n in range(4)))
    assert sorted(each.status for each in answers) == [204, 404, 404, 404]
    (winner,) = [n for n, each in enumerate(answers) if each.status == 204]
    assert await desk.signs_in("kari", f"the password of {winner}")


async def test_a_notify_that_is_away_delays_the_mail(desk: Desk, kari: Client) -> None:
    async def away(asked: Any, writer: Any) -> bool:
        writer.write(response("503 Service Unavailable"))
        return True

    desk.gateway.service.behaviour = away
    await desk.ask("kari")
    await desk.work()
    waiting = await desk.gateway.pool.fetchrow("SELECT * FROM gateway.account_mails")
    assert waiting is not None and waiting["attempts"] == 1
    desk.gateway.service.behaviour = applied
    await desk.gateway.pool.execute("UPDATE gateway.account_mails SET due_at = now()")
    await desk.work()
    assert await desk.gateway.pool.fetchval("SELECT count(*) FROM gateway.account_mails") == 0
    assert len(set(desk.tokens)) == 1 and (await desk.reset(desk.tokens[0])).status == 204


async def test_a_worker_that_dies_leaves_nothing_undone_and_nothing_twice(desk: Desk, kari: Client) -> None:
    await desk.ask("kari")
    failpoints.arm("resets.before_commit=raise")
    with pytest.raises(failpoints.FailpointRaised):
        await desk.mailer.take_request()
    failpoints.arm("resets.before_done=raise")
    await desk.mailer.take_request()
    with pytest.raises(failpoints.FailpointRaised):
        await desk.mailer.send_one()
    failpoints.arm("")
    await desk.gateway.pool.execute("UPDATE gateway.account_mails SET due_at = now()")
    await desk.work()
    given = [asked for asked in desk.gateway.service.asked if asked.target == "/internal/account-mails"]
    assert len(given) == 2 and len(desk.mails) == 1, "notify is given the same mail again, with the same id"
    assert (await desk.reset(desk.tokens[0])).status == 204


async def test_a_link_that_has_ended_is_not_mailed(desk: Desk, kari: Client) -> None:
    await desk.ask("kari")
    await desk.mailer.take_request()
    await desk.gateway.pool.execute("UPDATE gateway.password_resets SET ended_at = now()")
    await desk.work()
    assert desk.mails == []


async def test_too_many_requests_are_refused_whoever_is_named(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reset_links, "MOST_WAITING", 3)
    answers = [(await desk.ask(login)).status for login in ("admin", "nobody", "admin", "nobody", "admin")]
    assert answers == [202, 202, 202, 429, 429]


async def test_a_network_has_a_limit(gateway: Gateway) -> None:
    throttle = SignInThrottle(gateway.pool, b"key")
    for _ in range(backoff.RESETS.free):
        await throttle.count("password reset", "192.0.2.7", backoff.RESETS)
    with pytest.raises(Problem) as refused:
        await throttle.count("password reset", "192.0.2.7", backoff.RESETS)
    assert refused.value.status == 429
    await throttle.count("password reset", "198.51.100.1", backoff.RESETS)
    for _ in range(3 * backoff.RESETS.free):
        await throttle.count("password reset", "127.0.0.1", backoff.RESETS)


async def test_old_rows_go(gateway: Gateway) -> None:
    admin = await gateway.pool.fetchval("SELECT id FROM gateway.documents WHERE slug = 'admin'")
    make = (
        "INSERT INTO gateway.password_resets (id, token_hash, person_id, created_at, expires_at)"
        " VALUES ($1, $2, $3, now() - $4::interval, now())"
    )
    for days in (1, 40):
        await gateway.pool.execute(make, uuid4(), bytes([days]), admin, timedelta(days=days))
    await reset_links.purge(gateway.pool)
    assert await gateway.pool.fetchval("SELECT count(*) FROM gateway.password_resets") == 1


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("https://desk.example.org", "https://desk.example.org"),
        ("https://example.org/desk/", "https://example.org/desk"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("", None),
    ],
)
def test_the_public_address_is_a_setting(text: str, read: str | None) -> None:
    assert _public_url(text) == read


@pytest.mark.parametrize(
    "text", ["desk", "ftp://x", "https://", "https://u:p@x", "https://x/?a", "https://x/#a", "https://x:y"]
)
def test_a_public_address_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(SettingMissing):
        _public_url(text)
