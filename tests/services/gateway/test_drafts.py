"""Drafts: one's own alone, kept until their command succeeds, and no words of anybody lost."""

import asyncio
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import orjson
import pytest
from uuid_utils.compat import uuid7

from services.gateway.drafts import drafts, drafts_api, sending
from services.gateway.drafts.drafts import Drafts
from tests.services.gateway.conftest import Answer, Client, Gateway
from tests.services.gateway.upstream import Asked, applied, response
from tests.specs.requirement import requirement

JSON, PROBLEM = "application/json", "application/problem+json"
TICKET = "01936f2e-4a10-7c55-9a3e-5d1f8c2b7e01"
NUMBER = "2026112910000015"
KEY = f"ticket:{TICKET}:reply"
REPLY = f"/tickets/{TICKET}/reply"
NOWHERE = str(uuid4())


def at(key: str) -> str:
    return f"/drafts/{quote(key, safe='')}"


def written(text: str, **more: Any) -> dict[str, Any]:
    return {"ticket": TICKET, "command": "reply", "body": {"text": text}, "attachments": [], **more}


def pointers(answer: Answer) -> list[str]:
    assert answer.status == 422, answer
    return [error["pointer"] for error in answer.body["errors"]]


async def services(asked: Asked, writer: asyncio.StreamWriter) -> bool:
    """Reporting knows one ticket, intake every file but one, and every command succeeds."""
    if asked.method == "GET" and asked.target.startswith("/api/v1/tickets/"):
        if asked.target.rpartition("/")[2] in (TICKET, NUMBER):
            writer.write(response(body=orjson.dumps({"id": TICKET}), content_type=JSON))
        else:
            writer.write(response("404 Not Found", b"{}", content_type=PROBLEM))
        return True
    if asked.target == "/internal/uploads/kept":
        wrong = [n for n, each in enumerate(orjson.loads(asked.body)["uploads"]) if each == NOWHERE]
        if wrong:
            body = {"errors": [{"pointer": f"/uploads/{n}", "detail": "No such file."} for n in wrong]}
            writer.write(response("422 Unprocessable Content", orjson.dumps(body), content_type=PROBLEM))
            return True
    return await applied(asked, writer)


def answering(status: str, body: Any = None, **headers: str) -> Any:
    """Services that give this answer to commands."""

    async def behave(asked: Asked, writer: asyncio.StreamWriter) -> bool:
        if asked.method == "POST" and asked.target.startswith(("/api/v1/tickets", "/internal/tickets")):
            writer.write(response(status, orjson.dumps(body or {}), content_type=JSON, **headers))
            return True
        return await services(asked, writer)

    return behave


@pytest.fixture
def desk(gateway: Gateway) -> Gateway:
    gateway.service.behaviour = services
    return gateway


async def text_of(who: Client, key: str = KEY) -> str | None:
    answer = await who.get(at(key))
    return answer.body["body"]["text"] if answer.status == 200 else None


@requirement("A10.14")
async def test_a_draft_is_kept_changed_listed_and_thrown_away(desk: Gateway) -> None:
    kari = await desk.person("kari", "agent")
    assert (await kari.get(at(KEY))).status == 404 and (await kari.get("/drafts")).body["items"] == []
    made = await kari.put(at(KEY), written("Dear"))
    assert (made.status, made.body["version"], made.headers["ETag"]) == (201, 1, '"1"')
    assert made.body == {"key": KEY, **written("Dear"), "version": 1, "saved_at": made.body["saved_at"]}
    assert (await kari.get(at(KEY))).body == made.body
    changed = await kari.put(at(KEY), {**made.body, "body": {"text": "Dear Per"}}, headers={"If-Match": '"1"'})
    assert (changed.status, changed.body["version"]) == (200, 2) and changed.body["saved_at"] >= made.body["saved_at"]
    late = await kari.put(at(KEY), written("Dear Sir"), headers={"If-Match": '"1"'})
    assert (late.status, late.body["draft"]) == (412, changed.body)
    assert (await kari.get("/drafts")).body == {"items": [changed.body], "next_cursor": None}
    assert (await kari.delete(at(KEY), headers={"If-Match": '"1"'})).body["draft"] == changed.body
    assert (await kari.delete(at(KEY), headers={"If-Match": '"2"'})).status == 204
    assert [(await kari.delete(at(KEY))).status, (await kari.get(at(KEY))).status] == [404, 404]
    gone = await kari.put(at(KEY), written("x"), headers={"If-Match": '"2"'})
    assert gone.status == 412 and "draft" not in gone.body


async def test_a_draft_is_its_writers_alone(desk: Gateway) -> None:
    kari, nils = [await desk.person(login, "agent") for login in ("kari", "nils")]
    per, admin = await desk.person("per", "customer"), await desk.admin()
    await kari.put(at(KEY), written("Kari's words"))
    for other in (nils, per, admin):
        answers = [
            await other.get(at(KEY)),
            await other.delete(at(KEY)),
            await other.delete(at(KEY), headers={"If-Match": '"1"'}),
            await other.put(at(KEY), written("mine"), headers={"If-Match": '"1"'}),
        ]
        assert [answer.status for answer in answers] == [404, 404, 404, 412]
        assert (
            "words" not in str([answer.raw for answer in answers]) and (await other.get("/drafts")).body["items"] == []
        )
        assert (await other.put(at(KEY), written("their own"))).status == 201
        assert (await other.post(REPLY, {"text": "x", "draft": KEY})).status == 200
        assert await text_of(other) is None
    assert await text_of(kari) == "Kari's words"
    history = (await admin.get("/people/kari/history")).raw + (await admin.get("/people/kari")).raw
    assert b"words" not in history
    for method in ("GET", "PUT", "DELETE"):
        assert (await desk.anonymous.call(method, at(KEY), written("x") if method == "PUT" else None)).status == 401
    assert (await desk.anonymous.get("/drafts")).status == 401


@pytest.mark.parametrize(
    "key",
    ["new:phone", "form:hardware/printer", "ø å", "100%", "a'; DROP TABLE gateway.drafts; --", "..%2F..", "?x=1", "k" * 200,
     '{"$ne": null}', "tickets/commands", "_%", "a\\b"],
)  # fmt: skip
async def test_keys_are_mine_to_choose(desk: Gateway, key: str) -> None:
    kari = await desk.person("kari", "agent")
    assert (await kari.put(at(key), {"command": "open", "body": {"text": "x"}})).status == 201
    assert (await kari.put(at("other"), {"command": "open", "body": {"text": "other"}})).status == 201
    assert (await kari.get(at(key))).body["key"] == key
    assert key in [each["key"] for each in (await kari.get("/drafts")).body["items"]]
    assert (await kari.post("/tickets", {"subject": "x", "draft": key})).status == 200
    assert (await text_of(kari, key), await text_of(kari, "other")) == (None, "other")


async def test_a_slash_in_a_key_may_be_written_as_such(desk: Gateway) -> None:
    kari = await desk.person("kari", "agent")
    await kari.put("/drafts/form:hardware/printer", {"command": "open", "body": {}})
    assert (await kari.get("/drafts/form%3Ahardware%2Fprinter")).body["key"] == "form:hardware/printer"


@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        ({"command": "sing"}, ["/command"]),
        ({"command": None}, ["/command"]),
        ({"body": None}, ["/body"]),
        ({"body": "text"}, ["/body"]),
        ({"body": [1]}, ["/body"]),
        ({"colour": "red"}, ["/colour"]),
        ({"ticket": NOWHERE}, ["/ticket"]),
        ({"ticket": "no-ticket"}, ["/ticket"]),
        ({"ticket": "' OR 1=1"}, ["/ticket"]),
        ({"ticket": "../people/admin"}, ["/ticket"]),
        ({"ticket": 7}, ["/ticket"]),
        ({"attachments": [str(uuid4()), NOWHERE]}, ["/attachments/1"]),
        ({"attachments": ["x"]}, ["/attachments/0"]),
        ({"attachments": "x"}, ["/attachments"]),
        ({"attachments": [TICKET] * 101}, ["/attachments"]),
        ({"key": "another"}, ["/key"]),
        ({"body": {"text": "a\x00b"}}, ["/body/text"]),
    ],
)
async def test_a_wrong_draft_is_refused_and_the_one_before_stays(
    desk: Gateway, content: dict[str, Any], wrong: list[str]
) -> None:
    kari = await desk.person("kari", "agent")
    await kari.put(at(KEY), written("kept"))
    assert pointers(await kari.put(at(KEY), {**written("lost"), **content})) == wrong
    assert await text_of(kari) == "kept"


async def test_keys_and_bodies_that_are_too_long_are_refused(desk: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    kari = await desk.person("kari", "agent")
    assert (await kari.put(at("a\nb"), written("x"))).status == 404
    for key in ("k" * 201, "a\u2028b", "a\tb"):
        assert pointers(await kari.put(at(key), written("x"))) == ["/path/key"]
        assert [(await kari.get(at(key))).status, (await kari.delete(at(key))).status] == [404, 404]
    assert (await kari.get("/drafts/")).status == 404
    long = "x" * 1_000_000
    assert (await kari.put(at("long"), written(long))).status == 201 and await text_of(kari, "long") == long
    assert (await kari.put(at("longer"), written(long + long + long))).status == 413
    monkeypatch.setattr(drafts, "MOST_BYTES_OF_A_PERSON", 1_500_000)
    assert (await kari.put(at("second"), written(long))).status == 413
    assert (await kari.put(at("long"), written(long + "y"))).status == 200
    assert (await kari.put(at("second"), written("short"))).status == 201
    monkeypatch.setattr(drafts, "MOST_OF_A_PERSON", 2)
    assert (await kari.put(at("third"), written("x"))).status == 422
    assert (await kari.put(at("second"), written("changed"))).status == 200
    answers = await asyncio.gather(*(kari.put(at(f"at once {n}"), written("x")) for n in range(5)))
    assert {answer.status for answer in answers} == {422}


async def test_a_list_comes_in_pages_of_a_bounded_size(desk: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    kari, nils = [await desk.person(login, "agent") for login in ("kari", "nils")]
    keys = [f"note:{n}" for n in range(7)]
    for key in keys:
        await kari.put(at(key), written("x" * 1000))
        await nils.put(at(f"{key}:nils"), written("y"))

    async def pages(limit: int) -> list[list[str]]:
        found, cursor = [], ""
        while True:
            answer = (await kari.get(f"/drafts?limit={limit}{cursor}")).body
            found.append([each["key"] for each in answer["items"]])
            if answer["next_cursor"] is None:
                return found
            cursor = f"&cursor={answer['next_cursor']}"

    assert await pages(3) == [keys[:3], keys[3:6], keys[6:]]
    assert await pages(7) == [keys]
    monkeypatch.setattr(drafts, "PAGE_BYTES", 1500)
    assert await pages(7) == [keys[:2], keys[2:4], keys[4:6], keys[6:]]
    monkeypatch.setattr(drafts, "PAGE_BYTES", 10)
    assert await pages(7) == [[key] for key in keys]
    other = (await kari.get("/drafts?limit=3")).body["next_cursor"]
    assert pointers(await nils.get(f"/drafts?cursor={other}")) == ["/query/cursor"]


async def test_the_ticket_may_be_named_by_its_number_and_is_looked_up_once(desk: Gateway) -> None:
    kari = await desk.person("kari", "agent")
    assert (await kari.put(at(KEY), written("x", ticket=NUMBER))).body["ticket"] == TICKET
    desk.service.behaviour = answering("200 OK")
    asked = len(desk.service.asked)
    assert (await kari.put(at(KEY), written("y"))).status == 200
    assert len(desk.service.asked) == asked


async def test_a_ticket_that_was_opened_a_moment_ago_is_waited_for(
    desk: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    kari, young = await desk.person("kari", "agent"), str(uuid7())
    asked: list[str] = []

    async def late(request: Asked, writer: asyncio.StreamWriter) -> bool:
        if request.method == "GET" and request.target == f"/api/v1/tickets/{young}":
            asked.append(request.target)
            known = len(asked) >= 3
            body = orjson.dumps({"id": young})
            writer.write(response(body=body) if known else response("404 Not Found", b"{}", content_type=PROBLEM))
            return True
        return await services(request, writer)

    desk.service.behaviour = late
    assert (await kari.put(at(KEY), written("x", ticket=young))).body["ticket"] == young
    assert len(asked) == 3
    monkeypatch.setattr(drafts_api, "WAIT_SECONDS", 0.0)
    assert pointers(await kari.put(at("other"), written("x", ticket=str(uuid7())))) == ["/ticket"]


@pytest.mark.parametrize("status", ["500 Internal Server Error", "503 Service Unavailable"])
async def test_a_service_that_is_away_is_no_fault_of_the_draft(desk: Gateway, status: str) -> None:
    kari = await desk.person("kari", "agent")

    async def away(asked: Asked, writer: asyncio.StreamWriter) -> bool:
        writer.write(response(status, b"{}", content_type=PROBLEM))
        return True

    desk.service.behaviour = away
    assert (await kari.put(at(KEY), written("x"))).status == 503
    assert (await kari.put(at("new:phone"), {"command": "open", "body": {}, "attachments": [TICKET]})).status == 503
    assert (await kari.put(at("new:phone"), {"command": "open", "body": {}})).status == 201


async def test_files_are_kept_again_only_if_they_changed_or_a_day_has_passed(desk: Gateway) -> None:
    kari, file, other = await desk.person("kari", "agent"), str(uuid4()), str(uuid4())

    async def asked_for(*files: str) -> list[Any]:
        before = len(desk.service.asked)
        answer = await kari.put(at(KEY), written("x", attachments=list(files)))
        assert answer.body["attachments"] == list(files)
        kept = [each for each in desk.service.asked[before:] if each.target == "/internal/uploads/kept"]
        return [orjson.loads(each.body)["uploads"] for each in kept]

    assert await asked_for(file) == [[file]]
    assert await asked_for(file) == []
    assert await asked_for(file, other) == [[file, other]]
    assert await asked_for(other) == []
    await desk.pool.execute("UPDATE gateway.drafts SET files_kept_at = files_kept_at - interval '25 hours'")
    assert await asked_for(other) == [[other]]
    assert await asked_for() == []


@requirement("A10.14")
@pytest.mark.parametrize(
    ("path", "body", "answer"),
    [
        ("/tickets", {"subject": "x", "body": "y"}, {"id": TICKET}),
        (f"/tickets/{TICKET}/message", {"text": "x"}, {"version": 2}),
        (REPLY, {"text": "x" * 600_000, "subject": 'say "draft"'}, {"version": 2}),
        (f"/tickets/{TICKET}/close", {}, {"version": 2}),
        ("/tickets/commands", {"tickets": [TICKET], "command": "note"}, {"items": [{"ticket": TICKET, "status": 200}]}),
        (f"/tickets/{TICKET}/bounce", {"article": "x", "to": []}, {"version": 2}),
    ],
)
async def test_a_command_that_succeeds_removes_its_draft(
    desk: Gateway, path: str, body: dict[str, Any], answer: dict[str, Any]
) -> None:
    kari = await desk.person("kari", "agent")
    await kari.put(at(KEY), written("sent"))
    await kari.put(at("other"), written("another"))
    desk.service.behaviour = answering("409 Conflict", {"status": 409})
    assert (await kari.post(path, {**body, "draft": KEY})).status == 409
    assert await text_of(kari) == "sent"
    desk.service.behaviour = answering("201 Created", answer)
    done = await kari.post(path, {**body, "draft": KEY})
    assert (done.status, done.body) == (201, answer)
    sent = orjson.loads(desk.service.asked[-1].body)
    assert sent.get("body", sent) == body or sent == body
    assert (await text_of(kari), await text_of(kari, "other")) == (None, "another")
    assert (await kari.post(path, {**body, "draft": KEY})).status == 201
    assert (await kari.post(path, {**body, "draft": None})).status == 201
    assert await text_of(kari, "other") == "another"


async def test_a_command_for_many_removes_its_draft_only_if_all_succeeded(desk: Gateway) -> None:
    kari = await desk.person("kari", "agent")
    await kari.put(at(KEY), written("x"))
    body = {"tickets": [TICKET, NUMBER], "command": "note", "body": {"text": "x"}, "draft": KEY}
    for statuses, left in (((200, 409), "x"), ((403, 404), "x"), ((200, 200), None)):
        items = [{"ticket": TICKET, "status": status} for status in statuses]
        desk.service.behaviour = answering("200 OK", {"items": items})
        assert (await kari.post("/tickets/commands", body)).body == {"items": items}
        assert await text_of(kari) == left


@pytest.mark.parametrize("draft", [7, True, [], {}, "", "k" * 201, "a\nb"])
async def test_a_name_that_no_draft_can_have_is_refused(desk: Gateway, draft: Any) -> None:
    kari = await desk.person("kari", "agent")
    before = len(desk.service.business)
    for path in (REPLY, "/tickets", f"/tickets/{TICKET}/forward"):
        assert pointers(await kari.post(path, {"text": "x", "draft": draft})) == ["/draft"]
    assert len(desk.service.business) == before


@pytest.mark.parametrize(
    "content",
    [b"", b"null", b'["draft"]', b'{"text": "\\"draft\\""}', b'{"draft": ', b'{"body": {"draft": "x"}}', b'"draft"',
     b'{"text":   "as it was", "note": "draft"}', b"\xff\xfe" + b'"draft"'],
)  # fmt: skip
async def test_a_body_that_names_no_draft_is_passed_on_unchanged(desk: Gateway, content: bytes) -> None:
    kari = await desk.person("kari", "agent")
    assert (await kari.post(REPLY, data=content, headers={"Content-Type": JSON})).status == 200
    assert desk.service.asked[-1].body == content


async def test_too_many_values_are_refused_before_they_are_read(desk: Gateway) -> None:
    kari = await desk.person("kari", "agent")
    content = b'{"draft": "x", "values": [' + b"1," * 500_000 + b"1]}"
    assert (await kari.post(REPLY, data=content)).status == 422


async def test_words_that_came_after_the_command_began_stay(desk: Gateway) -> None:
    kari = await desk.person("kari", "agent")
    await kari.put(at(KEY), written("first"))
    arrived, go_on = asyncio.Event(), asyncio.Event()

    async def slow(asked: Asked, writer: asyncio.StreamWriter) -> bool:
        if asked.target.endswith("/reply"):
            arrived.set()
            await go_on.wait()
        return await services(asked, writer)

    desk.service.behaviour = slow
    sending_it = asyncio.create_task(kari.post(REPLY, {"text": "first", "draft": KEY}))
    await arrived.wait()
    await kari.put(at(KEY), written("and more"))
    go_on.set()
    assert (await sending_it).status == 200
    assert await text_of(kari) == "and more"


async def test_a_repeated_command_removes_the_draft_that_it_sent_and_no_newer_one(desk: Gateway) -> None:
    kari = await desk.person("kari", "agent")
    once = {"Idempotency-Key": "once"}
    await kari.put(at(KEY), written("sent"))

    async def silent(asked: Asked, writer: asyncio.StreamWriter) -> bool:
        return False

    desk.service.behaviour = silent  # routing carries the command out, and its answer is lost
    assert (await kari.post(REPLY, {"text": "sent", "draft": KEY}, headers=once)).status == 503
    assert await text_of(kari) == "sent"
    desk.service.behaviour = answering("200 OK", {"version": 2}, idempotent_replayed="true")
    again = await kari.post(REPLY, {"text": "sent", "draft": KEY}, headers=once)
    assert (again.status, again.headers["Idempotent-Replayed"]) == (200, "true")
    assert await text_of(kari) is None
    await kari.put(at(KEY), written("the next answer"))
    for _ in range(3):
        assert (await kari.post(REPLY, {"text": "sent", "draft": KEY}, headers=once)).status == 200
        assert await text_of(kari) == "the next answer"


async def test_a_database_that_fails_after_the_command_only_leaves_the_draft(
    desk: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    kari = await desk.person("kari", "agent")
    await kari.put(at(KEY), written("x"))

    async def fails(self: Drafts, *_: Any) -> None:
        raise ConnectionResetError

    once = {"Idempotency-Key": "once"}
    with monkeypatch.context() as broken:
        broken.setattr(Drafts, "sent", fails)
        assert (await kari.post(REPLY, {"text": "x", "draft": KEY}, headers=once)).status == 200
    assert await text_of(kari) == "x"
    desk.service.behaviour = answering("200 OK", {"version": 2}, idempotent_replayed="true")
    assert (await kari.post(REPLY, {"text": "x", "draft": KEY}, headers=once)).status == 200
    assert await text_of(kari) is None


async def test_a_draft_outlives_its_session_and_not_its_person(desk: Gateway) -> None:
    kari, admin = await desk.person("kari", "agent"), await desk.admin()
    await kari.put(at(KEY), written("x"))
    await kari.put("/session/notes", {"text": "notes stay"})
    assert (await kari.delete("/session")).status == 204
    kari = await desk.session_of("kari")
    assert await text_of(kari) == "x"
    assert (await admin.delete("/people/kari")).status == 204
    assert await desk.pool.fetchval("SELECT count(*) FROM gateway.drafts") == 0


async def test_drafts_go_thirty_days_after_their_last_change(desk: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drafts, "AT_ONCE", 2)
    kari = await desk.person("kari", "agent")
    for n in range(6):
        await kari.put(at(str(n)), written("x"))
        age = "29 days 23 hours" if n == 5 else "30 days 1 minute"
        await desk.pool.execute(f"UPDATE gateway.drafts SET saved_at = now() - interval '{age}' WHERE key = $1", str(n))
    await kari.put(at("4"), written("changed"))
    assert await Drafts(desk.pool).purge() == 4
    assert [each["key"] for each in (await kari.get("/drafts")).body["items"]] == ["4", "5"]


async def test_a_token_without_the_scope_neither_reads_nor_writes_drafts(desk: Gateway) -> None:
    kari = await desk.person("kari", "agent")
    await kari.put(at(KEY), written("x"))
    reads, nothing = [
        desk.holding((await kari.post("/tokens", {"name": "t", "scopes": scopes})).body["token"])
        for scopes in (["read"], ["events"])
    ]
    assert (await reads.get(at(KEY))).status == 200
    assert {(await reads.put(at(KEY), written("y"))).status, (await reads.delete(at(KEY))).status} == {403}
    assert {(await nothing.get(at(KEY))).status, (await nothing.get("/drafts")).status} == {403}


def test_only_a_body_that_names_a_draft_is_written_anew() -> None:
    content = b'{ "text" : "x" , "draft":"k"}'
    assert sending.taken_out(content) == (b'{"text":"x"}', "k")
    assert sending.taken_out(b'{ "text" : "x" }') == (b'{ "text" : "x" }', None)
    assert sending.taken_out(b'{"draft":null,"a":1.0,"b":12345678901234567}') == (
        b'{"a":1.0,"b":12345678901234567}',
        None,
    )
