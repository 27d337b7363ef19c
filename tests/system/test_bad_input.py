"""Bad input to the public API and LMTP: never a 500 or a lost mail, always a problem document that names the field."""

import base64
import json
import socket
import time
import uuid
from typing import Any

import aiohttp
import pytest

from shared.http.identity import HEADER, sign
from shared.http.keys import SigningKey
from shared.rules.access import Identity
from shared.testing.progress import until
from tests.system.desk import Answer, Desk
from tests.system.harness import System

GOOD = {
    "subject": "hums",
    "body": "since this morning",
    "customer": {"email": "per@customer.example"},
    "channel": "phone",
}


def pointers(answer: Answer) -> list[str]:
    assert answer.is_problem, answer
    return [each["pointer"] for each in answer.body.get("errors", [])]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/subject"),
        (GOOD | {"colour": "red"}, "/colour"),
        (GOOD | {"subject": 7}, "/subject"),
        (GOOD | {"subject": ""}, "/subject"),
        (GOOD | {"subject": "x" * 10_000}, "/subject"),
        (GOOD | {"subject": "hums\r\nBcc: everybody@example.org"}, "/subject"),
        (GOOD | {"subject": "hums\u2028Bcc: everybody@example.org"}, "/subject"),
        (GOOD | {"body": "nul\x00"}, "/body"),
        (GOOD | {"body": None}, "/body"),
        (GOOD | {"priority": "3"}, "/priority"),
        (GOOD | {"priority": 9}, "/priority"),
        (GOOD | {"priority": 10**18}, "/priority"),
        (GOOD | {"channel": "fax"}, "/channel"),
        (GOOD | {"queue": "no-such-queue"}, "/queue"),
        (GOOD | {"queue": str(uuid.uuid4())}, "/queue"),
        (GOOD | {"customer": {"email": "per@customer.example\r\nBcc: x@example.org"}}, "/customer/email"),
        (GOOD | {"customer": {"email": "nobody"}}, "/customer/email"),
        (GOOD | {"customer": {"email": "per@customer.example", "name": "Per\r\nX: y"}}, "/customer/name"),
        (GOOD | {"customer": "per@customer.example"}, "/customer"),
        (GOOD | {"attachments": [str(uuid.uuid4())]}, "/attachments/0"),
        (GOOD | {"attachments": ["x"] * 11_000}, "/attachments"),
        (GOOD | {"tags": [["deep"]]}, "/tags/0"),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_the_problem_of_a_wrong_ticket_names_its_field(desk: Desk, body: dict[str, Any], pointer: str) -> None:
    answer = await desk.call("POST", "/tickets", {"queue": desk.queue} | body)
    assert answer.status == 422
    assert any(each == pointer or each.startswith(f"{pointer}/") for each in pointers(answer)), answer
    assert await desk.rows("intake", "SELECT 1 FROM es.events WHERE data -> 'queue' ->> 'slug' = $1", desk.queue) == []


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"{", b"[]", b"nothing", b'{"subject": "\xff\xfe"}', b'{"subject": "\\ud800"}', b'{"a":1,"a":2}',
        b"[" * 100_000, b'{"subject": NaN}', "{}".encode("utf-16"),
    ],
    ids=lambda raw: repr(raw[:16]),
)  # fmt: skip
async def test_a_body_that_is_not_a_json_object_is_refused(desk: Desk, raw: bytes) -> None:
    answer = await desk.call("POST", "/tickets", raw=raw)
    assert answer.status == 422 and answer.is_problem, answer


async def test_a_body_that_is_too_large_is_refused(desk: Desk) -> None:
    answer = await desk.call("POST", "/tickets", raw=b" " * (33 * 1024 * 1024))
    assert answer.status == 413 and answer.is_problem


@pytest.mark.parametrize(
    "reference", ["2011010110000011", str(uuid.UUID(int=1)), "nonsense", "%00", "..%2Fpeople", "x" * 500]
)
@pytest.mark.parametrize("path", ["", "/articles", "/history", "/lock", "/note"])
async def test_an_unknown_ticket_is_not_found(desk: Desk, reference: str, path: str) -> None:
    method, body = ("POST", {"text": "x"} if path == "/note" else {}) if path in ("/lock", "/note") else ("GET", None)
    answer = await desk.call(method, f"/tickets/{reference}{path}", body)
    assert answer.status == 404 and answer.is_problem, answer


@pytest.mark.parametrize(
    ("state", "until_when"),
    [
        ("pending-reminder", "2001-01-01T00:00:00Z"),
        ("pending-reminder", "9999-12-31T23:59:59Z"),
        ("pending-reminder", "10000-01-01T00:00:00Z"),
        ("pending-reminder", "tomorrow"),
        ("pending-reminder", "2027-01-01T00:00:00"),
        ("pending-reminder", None),
        ("open", "2027-01-01T00:00:00Z"),
        ("sleeping", None),
        ("merged", None),
    ],
)
async def test_impossible_dates_and_states_change_nothing(desk: Desk, state: str, until_when: str | None) -> None:
    ticket = await desk.opened()
    await desk.done("POST", f"/tickets/{ticket}/note", {"text": "before"})
    body: dict[str, Any] = {"text": "later", "state": state} | ({"pending_until": until_when} if until_when else {})
    answer = await desk.call("POST", f"/tickets/{ticket}/note", body)
    assert answer.status == 422 and answer.is_problem, answer
    found = await desk.rows("routing", "SELECT type FROM es.events WHERE stream_id = $1 ORDER BY version", ticket)
    assert [row["type"] for row in found] == [
        "helpdesk.TicketQueued.v1",
        "helpdesk.NoteAdded.v1",
    ]


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=201", "limit=x", "colour=red", "sort=colour", "cursor=x", "cursor=%00", "queue=%00"]
)
async def test_the_problem_of_a_wrong_query_names_its_parameter(desk: Desk, query: str) -> None:
    answer = await desk.call("GET", f"/tickets?{query}")
    assert answer.status == 422, answer
    assert any(query.partition("=")[0] in each for each in pointers(answer)), answer


async def test_somebody_elses_cursor_is_refused(desk: Desk) -> None:
    for _ in range(2):
        await desk.opened()
    await until(lambda: _listed(desk, 2))
    cursor = (await desk.done("GET", f"/tickets?queue={desk.queue}&limit=1"))["next_cursor"]
    login = f"eva-{uuid.uuid4().hex[:8]}"
    person = {
        "login": login,
        "name": "Eva",
        "email": f"{login}@help.example.org",
        "password": "a long enough one",  # pragma: allowlist secret
        "roles": ["agent"],
    }
    eva = await desk.done("PUT", f"/people/{login}", person)
    members = [{"person": eva["id"], "rights": ["read"]}]
    queue = {"slug": desk.queue, "name": "Desk", "address": desk.address, "members": members}
    await desk.done("PUT", f"/queues/{desk.queue}", queue)
    session = await desk.done("POST", "/session", {name: person[name] for name in ("login", "password")})
    desk.token, mine = session["token"], desk.token
    theirs = await desk.call("GET", f"/tickets?queue={desk.queue}&limit=1&cursor={cursor}")
    assert theirs.status == 422 and theirs.is_problem, theirs
    desk.token = mine
    assert (await desk.call("GET", f"/tickets?queue={desk.queue}&limit=1&cursor={cursor}")).status == 200


async def _listed(desk: Desk, count: int) -> bool:
    return len(await desk.tickets()) == count


async def test_an_idempotency_key_belongs_to_its_person_and_body(desk: Desk) -> None:
    key = uuid.uuid4().hex
    first = await desk.open(key=key)
    assert first.status == 201
    other = await desk.call("POST", "/tickets", GOOD | {"queue": desk.queue, "subject": "another"}, key=key)
    assert other.status == 422 and other.is_problem
    for bad in ("x" * 300, "\u00e6"):
        assert (await desk.call("POST", "/tickets", GOOD, key=bad)).status == 422


@pytest.mark.parametrize("service", ["intake", "routing", "reporting", "notify"])
async def test_a_service_believes_only_the_gateway(
    system: System, service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = SigningKey((system.instance.home.secrets / "identity-signing-key").read_text("utf-8"))
    boss = Identity(person_id=uuid.uuid4(), kind="admin", login="x", name="x", email="x@example.org", roles=("admin",))
    with monkeypatch.context() as an_hour_ago:
        an_hour_ago.setattr("shared.http.identity.time.time", lambda now=time.time(): now - 3_600)
        expired = sign(boss, service, key)
    forged = base64.urlsafe_b64encode(
        json.dumps({"person_id": str(uuid.uuid4()), "roles": ["admin"]}).encode()
    ).decode()
    bad = [
        None, "", "x", f"{forged}.{forged}", sign(boss, service, SigningKey.made()),
        sign(boss, "another", key), expired,
    ]  # fmt: skip
    async with aiohttp.ClientSession(system.instance.url_of(service)) as http:
        for each in bad:
            headers = {} if each is None else {HEADER: each}
            for path in ("/api/v1/tickets/x", "/internal/directory/queue/x"):
                async with http.get(path, headers=headers) as answer:
                    assert answer.status in (401, 404, 405), (each, path, answer.status)
                    assert answer.status != 404 or "tickets" in path or service == "notify", (each, path)


class Lmtp:
    """A mail server that sends any line."""

    def __init__(self, system: System) -> None:
        host, _, port = system.instance.lmtp.rpartition(":")
        self.socket = socket.create_connection((host, int(port)), timeout=30)
        self.lines = self.socket.makefile("rb")

    def say(self, *lines: bytes) -> list[str]:
        """Sends lines. Returns the first line of each reply."""
        self.socket.sendall(b"".join(line + b"\r\n" for line in lines))
        return [self.reply() for _ in lines]

    def reply(self) -> str:
        while True:
            line = self.lines.readline().decode()
            if line[3:4] != "-":
                return line.strip()


def test_lmtp_commands_out_of_order_are_refused_and_the_session_goes_on(system: System) -> None:
    talk = Lmtp(system)
    assert talk.reply().startswith("220")
    told = talk.say(
        b"DATA", b"RCPT TO:<a@b.example>", b"MAIL FROM:<a@b.example>", b"LHLO x", b"DATA", b"EHLO x", b"\xff\xfe"
    )
    assert [each[0] for each in told] == ["5", "5", "5", "2", "5", "5", "5"], told
    assert talk.say(b"MAIL FROM:<a@b.example>", b"MAIL FROM:<a@b.example>")[1].startswith("503")
    assert talk.say(b"x" * 100_000)[0].startswith("500")
    assert talk.say(b"RSET")[0].startswith("250")


def test_more_than_a_thousand_recipients_are_refused_for_now(system: System) -> None:
    talk = Lmtp(system)
    talk.reply()
    talk.say(b"LHLO x", b"MAIL FROM:<a@b.example>")
    told = [talk.say(b"RCPT TO:<%d@help.example.org>" % n)[0][:3] for n in range(1_200)]
    assert told == ["250"] * 1_000 + ["452"] * 200
