"""Forwarding to the services: what is passed on, what is not, and what happens when a service misbehaves."""

import asyncio
import base64
import socket
from collections.abc import AsyncIterator
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import aiohttp
import pytest

from shared.http.headers.consistency import Written, encode
from shared.http.identity import HEADER, sign, verify
from shared.rules.access import Identity
from shared.testing.keys import KEYS, SIGNING
from tests.services.gateway.conftest import Client, Gateway
from tests.services.gateway.upstream import WRITTEN, Asked, echo, response
from tests.specs.requirement import requirement

ID = "01a208db-eeca-7020-aaac-d52bf975aba2"


@pytest.mark.parametrize(
    ("method", "path", "service"),
    [
        ("POST", "/tickets", "intake"),
        ("GET", "/tickets?queue=it&limit=3", "reporting"),
        ("GET", f"/tickets/{ID}", "reporting"),
        ("GET", "/tickets/2026112310000018", "reporting"),
        ("GET", "/tickets/Ticket%232026112310000018", "reporting"),
        ("POST", "/tickets/%5BTicket%232026112310000018%5D/lock", "routing"),
        ("GET", f"/tickets/{ID}/articles", "reporting"),
        ("GET", f"/tickets/{ID}/history?limit=1", "reporting"),
        ("GET", f"/tickets/{ID}/articles/{ID}/raw", "reporting"),
        ("POST", f"/tickets/{ID}/lock", "routing"),
        ("POST", f"/tickets/{ID}/set-priority", "routing"),
        ("POST", f"/tickets/{ID}/message", "intake"),
        ("POST", "/tickets/commands", "routing"),
        ("POST", "/mail", "intake"),
        ("GET", "/mails", "intake"),
        ("GET", f"/mails/{ID}", "intake"),
        ("GET", f"/mails/{ID}/raw", "intake"),
        ("POST", f"/mails/{ID}/process", "intake"),
        ("GET", "/stats/queues", "reporting"),
        ("GET", "/stats/days?days=7", "reporting"),
        ("GET", "/events?after=now&wait=25", "reporting"),
    ],
)
async def test_each_path_goes_to_its_service_with_the_persons_identity(
    gateway: Gateway, method: str, path: str, service: str
) -> None:
    admin = await gateway.admin()
    answer = await admin.call(method, path)
    assert answer.status == 200 and answer.headers["ETag"] == '"7"'
    (asked,) = gateway.service.business
    assert (asked.method, asked.target) == (method, "/api/v1" + path)
    who = verify(asked.get(HEADER.lower()), service, KEYS.gateway)
    assert who.login == "admin" and who.kind == "admin" and who.scopes is None


def bearer(client: Client) -> str:
    """The header that signs a raw request in."""
    return f"Authorization: Bearer {client.token}\r\n"


async def test_an_agent_and_a_customer_are_told_apart(gateway: Gateway) -> None:
    admin = await gateway.admin()
    await admin.put("/companies/acme", {"slug": "acme", "name": "Acme"})
    for login, role in (("kari", "agent"), ("per", "customer")):
        client = await gateway.person(login, role, company="acme")
        await client.get("/tickets")
        who = verify(gateway.service.business[-1].get(HEADER.lower()), "reporting", KEYS.gateway)
        assert (who.kind, who.roles, who.company, who.email) == (role, (role,), "acme", f"{login}@help.example.org")


async def test_a_changed_person_gets_a_new_identity_at_once(gateway: Gateway) -> None:
    kari, admin = await gateway.person("kari", "agent"), await gateway.admin()
    await kari.get("/tickets")
    await admin.put(
        "/people/kari", {"login": "kari", "name": "Kari N", "email": "kari@help.example.org", "roles": ["customer"]}
    )
    await kari.get("/tickets")
    who = verify(gateway.service.business[-1].get(HEADER.lower()), "reporting", KEYS.gateway)
    assert (who.name, who.kind) == ("Kari N", "customer")


async def test_nobody_gets_through_without_signing_in(gateway: Gateway) -> None:
    for method, path in (("GET", "/tickets"), ("POST", "/tickets"), ("POST", "/mail"), ("GET", "/stats/queues")):
        answer = await gateway.anonymous.call(method, path)
        assert answer.status == 401 and answer.body["type"] == "/problems/unauthorized"
    assert gateway.service.asked == []


@requirement("A13.08")
async def test_a_token_follows_events_only_with_the_scope_for_it(gateway: Gateway) -> None:
    """Anybody may make one: it shows what they may see. A session needs none."""
    for login, role in (("kari", "agent"), ("per", "customer")):
        person = await gateway.person(login, role)
        made = {
            scope: (await person.post("/tokens", {"name": "x", "scopes": [scope]})).body["token"]
            for scope in ("events", "read")
        }
        follower, reader = gateway.holding(made["events"]), gateway.holding(made["read"])
        assert [(await each.get("/events")).status for each in (follower, reader, person)] == [200, 403, 200]
        assert [(await each.get("/tickets")).status for each in (follower, reader)] == [403, 200]


async def test_credentials_and_forged_identities_are_not_forwarded(gateway: Gateway) -> None:
    admin = await gateway.admin()
    forged = Identity(person_id="00000000-0000-0000-0000-000000000001", kind="service", login="x", name="x", email="")
    headers = {
        HEADER: sign(forged, "reporting", SIGNING),
        "X-Ledgerdesk-Other": "1",
        "Cookie": "a=b",
        "X-Forwarded-For": "192.0.2.1",
        "Proxy-Authorization": "x",
        "Idempotency-Key": "k",
        "If-Match": '"3"',
        "X-Consistency-Token": (await admin.post("/tickets")).headers["X-Consistency-Token"],
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    }
    await admin.get("/tickets", headers=headers)
    asked = gateway.service.business[-1]
    assert verify(asked.get(HEADER.lower()), "reporting", KEYS.gateway).login == "admin"
    assert len(asked.all(HEADER.lower())) == 1
    for name in ("authorization", "cookie", "x-forwarded-for", "proxy-authorization", "x-ledgerdesk-other"):
        assert asked.get(name) is None
    for name, value in (("idempotency-key", "k"), ("if-match", '"3"'), ("x-consistency-token", WRITTEN)):
        assert asked.get(name) == value
    assert str(asked.get("traceparent")).startswith("00-0af7651916cd43dd8448eb211c80319c-")


@pytest.mark.parametrize(("method", "path"), [("POST", "/tickets"), ("POST", f"/tickets/{ID}/forward")])
async def test_a_consistency_token_is_opaque_and_works_for_its_holder(gateway: Gateway, method: str, path: str) -> None:
    admin = await gateway.admin()
    gateway.service.behaviour = echo  # commands about articles go to /internal
    answer = await admin.call(method, path, {"article": "none", "to": ["x@example.org"]})
    sealed = answer.headers["X-Consistency-Token"]
    inside = base64.urlsafe_b64decode(sealed + "==")
    assert b"routing" not in inside and UUID(int=7).bytes not in inside
    ola = await gateway.person("ola", "agent")
    assert (await ola.get("/tickets", headers={"X-Consistency-Token": sealed})).status == 200
    assert gateway.service.business[-1].get("x-consistency-token") == WRITTEN


async def test_a_forged_consistency_token_is_refused_by_the_gateway(gateway: Gateway) -> None:
    admin = await gateway.admin()
    sealed = (await admin.post("/tickets")).headers["X-Consistency-Token"]
    before = len(gateway.service.business)
    made_up = encode([Written("intake", UUID(ID), 1)])
    for bad in (made_up, WRITTEN, sealed[:-1], sealed[1:], sealed[::-1], "x", "", "*", "A" * 60_000, sealed * 2):
        for path in ("/tickets?limit=1", f"/tickets/{ID}"):
            answer = await admin.get(path, headers={"X-Consistency-Token": bad})
            assert answer.status == 422, (bad[:40], answer)
            assert answer.body["errors"][0]["pointer"] == "/header/x-consistency-token"
    answer = await admin.post(
        f"/tickets/{ID}/forward", {"article": ID, "to": ["x@example.org"]}, headers={"X-Consistency-Token": made_up}
    )
    assert answer.status == 422
    assert len(gateway.service.business) == before


async def test_the_largest_token_fits(gateway: Gateway) -> None:
    admin = await gateway.admin()
    largest = encode(
        Written(service, uuid4(), 2**31) for service in ("intake", "routing", "notify") for _ in range(200)
    )

    async def wrote_much(_: Asked, writer: asyncio.StreamWriter) -> bool:
        writer.write(response(content_type="application/json", x_consistency_token=largest))
        return True

    gateway.service.behaviour = wrote_much
    sealed = (await admin.post("/tickets/commands", {})).headers["X-Consistency-Token"]
    gateway.service.behaviour = echo
    assert (await admin.get("/tickets", headers={"X-Consistency-Token": sealed})).status == 200
    assert gateway.service.business[-1].get("x-consistency-token") == largest


@pytest.mark.parametrize(("method", "path"), [("GET", "/tickets"), ("POST", f"/tickets/{ID}/forward")])
async def test_a_service_that_rejects_the_gateways_key_signs_nobody_out(
    gateway: Gateway, method: str, path: str
) -> None:
    """As during an update, when one of them has another key already."""
    admin = await gateway.admin()

    async def unbelieving(_: Asked, writer: asyncio.StreamWriter) -> bool:
        writer.write(response("401 Unauthorized", content_type="application/problem+json"))
        return True

    gateway.service.behaviour = unbelieving
    answer = await admin.call(method, path, {"article": "none", "to": ["x@example.org"]} if method == "POST" else None)
    assert answer.status == 503 and answer.headers["Retry-After"] and answer.body["type"] == "/problems/unavailable"
    assert (await admin.get("/session")).status == 200


async def test_the_gateways_own_routes_ignore_identity_headers(gateway: Gateway) -> None:
    forged = Identity(
        person_id="00000000-0000-0000-0000-000000000001", kind="admin", login="x", name="x", email="", roles=("admin",)
    )
    for audience in ("gateway", "reporting"):
        answer = await gateway.anonymous.get("/people", headers={HEADER: sign(forged, audience, SIGNING)})
        assert answer.status == 401


async def test_envelope_headers_are_repeatable_and_others_are_not(gateway: Gateway) -> None:
    admin = await gateway.admin()
    token = f"Bearer {admin.token}"
    headers = [
        ("Authorization", token),
        ("X-Envelope-From", "<>"),
        ("X-Envelope-To", "a@x.example"),
        ("X-Envelope-To", "b@x.example"),
    ]
    async with gateway.session.post(
        f"{gateway.url}/api/v1/mail", headers=headers, data=b"Subject: x\r\n\r\n"
    ) as answer:
        assert answer.status == 200
    (asked,) = gateway.service.business
    assert asked.all("x-envelope-to") == ["a@x.example", "b@x.example"] and asked.get("x-envelope-from") == "<>"
    for name in ("Idempotency-Key", "X-Envelope-From", "X-Consistency-Token"):
        twice = [("Authorization", token), (name, "a"), (name, "b")]
        async with gateway.session.post(f"{gateway.url}/api/v1/mail", headers=twice, data=b"x") as answer:
            assert answer.status == 422
    both = [("Authorization", token), ("Authorization", "Bearer other")]
    async with gateway.session.get(f"{gateway.url}/api/v1/tickets", headers=both) as answer:
        assert answer.status == 401


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/tickets/",
        "/tickets//lock",
        "/tickets/../internal/directory",
        "/tickets/%2e%2e/lock",
        "/tickets/a%2Fb%2Fc",
        "/tickets/a%00b",
        "/tickets/" + "a" * 65,
        "/tickets/a.b",
        "/tickets/x/lock/y",
        "/stats",
        "/../internal/directory/queue/x",
        "/%2e%2e/internal/x",
        "//tickets",
        "/tickets;x=1",
        "/Tickets",
    ],
)
async def test_unknown_paths_are_404_and_reach_no_service(gateway: Gateway, path: str) -> None:
    admin = await gateway.admin()
    answer = await raw(gateway, f"GET /api/v1{path} HTTP/1.1\r\nHost: x\r\n{bearer(admin)}\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 404") and b"application/problem+json" in answer
    assert gateway.service.asked == []


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/tickets", "GET, POST"),
        ("PUT", f"/tickets/{ID}", "GET"),
        ("GET", f"/tickets/{ID}/lock", "POST"),
        ("GET", "/mail", "POST"),
        ("PATCH", "/session", "GET, POST, DELETE"),
        ("POST", "/openapi.json", "GET"),
    ],
)
async def test_a_wrong_method_is_405(gateway: Gateway, method: str, path: str, allowed: str) -> None:
    answer = await (await gateway.admin()).call(method, path)
    assert answer.status == 405 and answer.body["type"] == "/problems/method-not-allowed"
    assert set(answer.headers["Allow"].split(", ")) <= set(allowed.split(", "))


async def test_internal_routes_are_not_reachable(gateway: Gateway) -> None:
    admin = await gateway.admin()
    answer = await raw(
        gateway,
        f"GET /internal/directory/queue/{ID}?version=1 HTTP/1.1\r\nHost: x\r\n{bearer(admin)}\r\n".encode(),
    )
    assert answer.startswith(b"HTTP/1.1 404") and gateway.service.asked == []


async def test_a_query_is_forwarded_unchanged(gateway: Gateway) -> None:
    admin = await gateway.admin()
    target = "/api/v1/tickets?q=a%20b%2Fc&x=%C3%A6&y=a+b&z=[1]&&="
    await raw(gateway, f"GET {target} HTTP/1.1\r\nHost: x\r\n{bearer(admin)}\r\n".encode())
    assert gateway.service.business[0].target == target


async def test_large_bodies_stream_and_too_large_ones_are_413(gateway: Gateway) -> None:
    admin = await gateway.admin()

    async def pieces(count: int) -> AsyncIterator[bytes]:
        for _ in range(count):
            yield b"x" * 65536

    async with gateway.session.post(
        f"{gateway.url}/api/v1/mail", headers={"Authorization": f"Bearer {admin.token}"}, data=pieces(100)
    ) as answer:
        assert answer.status == 200 and (await answer.json())["size"] == 100 * 65536
    assert gateway.service.business[-1].get("transfer-encoding") == "chunked"
    known = await admin.post("/mail", data=b"y" * (5 << 20))
    assert known.body["size"] == 5 << 20 and gateway.service.business[-1].get("content-length") == str(5 << 20)
    count = len(gateway.service.business)
    async with gateway.session.post(
        f"{gateway.url}/api/v1/mail", headers={"Authorization": f"Bearer {admin.token}"}, data=pieces(513)
    ) as answer:
        assert answer.status == 413 and (await answer.json())["type"] == "/problems/too-large"
    assert len(gateway.service.business) == count, "the service has not got the whole body"


async def test_too_large_is_refused_before_it_is_sent(gateway: Gateway) -> None:
    admin = await gateway.admin()
    head = f"POST /api/v1/mail HTTP/1.1\r\nHost: x\r\n{bearer(admin)}Content-Length: {33 << 20}\r\n\r\n"
    answer = await raw(gateway, head.encode() + b" " * 1024)
    assert answer.startswith(b"HTTP/1.1 413") and gateway.service.asked == []


async def test_a_large_answer_streams(gateway: Gateway) -> None:
    async def large(asked: Asked, writer: asyncio.StreamWriter) -> bool:
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + b"10000\r\n" + b"z" * 65536 + b"\r\n")
        for _ in range(99):
            writer.write(b"10000\r\n" + b"z" * 65536 + b"\r\n")
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        return True

    gateway.service.behaviour = large
    answer = await (await gateway.admin()).get("/tickets")
    assert answer.status == 200 and len(answer.raw) == 100 * 65536


async def test_answers_without_a_body_and_errors_go_through(gateway: Gateway) -> None:
    admin = await gateway.admin()
    for status in ("204 No Content", "304 Not Modified", "422 Unprocessable", "500 Internal Server Error"):

        async def answering(asked: Asked, writer: asyncio.StreamWriter, status: str = status) -> bool:
            writer.write(
                f"HTTP/1.1 {status}\r\n".encode() + (b"\r\n" if status[0] in "23" else b"content-length: 2\r\n\r\n{}")
            )
            return True

        gateway.service.behaviour = answering
        assert (await admin.get("/tickets")).status == int(status[:3])


async def test_internal_and_connection_headers_are_not_passed_back(gateway: Gateway) -> None:
    answer = await (await gateway.admin()).get("/tickets")
    assert "Set-Cookie" not in answer.headers and HEADER not in answer.headers


async def test_an_unreachable_service_is_503(
    gateway: Gateway, unused_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin = await gateway.admin()
    monkeypatch.setitem(gateway.services, "intake", f"http://127.0.0.1:{unused_port}")
    answer = await admin.post("/tickets", {"a": 1})
    assert answer.status == 503 and answer.headers["Retry-After"] and answer.body["type"] == "/problems/unavailable"


async def test_a_service_that_hangs_is_504_in_time(gateway: Gateway) -> None:
    async def hanging(asked: Asked, writer: asyncio.StreamWriter) -> bool:
        await asyncio.Event().wait()
        return False

    gateway.service.behaviour = hanging
    admin = await gateway.admin()
    for method in ("GET", "POST"):
        async with asyncio.timeout(5):
            answer = await admin.call(method, "/tickets")
        assert (
            answer.status == 504
            and answer.body["type"] == "/problems/no-answer-in-time"
            and answer.headers["Retry-After"]
        )


async def test_an_export_may_be_silent_for_longer(gateway: Gateway) -> None:
    """XLSX begins to arrive only when it is written. The other request shows that the usual time is over."""
    over = asyncio.Event()

    async def slow(asked: Asked, writer: asyncio.StreamWriter) -> bool:
        await over.wait()
        writer.write(response(body=b"rows"))
        return True

    gateway.service.behaviour = slow
    admin = await gateway.admin()
    async with asyncio.timeout(10), asyncio.TaskGroup() as both:
        export = both.create_task(admin.call("GET", "/tickets/export?format=xlsx"))
        assert (await admin.call("GET", "/tickets")).status == 504
        over.set()
    assert export.result().status == 200


async def test_a_chunked_answer_that_stops_early_looks_incomplete(gateway: Gateway) -> None:
    async def half(asked: Asked, writer: asyncio.StreamWriter) -> bool:
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nrows\n\r\n")
        await writer.drain()
        return False

    gateway.service.behaviour = half
    with pytest.raises(aiohttp.ClientPayloadError):
        await (await gateway.admin()).get("/tickets/export")


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "k"}])
async def test_a_service_that_dies_in_a_request_is_asked_twice_with_one_key(
    gateway: Gateway, headers: dict[str, str]
) -> None:
    async def dying(asked: Asked, writer: asyncio.StreamWriter) -> bool:
        return False

    gateway.service.behaviour = dying
    answer = await (await gateway.admin()).post("/tickets", {"a": 1}, headers=headers)
    assert answer.status == 503 and "not known" in answer.body["detail"]
    first, second = gateway.service.business
    assert first.get("idempotency-key") and first.headers == second.headers and first.body == second.body


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_connection_that_breaks_is_tried_again(gateway: Gateway, method: str) -> None:
    async def once(asked: Asked, writer: asyncio.StreamWriter) -> bool:
        return await echo(asked, writer) if len(gateway.service.business) > 1 else False

    gateway.service.behaviour = once
    answer = await (await gateway.admin()).call(method, "/tickets")
    assert answer.status == 200 and len(gateway.service.business) == 2


async def test_the_answer_says_that_it_is_not_known_whether_the_first_try_worked(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first try breaks, and the second one cannot connect."""

    async def last(asked: Asked, writer: asyncio.StreamWriter) -> bool:
        listener.close()
        await listener.wait_closed()
        return False

    gateway.service.behaviour = last
    listener = await asyncio.start_server(
        lambda r, w: asyncio.ensure_future(gateway.service.serve(r, w)), "127.0.0.1", 0
    )
    port = listener.sockets[0].getsockname()[1]
    monkeypatch.setitem(gateway.services, "intake", f"http://127.0.0.1:{port}")
    answer = await (await gateway.admin()).post("/tickets", {"a": 1})
    assert answer.status == 503 and "not known" in answer.body["detail"]


async def test_a_streamed_body_is_sent_once(gateway: Gateway) -> None:
    async def dying(asked: Asked, writer: asyncio.StreamWriter) -> bool:
        return False

    gateway.service.behaviour = dying
    answer = await (await gateway.admin()).post("/mail", data=b"x" * 1_000_000)
    assert answer.status == 503 and len(gateway.service.business) == 1


async def test_a_kept_connection_that_the_service_closed_is_not_used(gateway: Gateway) -> None:
    """A connection that was closed while idle costs no request, not even one that must not be sent twice."""
    admin = await gateway.admin()
    closed = asyncio.Event()

    async def closing(asked: Asked, writer: asyncio.StreamWriter) -> bool:
        await echo(asked, writer)
        await writer.drain()
        closed.set()
        return False

    gateway.service.behaviour = closing
    for _ in range(20):
        closed.clear()
        assert (await admin.post("/tickets", {"a": 1})).status == 200
        await closed.wait()
    assert len(gateway.service.business) == 20


async def test_an_answer_that_stops_early_looks_incomplete(gateway: Gateway) -> None:
    async def half(asked: Asked, writer: asyncio.StreamWriter) -> bool:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10000000\r\n\r\n" + b"x" * 100_000)
        await writer.drain()
        return False

    gateway.service.behaviour = half
    with pytest.raises(aiohttp.ClientPayloadError):
        await (await gateway.admin()).get("/tickets")


async def test_a_short_answer_that_stops_early_is_503(gateway: Gateway) -> None:
    async def half(asked: Asked, writer: asyncio.StreamWriter) -> bool:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nx")
        return False

    gateway.service.behaviour = half
    assert (await (await gateway.admin()).get("/tickets")).status == 503


@pytest.mark.parametrize(
    "garbage", [b"SSH-2.0-x\r\n", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n"]
)
async def test_an_invalid_answer_of_a_service_is_503(gateway: Gateway, garbage: bytes) -> None:
    async def nonsense(asked: Asked, writer: asyncio.StreamWriter) -> bool:
        writer.write(garbage)
        return False

    gateway.service.behaviour = nonsense
    assert (await (await gateway.admin()).get("/tickets")).status == 503


async def test_a_client_that_disconnects_ends_the_request_to_the_service(gateway: Gateway) -> None:
    admin = await gateway.admin()

    async def until_closed(asked: Asked, writer: asyncio.StreamWriter) -> bool:
        await asked.reader.read()
        gateway.service.hung_up.set()
        return False

    gateway.service.behaviour = until_closed
    where = urlsplit(gateway.url)
    _, writer = await asyncio.open_connection(where.hostname, where.port)
    body = b"{}"
    head = f"POST /api/v1/tickets HTTP/1.1\r\nHost: x\r\n{bearer(admin)}Content-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    async with asyncio.timeout(5):
        await gateway.service.arrived.wait()
        began = asyncio.get_running_loop().time()
        writer.close()
        await gateway.service.hung_up.wait()
    assert asyncio.get_running_loop().time() - began < 0.45, "it ended before the timeout of the service"


async def test_a_client_that_disconnects_in_its_body_leaves_nothing_behind(gateway: Gateway) -> None:
    admin = await gateway.admin()
    where = urlsplit(gateway.url)
    _, writer = await asyncio.open_connection(where.hostname, where.port)
    head = f"POST /api/v1/mail HTTP/1.1\r\nHost: x\r\n{bearer(admin)}Content-Length: 3000000\r\n\r\n"
    writer.write(head.encode() + b"x" * 1_000_000)
    await writer.drain()
    writer.close()
    async with asyncio.timeout(5):
        await gateway.service.hung_up.wait()
    assert gateway.service.business == []
    assert (await admin.get("/session")).status == 200


@pytest.mark.parametrize(
    "request_head",
    [
        "POST /api/v1/mail HTTP/1.1\r\nHost: x\r\n{a}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /api/v1/mail HTTP/1.1\r\nHost: x\r\n{a}Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcde",
        "POST /api/v1/mail HTTP/1.1\r\nHost: x\r\n{a}Content-Length: +5\r\n\r\nabcde",
        "POST /api/v1/mail HTTP/1.1\r\nHost: x\r\n{a}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "POST /api/v1/mail HTTP/1.1\r\nHost: x\r\n{a}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "POST /api/v1/mail HTTP/1.1\r\nHost: x\r\n{a}X-Envelope-From: a\rX-Envelope-To: b\r\nContent-Length: 0\r\n\r\n",
        "POST /api/v1/mail HTTP/1.1\r\nHost: x\r\n{a}X-Envelope-From : a\r\nContent-Length: 0\r\n\r\n",
        "GET /api/v1/tickets\tx HTTP/1.1\r\nHost: x\r\n{a}\r\n",
        "GET /api/v1/tickets\x01 HTTP/1.1\r\nHost: x\r\n{a}\r\n",
    ],
)
async def test_requests_that_can_be_read_in_two_ways_are_refused(gateway: Gateway, request_head: str) -> None:
    admin = await gateway.admin()
    answer = await raw(gateway, request_head.format(a=f"Authorization: Bearer {admin.token}\r\n").encode("latin-1"))
    assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.1 422", b"HTTP/1.1 404")), answer
    assert gateway.service.business == []


async def test_bytes_after_a_body_are_a_request_of_their_own(gateway: Gateway) -> None:
    """They are neither part of the body nor forwarded without a sign-in."""
    admin = await gateway.admin()
    body = b"GET /internal/directory/queue/x HTTP/1.1\r\nHost: x\r\n\r\n"
    head = f"POST /api/v1/mail HTTP/1.1\r\nHost: x\r\n{bearer(admin)}Content-Length: {len(body)}\r\n\r\n"
    answer = await raw(
        gateway, head.encode() + body + b"GET /api/v1/tickets HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )
    assert answer.count(b"HTTP/1.1 ") == 2 and b"HTTP/1.1 401" in answer
    (asked,) = gateway.service.business
    assert asked.body == body


async def test_header_values_that_are_not_text_are_refused_or_passed_on_unchanged(gateway: Gateway) -> None:
    admin = await gateway.admin()
    head = f"POST /api/v1/mail HTTP/1.1\r\nHost: x\r\n{bearer(admin)}Content-Length: 0\r\n".encode()
    for value in ("æ@x.example".encode(), b"\xff\xfe", b"a" * 8000):
        gateway.service.asked.clear()
        answer = await raw(gateway, head + b"X-Envelope-From: " + value + b"\r\n\r\n")
        assert answer.startswith((b"HTTP/1.1 200", b"HTTP/1.1 422", b"HTTP/1.1 400")), answer
        if answer.startswith(b"HTTP/1.1 200"):
            got = gateway.service.business[0].get("x-envelope-from")
            assert got is not None and got.encode("latin-1") == value


async def test_a_database_that_is_gone_is_503(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    from services.gateway.signing_in.sessions import Sessions

    admin = await gateway.admin()

    async def gone(self: Sessions, secret: str) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(Sessions, "authenticate", gone)
    for path in ("/tickets", "/session"):
        answer = await admin.get(path)
        assert answer.status == 503 and answer.headers["Retry-After"]


async def test_answers_carry_the_trace_id_of_their_request(gateway: Gateway) -> None:
    """The gateway's refusals and the log of the service have the same trace id, whether traces are recorded or not."""
    admin = await gateway.admin()
    await admin.get("/tickets")
    carried = str(gateway.service.business[0].get("traceparent"))
    version, trace, span, flags = carried.split("-")
    assert (version, len(trace), len(span), flags) == ("00", 32, 16, "00")
    refused = await gateway.anonymous.get("/tickets", headers={"traceparent": f"00-{'1' * 32}-{'2' * 16}-00"})
    assert refused.body["trace_id"] == "1" * 32


async def raw(gateway: Gateway, request: bytes) -> bytes:
    """Sends these bytes and reads until the connection is quiet: one answer, or the end."""
    where = urlsplit(gateway.url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    writer.write(request)
    await writer.drain()
    answer = b""
    try:
        async with asyncio.timeout(5):
            while not _complete(answer, b"Connection: close" in request):
                piece = await reader.read(65536)
                if not piece:
                    break
                answer += piece
    finally:
        writer.close()
    return answer


def _complete(answer: bytes, until_closed: bool) -> bool:
    head, separator, body = answer.partition(b"\r\n\r\n")
    if not separator or until_closed:
        return False
    lengths = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return not lengths or len(body) >= int(lengths[0])


@pytest.fixture
def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
