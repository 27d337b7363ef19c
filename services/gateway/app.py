"""Puts the parts of the gateway together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import aiohttp
from starlette.types import Scope

from services.gateway import report_runs, reset_links
from services.gateway.account import following_api, notices_api, searches_api, session_api, sign_ins_api
from services.gateway.documents import customers_api, documents_api, suspended_rules
from services.gateway.documents.documents import Documents
from services.gateway.documents.kinds import people
from services.gateway.documents.propagation import Propagation
from services.gateway.drafts import drafts_api
from services.gateway.drafts.drafts import Drafts
from services.gateway.dry_runs import api as dry_runs_api
from services.gateway.front import article_commands
from services.gateway.front.consistency_tokens import ConsistencyTokens
from services.gateway.front.dispatcher import Dispatcher
from services.gateway.front.proxy import Proxy
from services.gateway.front.reference import router as reference_router
from services.gateway.live import stream_api
from services.gateway.live.link import Link
from services.gateway.live.sign_in_watch import SignInWatch
from services.gateway.live.streams import Streams
from services.gateway.personal import absence_api, notes_api, preferences_api
from services.gateway.personal.absences import Absences
from services.gateway.personal.preferences import PreferencesStore
from services.gateway.report_schedules import api as report_schedules_api
from services.gateway.report_schedules.reports import Reports
from services.gateway.report_schedules.runner import ReportRunner
from services.gateway.resets import api as resets_api
from services.gateway.resets.worker import AccountMailer
from services.gateway.schema import MIGRATIONS
from services.gateway.service_client import ServiceClient
from services.gateway.settings import Settings
from services.gateway.signing_in.authentication import Authentication
from services.gateway.signing_in.passwords import Passwords
from services.gateway.signing_in.sessions import Sessions
from services.gateway.signing_in.sign_in import SignIn
from services.gateway.signing_in.throttling import SignInThrottle
from services.gateway.suggesting import suggest_api
from shared.blobs.store import BlobStore
from shared.database import Pool
from shared.http.serving.application import MOST_RUNNING, Limited, application
from shared.http.serving.health import Health
from shared.http.serving.limits import RunningLimit
from shared.http.serving.process import Process, Role
from shared.messaging.batching import LOW_LATENCY
from shared.network import network
from shared.runtime.concurrency import ConcurrencyLimit
from shared.runtime.periodic import Periodic
from shared.service.assembly import Assembly, assembled

SERVICE = "gateway"
PURGE_SECONDS = 3600.0
MOST_OF_AN_ADDRESS = 384
"""Running requests of one address.

Large, because it may be the address of a whole company, or of a proxy that is not configured.
"""
MOST_OF_A_PERSON = 128
"""Running requests of one person, with all their sessions and tokens."""
KEEP_ALIVE_SECONDS = 15.0
"""Shorter than the services keep a connection open: they must not close one that the proxy is about to use."""


@asynccontextmanager
async def process(role: Role, health: Health) -> AsyncIterator[Process]:
    settings = Settings.read()
    async with assembled(role, health, settings, MIGRATIONS) as parts:
        sessions = Sessions(parts.pool, settings.keys.purpose("session secrets"), settings.session_lifetime)
        throttle = SignInThrottle(parts.pool, settings.keys.purpose("guesses"))
        parts.relay(LOW_LATENCY)
        if parts.works:
            purge = partial(_purge, parts.pool, sessions, throttle)
            parts.run("drafts", Periodic("removal of old drafts", PURGE_SECONDS, Drafts(parts.pool).purge))
            parts.run("purge", Periodic("purge of what has ended", PURGE_SECONDS, purge))
            parts.consumer(
                "consumer",
                name=suspended_rules.CONSUMER,
                handlers=suspended_rules.handlers(parts.store),
                batching=LOW_LATENCY,
                replica=settings.replica,
            )
        async with http_client(settings.upstream_seconds) as client:
            blobs = BlobStore(settings.blob_url) if parts.works and settings.blob_url else None
            passwords = Passwords() if parts.serves else None
            try:
                reports = Reports(client, settings.services, settings.signing_key)
                if parts.works:
                    services = ServiceClient(client, settings.services, settings.signing_key)
                    key = settings.keys.purpose("password resets")
                    parts.run("account mails", AccountMailer(parts.pool, services, key, settings.public_url))
                if blobs is not None:
                    parts.run("report schedules", ReportRunner(parts.store, blobs, reports))
                if passwords is None:
                    yield parts.process()
                    return
                reads = await parts.reads(largest=4)
                live = _live(settings, health, parts, client, sessions)
                yield Process(
                    _dispatcher(settings, health, parts, reads, client, sessions, passwords, throttle, reports, live),
                    parts.background,
                )
            finally:
                if passwords is not None:
                    passwords.close()
                if blobs is not None:
                    blobs.close()


def _live(
    settings: Settings, health: Health, parts: Assembly, client: aiohttp.ClientSession, sessions: Sessions
) -> stream_api.Live:
    """The live streams of this process, and what keeps them going."""
    streams = Streams()
    link = Link(client, settings.services.get("reporting", ""), settings.signing_key, streams)
    parts.run("streams", streams)
    parts.run("stream sign-ins", SignInWatch(settings.database_url, sessions, streams, link))
    if link.base:
        parts.run("stream link", link)
    health.when_draining(streams.drain)
    return stream_api.Live(streams, link)


def _dispatcher(
    settings: Settings,
    health: Health,
    parts: Assembly,
    reads: Pool,
    client: aiohttp.ClientSession,
    sessions: Sessions,
    passwords: Passwords,
    throttle: SignInThrottle,
    reports: Reports,
    live: stream_api.Live,
) -> Dispatcher:
    """The public application: the gateway's own routes, and the proxy to the services."""
    authentication = Authentication(sessions, settings.trusts_proxy)
    sign_in = SignIn(parts.pool, passwords, throttle)
    propagation = Propagation(client, settings.services, settings.signing_key)
    documents = Documents(parts.store)
    absences = Absences(parts.pool, settings.zone)
    services = ServiceClient(client, settings.services, settings.signing_key)
    tokens = ConsistencyTokens(settings.keys.purpose("consistency tokens"))
    drafts = Drafts(parts.pool)
    limited = running_limit(authentication)
    proxy = Proxy(client, settings.services, settings.signing_key, tokens, drafts)
    own = application(
        health,
        limited=limited,
        keys=settings.keys,
        routers=[
            session_api.router(sign_in, sessions, documents, propagation, authentication),
            resets_api.router(sign_in, sessions, documents, propagation, authentication),
            sign_ins_api.router(sessions),
            preferences_api.router(PreferencesStore(documents, settings.language, settings.zone.key), propagation),
            notes_api.router(parts.pool),
            absence_api.router(documents, propagation, absences),
            documents_api.router(
                documents,
                sign_in,
                propagation,
                trials={"report-schedule": reports.trial},
                more={"person": (absences.of_documents, partial(people.restricted, parts.pool))},
            ),
            dry_runs_api.router(reads, proxy),
            report_schedules_api.router(parts.store, services),
            customers_api.router(documents, propagation, reads),
            following_api.router(documents, propagation),
            notices_api.router(documents, propagation),
            searches_api.router(parts.pool, services),
            suggest_api.router(reads, services, absences),
            article_commands.router(article_commands.ArticleCommands(services, tokens, drafts)),
            drafts_api.router(drafts, services, tokens.open),
            stream_api.router(live),
            reference_router(),
        ],
    )
    own.state.authentication = authentication
    return Dispatcher(own, proxy, authentication, limited)


def running_limit(authentication: Authentication) -> Limited:
    """One limit for everything that the gateway answers."""
    addresses, people = (
        ConcurrencyLimit(MOST_RUNNING, MOST_OF_AN_ADDRESS),
        ConcurrencyLimit(MOST_RUNNING, MOST_OF_A_PERSON),
    )

    def address(scope: Scope) -> str:
        return network(authentication.arrival(scope).address)

    return lambda app: RunningLimit(app, addresses, people, address)


def http_client(seconds: float) -> aiohttp.ClientSession:
    """The HTTP client for the services. `seconds` is how long one may stay silent; answers are passed on unchanged."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=512, keepalive_timeout=KEEP_ALIVE_SECONDS, use_dns_cache=True),
        timeout=aiohttp.ClientTimeout(total=None, connect=3, sock_connect=3, sock_read=seconds),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
    )


async def _purge(pool: Pool, sessions: Sessions, throttle: SignInThrottle) -> None:
    await sessions.purge()
    await throttle.purge()
    await report_runs.purge(pool)
    await reset_links.purge(pool)
