"""Requests of people to a whole system, by the gateway's API and by LMTP."""

import asyncio
import contextlib
import email
import email.policy
import json
import mailbox
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any

import aiohttp
import asyncpg

from shared.testing.progress import until
from tests.described import fault
from tests.system.harness import ADMIN_PASSWORD, System, deliver

PATIENCE = aiohttp.ClientTimeout(total=60)


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers and body of an HTTP answer."""

    status: int
    headers: Mapping[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.raw)

    @property
    def is_problem(self) -> bool:
        """Whether it is a complete problem document, as every refusal must be."""
        if self.headers.get("Content-Type") != "application/problem+json":
            return False
        told = self.body
        return told["status"] == self.status and told["type"].startswith("/problems/") and bool(told["trace_id"])


@dataclass
class Desk:
    """A signed-in administrator, a queue, and the customers who write to it."""

    system: System
    http: aiohttp.ClientSession
    token: str = ""
    queue: str = field(default_factory=lambda: f"desk-{uuid.uuid4().hex[:8]}")

    @property
    def address(self) -> str:
        return f"{self.queue}@help.example.org"

    async def call(
        self, method: str, path: str, body: Any = None, *, raw: bytes | None = None, key: str = "", **headers: str
    ) -> Answer:
        """Sends one request, once. A success must be as the OpenAPI document says. Names in `headers` have underscores for hyphens; empty headers are left out."""
        sent = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json", "Idempotency-Key": key}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        data = raw if raw is not None else None if body is None else json.dumps(body).encode()
        present = {name: value for name, value in sent.items() if value}
        async with self.http.request(method, f"/api/v1{path}", data=data, headers=present) as answer:
            endless = answer.content_type == "text/event-stream"
            found = Answer(answer.status, answer.headers, b"" if endless else await answer.read())
        wrong = fault(method, f"/api/v1{path}", found.status, found.headers.get("Content-Type", ""), found.raw)
        assert wrong is None, wrong
        return found

    async def done(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        """The body of a request that must succeed."""
        answer = await self.call(method, path, body, **more)
        assert answer.status < 300, (method, path, answer)
        return answer.body if answer.raw else None

    async def sign_in(self) -> str:
        """The token of a new session of the administrator."""
        return str((await self.done("POST", "/session", {"login": "admin", "password": ADMIN_PASSWORD}))["token"])

    async def open(self, *, key: str = "", **more: Any) -> Answer:
        """Opens a ticket by phone, tried once. The same key is the same request."""
        customer = {"email": f"{key or uuid.uuid4().hex}@caller.example"}
        body = {"subject": "Rang", "body": "Wants a call back.", "queue": self.queue, "channel": "phone"}
        return await self.call("POST", "/tickets", body | {"customer": customer} | more, key=key)

    async def opened(self) -> str:
        """The id of a new ticket that takes commands."""
        answer = await self.open()
        assert answer.status == 201, answer
        ticket = str(answer.body["id"])
        await until(lambda: self.take_commands(ticket))
        return ticket

    async def take_commands(self, *tickets: str) -> bool:
        """Whether routing knows these tickets, which may be later than a list shows them."""
        found = await self.rows(
            "routing", "SELECT DISTINCT stream_id FROM es.events WHERE stream_id = ANY($1::uuid[])", list(tickets)
        )
        return len(found) == len(set(tickets))

    async def saved(self, path: str, document: Any) -> None:
        """Saves a document, again and again until every service knows it."""

        async def everywhere() -> bool:
            answer = await self.call("PUT", path, document)
            assert answer.status in (200, 201), (path, answer)
            return "X-Projection-Lag" not in answer.headers

        await until(everywhere, seconds=90)  # a test before may have started Kafka again just now

    async def mail_in(self, raw: bytes) -> None:
        """Delivers a mail by LMTP. Raises the exceptions of smtplib."""
        await asyncio.to_thread(deliver, self.system, raw, "per@customer.example", self.address)

    def mail(self, subject: str = "It hums", text: str = "Since this morning.", **fields: str) -> EmailMessage:
        """A mail of a new customer to the queue."""
        made = EmailMessage(policy=email.policy.SMTP)
        name = uuid.uuid4().hex
        made["From"], made["To"], made["Subject"] = f"Per <{name[:8]}@customer.example>", self.address, subject
        made["Message-ID"], made["Date"] = f"<{name}@customer.example>", "Mon, 23 Nov 2026 08:00:00 +0000"
        for header, value in fields.items():
            made[header.replace("_", "-")] = value
        made.set_content(text)
        return made

    async def tickets(self) -> dict[str, dict[str, Any]]:
        """Every ticket in the queue's list, by id."""
        found: dict[str, dict[str, Any]] = {}
        cursor = ""
        while True:
            page = await self.done("GET", f"/tickets?queue={self.queue}&limit=200{cursor}")
            found |= {item["id"]: item for item in page["items"]}
            if page["next_cursor"] is None:
                return found
            cursor = f"&cursor={page['next_cursor']}"

    async def history(self, ticket: str) -> list[dict[str, Any]]:
        """The events of a ticket; empty while reporting does not know it."""
        answer = await self.call("GET", f"/tickets/{ticket}/history?limit=200")
        return list(answer.body["items"]) if answer.status == 200 else []

    async def ticket_of(self, mail: EmailMessage) -> str | None:
        """The id of the one ticket that a mail became, read from the log; None if there is none yet."""
        rows = await self.rows(
            "intake",
            "SELECT stream_id FROM es.events WHERE data -> 'message' ->> 'message_id' = $1",
            str(mail["Message-ID"]),
        )
        assert len(rows) <= 1, rows
        return str(rows[0]["stream_id"]) if rows else None

    async def answered(self, mail: EmailMessage) -> list[EmailMessage]:
        """The mails that were sent in reply to this one."""
        found = await asyncio.to_thread(self.sent)
        return [each for each in found if mail["Message-ID"] in str(each["In-Reply-To"])]

    def sent(self) -> list[EmailMessage]:
        """Every mail that was sent."""
        box = mailbox.Maildir(self.system.instance.home.sent, create=False)
        policy = email.policy.default
        return [email.message_from_bytes(box.get_bytes(key), policy=policy) for key in box.keys()]  # noqa: SIM118

    async def rows(self, service: str, query: str, *arguments: Any) -> list[asyncpg.Record]:
        """Rows of a service's database."""
        postgres = self.system.instance.postgres
        connection = await asyncpg.connect(postgres.url("postgres", postgres.password, service))
        try:
            return list(await connection.fetch(query, *arguments))
        finally:
            await connection.close()


@contextlib.asynccontextmanager
async def open_desk(system: System) -> AsyncIterator[Desk]:
    """Signs in as administrator, and saves a queue that every service then knows."""
    async with aiohttp.ClientSession(system.url, timeout=PATIENCE) as http:
        desk = Desk(system, http)
        desk.token = await desk.sign_in()
        queue = {"slug": desk.queue, "name": "Desk", "address": desk.address, "members": []}
        await desk.saved(f"/queues/{desk.queue}", queue)
        yield desk


def signed_in(system: System) -> str:
    """The token of a session of the administrator, for tests that are not asynchronous."""

    async def sign_in() -> str:
        async with aiohttp.ClientSession(system.url, timeout=PATIENCE) as http:
            return await Desk(system, http).sign_in()

    return asyncio.run(sign_in())
