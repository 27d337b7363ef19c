"""A running gateway with a database of its own, and one stand-in for all four services."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from hashlib import sha256
from secrets import token_urlsafe
from typing import Any
from urllib.parse import unquote
from uuid import uuid4

import aiohttp
import pytest
from argon2 import PasswordHasher

from services.gateway import app as gateway_app
from services.gateway.documents.first_start import first_documents
from services.gateway.front.dispatcher import Dispatcher
from services.gateway.front.routes import WrongMethod, target
from services.gateway.schema import MIGRATIONS
from services.gateway.signing_in import passwords
from shared.database import OwnConnection, Pool, connect, connect_pool
from shared.eventstore.migrations import migrate
from shared.http.serving.health import Health
from shared.http.serving.server import listening_socket, serve
from shared.testing.keys import ENVIRONMENT
from tests.described import fault
from tests.servers import NO_KAFKA
from tests.services.gateway.upstream import Upstream, upstream

PASSWORD = "correct horse battery staple"


SESSION = """
INSERT INTO gateway.sessions (token_hash, id, person_id, kind, expires_at, proved_at)
SELECT $1, $2, id, 'session', now() + interval '1 hour', now()
  FROM gateway.documents
 WHERE kind = 'person' AND slug = $3
"""


@dataclass
class Answer:
    status: int
    headers: Any
    raw: bytes
    body: Any


def _is_own(method: str, path: str) -> bool:
    """Whether the gateway answers this itself, and not the stand-in for the services."""
    path = unquote(path.partition("?")[0])
    try:
        return target(method, path) is None and not path.startswith("/api/v1/tickets/")
    except WrongMethod:
        return True


class Client:
    """One caller, signed in or not. Answers are read in full."""

    def __init__(self, session: aiohttp.ClientSession, url: str, token: str | None = None) -> None:
        self.session, self.url, self.token = session, url, token

    async def call(
        self, method: str, path: str, body: Any = None, *, headers: dict[str, str] | None = None, data: Any = None
    ) -> Answer:
        told = dict(headers or {})
        if self.token:
            told.setdefault("Authorization", f"Bearer {self.token}")
        full = path if path.startswith(("/livez", "/readyz", "/api/docs")) else f"/api/v1{path}"
        options: dict[str, Any] = {"data": data} if data is not None else {"json": body} if body is not None else {}
        async with self.session.request(method, self.url + full, headers=told, **options) as answer:
            raw = await answer.read()
            parsed = (
                await answer.json(content_type=None)
                if raw and "json" in answer.headers.get("Content-Type", "")
                else None
            )
            if _is_own(method, full):
                wrong = fault(method, full, answer.status, answer.headers.get("Content-Type", ""), raw)
                assert wrong is None, wrong
            return Answer(answer.status, answer.headers, raw, parsed)

    async def get(self, path: str, **options: Any) -> Answer:
        return await self.call("GET", path, **options)

    async def post(self, path: str, body: Any = None, **options: Any) -> Answer:
        return await self.call("POST", path, body, **options)

    async def put(self, path: str, body: Any, **options: Any) -> Answer:
        return await self.call("PUT", path, body, **options)

    async def patch(self, path: str, body: Any, **options: Any) -> Answer:
        return await self.call("PATCH", path, body, **options)

    async def delete(self, path: str, **options: Any) -> Answer:
        return await self.call("DELETE", path, **options)


@dataclass
class Gateway:
    """The running gateway; `service` is the stand-in for the services."""

    url: str
    session: aiohttp.ClientSession
    service: Upstream
    services: dict[str, str]
    pool: Pool

    @property
    def anonymous(self) -> Client:
        return Client(self.session, self.url)

    def holding(self, token: str) -> Client:
        return Client(self.session, self.url, token)

    async def sign_in(self, login: str, password: str = PASSWORD) -> Client:
        answer = await self.anonymous.post("/session", {"login": login, "password": password})
        assert answer.status == 201, answer
        return self.holding(answer.body["token"])

    async def session_of(self, login: str) -> Client:
        """A client with a session, without the cost of a password."""
        secret = f"lds_{token_urlsafe(32)}"
        await self.pool.execute(SESSION, sha256(secret.encode()).digest(), uuid4(), login)
        return self.holding(secret)

    async def admin(self) -> Client:
        return await self.session_of("admin")

    async def person(self, login: str, *roles: str, **more: Any) -> Client:
        """A new person, created by the administrator and signed in."""
        admin = await self.admin()
        document = {
            "login": login,
            "name": login.title(),
            "email": f"{login}@help.example.org",
            "password": PASSWORD,
            "roles": roles,
            **more,
        }
        answer = await admin.put(f"/people/{login}", document)
        assert answer.status == 201, answer
        return await self.session_of(login)


START_AGAIN = """
DELETE FROM gateway.account_mails; DELETE FROM gateway.password_resets; DELETE FROM gateway.reset_requests;
DELETE FROM gateway.report_runs; DELETE FROM gateway.report_timers;
DELETE FROM gateway.guesses; DELETE FROM gateway.known_places; DELETE FROM gateway.searches; DELETE FROM gateway.names;
DELETE FROM gateway.preferences; DELETE FROM gateway.notes; DELETE FROM gateway.drafts;
DELETE FROM gateway.sessions; DELETE FROM gateway.credentials; DELETE FROM gateway.documents;
DELETE FROM es.outbox; DELETE FROM es.events; DELETE FROM es.streams; DELETE FROM es.commands;
INSERT INTO es.streams SELECT * FROM saved.streams;
INSERT INTO es.events SELECT * FROM saved.events;
INSERT INTO gateway.documents SELECT * FROM saved.documents;
INSERT INTO gateway.names SELECT * FROM saved.names;
INSERT INTO gateway.credentials SELECT * FROM saved.credentials;
"""
SAVE = """
CREATE SCHEMA saved;
CREATE TABLE saved.streams AS SELECT * FROM es.streams;
CREATE TABLE saved.events AS SELECT * FROM es.events;
CREATE TABLE saved.documents AS SELECT * FROM gateway.documents;
CREATE TABLE saved.names AS SELECT * FROM gateway.names;
CREATE TABLE saved.credentials AS SELECT * FROM gateway.credentials;
"""


@pytest.fixture(scope="module")
async def running_gateway(postgres: Any) -> AsyncIterator[tuple[Gateway, OwnConnection]]:
    owner_url, app_url = postgres.database()
    await migrate(owner_url, app_url, *MIGRATIONS)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("LEDGERDESK_DATABASE_URL", app_url)
        for name, value in (NO_KAFKA.environment("gateway") | ENVIRONMENT).items():
            environment.setenv(name, value)
        environment.setenv("LEDGERDESK_ADMIN_PASSWORD", PASSWORD)
        environment.setenv("LEDGERDESK_UPSTREAM_SECONDS", "0.5")
        environment.setattr(passwords, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        await first_documents(app_url)
        owner = await connect(owner_url)
        await owner.execute(SAVE)
        await owner.execute("SET synchronous_commit = off")
        async with upstream() as service, aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
            for name in ("INTAKE", "ROUTING", "NOTIFY", "REPORTING"):
                environment.setenv(f"LEDGERDESK_{name}_URL", service.url)
            health = Health("gateway", "api")
            async with gateway_app.process("api", health) as process:
                listener = listening_socket("127.0.0.1:0")
                stop = asyncio.Event()
                serving = asyncio.create_task(serve(process.app, listener, health, {}, stop))
                host, port = listener.getsockname()[:2]
                pool = await connect_pool(app_url, smallest=1, largest=2)
                assert isinstance(process.app, Dispatcher) and isinstance(process.app.proxy.services, dict)
                services = process.app.proxy.services
                yield Gateway(f"http://{host}:{port}", session, service, services, pool), owner
                await pool.close()
                await session.close()
                stop.set()
                await serving
        await owner.close()


@pytest.fixture
async def gateway(running_gateway: tuple[Gateway, OwnConnection]) -> Gateway:
    """The gateway as after its first start: with its first documents and nobody signed in."""
    found, owner = running_gateway
    await owner.execute(START_AGAIN)
    found.service.start_again()
    return found
