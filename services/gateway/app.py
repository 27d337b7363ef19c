"""Where the gateway's parts are put together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from starlette.types import Scope

from services.gateway.documents import customers_api, documents_api
from services.gateway.documents.applied import Appliers
from services.gateway.documents.documents import Documents
from services.gateway.front import led
from services.gateway.front.consistency_tokens import ConsistencyTokens
from services.gateway.front.door import Door
from services.gateway.front.proxy import Proxy
from services.gateway.front.reference import router as reference_router
from services.gateway.preferences import following_api, notices_api
from services.gateway.schema import MIGRATIONS
from services.gateway.settings import Settings
from services.gateway.signing_in import session_api, sign_ins_api
from services.gateway.signing_in.authentication import Authentication
from services.gateway.signing_in.guesses import Guesses
from services.gateway.signing_in.passwords import Passwords
from services.gateway.signing_in.sessions import Sessions
from services.gateway.signing_in.sign_in import SignIn
from shared.database import Pool, connect_pool
from shared.eventstore.migrations import pending
from shared.eventstore.retention import CommandRetention
from shared.eventstore.store import Store
from shared.http.serving.application import MOST_RUNNING, Limited, application
from shared.http.serving.health import Health
from shared.http.serving.limits import RunningLimit
from shared.http.serving.process import Process, Role
from shared.messaging.announcing import Announcer
from shared.messaging.batching import LOW_LATENCY
from shared.messaging.relay import Relay
from shared.network import network
from shared.runtime.concurrency import ConcurrencyLimit
from shared.runtime.heartbeat import Background
from shared.runtime.periodic import Periodic

SERVICE = "gateway"
PURGE_SECONDS = 3600.0
MOST_OF_AN_ADDRESS = 384
"""Of the requests that run at once. It may be a whole company's, or that of a proxy that was not named to us, so it is large."""
MOST_OF_A_PERSON = 128
"""With all their sessions and tokens."""
KEEP_ALIVE_SECONDS = 15.0
"""Shorter than the services keep a connection, so that they do not close one that the proxy is just about to use."""


@asynccontextmanager
async def process(role: Role, health: Health) -> AsyncIterator[Process]:
    settings = Settings.read()
    pool = await connect_pool(settings.database_url)
    try:
        store = Store(pool, SERVICE)
        sessions = Sessions(pool, settings.keys.purpose("session secrets"), settings.session_lifetime)
        guesses = Guesses(pool, settings.keys.purpose("guesses"))
        health.check("database", lambda: _migrated(pool))
        background: dict[str, Background] = {}
        if role != "api":
            relay = Relay(store, settings.database_url, settings.kafka, LOW_LATENCY)
            background |= {"relay": relay, "retention": CommandRetention(pool)}
            background["purge"] = Periodic("purge of ended sessions", PURGE_SECONDS, lambda: _purge(sessions, guesses))
        else:
            background["announcer"] = Announcer(store)
        if role == "worker":
            yield Process(application(health, keys=settings.keys), background)
            return
        passwords = Passwords()
        async with http_client(settings.upstream_seconds) as client:
            try:
                authentication = Authentication(sessions, settings.trusts_proxy)
                sign_in = SignIn(pool, passwords, guesses)
                appliers = Appliers(client, settings.services, settings.signing_key)
                documents = Documents(store)
                tokens = ConsistencyTokens(settings.keys.purpose("consistency tokens"))
                limited = running_limit(authentication)
                own = application(
                    health,
                    limited=limited,
                    keys=settings.keys,
                    routers=[
                        session_api.router(sign_in, sessions, authentication),
                        sign_ins_api.router(sign_in, sessions, documents, appliers, authentication),
                        documents_api.router(documents, sign_in, appliers),
                        customers_api.router(documents, appliers),
                        following_api.router(documents, appliers),
                        notices_api.router(documents, appliers),
                        led.router(led.Leader(client, settings.services, settings.signing_key, tokens)),
                        reference_router(),
                    ],
                )
                own.state.authentication = authentication
                proxy = Proxy(client, settings.services, settings.signing_key, tokens)
                yield Process(Door(own, proxy, authentication, limited), background)
            finally:
                passwords.close()
    finally:
        await pool.close()


def running_limit(authentication: Authentication) -> Limited:
    """One bound for all that the gateway answers."""
    addresses, people = (
        ConcurrencyLimit(MOST_RUNNING, MOST_OF_AN_ADDRESS),
        ConcurrencyLimit(MOST_RUNNING, MOST_OF_A_PERSON),
    )

    def address(scope: Scope) -> str:
        return network(authentication.arrival(scope).address)

    return lambda app: RunningLimit(app, addresses, people, address)


def http_client(seconds: float) -> aiohttp.ClientSession:
    """The client to the services. `seconds` bounds their silence; what they send is passed on as it is."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=512, keepalive_timeout=KEEP_ALIVE_SECONDS, use_dns_cache=True),
        timeout=aiohttp.ClientTimeout(total=None, connect=3, sock_connect=3, sock_read=seconds),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
    )


async def _purge(sessions: Sessions, guesses: Guesses) -> None:
    await sessions.purge()
    await guesses.purge()


async def _migrated(pool: Pool) -> bool:
    async with pool.acquire() as connection:
        return not await pending(connection, *MIGRATIONS)
