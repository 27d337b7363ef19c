"""The FastAPI application of every process."""

from collections.abc import Callable, Sequence
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.types import ASGIApp

from shared.http.identity import IdentityVerifier
from shared.http.keys import Keys
from shared.http.paging import Cursors
from shared.http.serving import failures
from shared.http.serving.health import Health
from shared.http.serving.limits import RunningLimit
from shared.runtime.concurrency import ConcurrencyLimit
from shared.telemetry.asgi import RequestTelemetry

MOST_RUNNING = 512
"""Concurrent requests in one process. More would wait for a database connection longer than their callers do."""

Limited = Callable[[ASGIApp], RunningLimit]
"""Wraps an application in a limit of concurrent requests."""


def application(
    health: Health,
    *,
    keys: Keys,
    routers: Sequence[APIRouter] = (),
    limited: Limited | None = None,
    **options: Any,
) -> FastAPI:
    """An application with problem documents, limits, telemetry, probe routes, identity verifier and cursors.

    `limited` limits concurrent requests. `options` go to FastAPI; there is no OpenAPI or docs route by default.
    """
    app = FastAPI(
        **{
            "title": f"Ledgerdesk {health.service}",
            "openapi_url": None,
            "docs_url": None,
            "redoc_url": None,
            **options,
        },
        redirect_slashes=False,
        telemetry={
            "tracing": False,
            "metrics": False,
            "logs": False,
            "operation_spans": False,
        },  # ours: RequestTelemetry
    )
    app.state.identity = IdentityVerifier(keys.gateway, health.service)
    app.state.cursors = Cursors(keys.purpose("cursors"))
    app.router.routes.extend(health.routes())
    for router in routers:
        # Not include_router: it matches every included route twice, and our routers have their prefix already.
        app.router.routes.extend(router.routes)
    failures.install(app)
    app.add_middleware(limited or a_services_limit())
    app.add_middleware(RequestTelemetry)  # the last added middleware is the outermost
    return app


def protected(app: ASGIApp, limited: Limited | None = None) -> ASGIApp:
    """A raw ASGI application with the same problem documents, limits and telemetry."""
    return RequestTelemetry((limited or a_services_limit())(failures.Failures(app)))


def a_services_limit() -> Limited:
    """The limit of a service that only the gateway calls: the gateway is its single caller."""
    limit = ConcurrencyLimit(MOST_RUNNING, MOST_RUNNING)
    return lambda app: RunningLimit(app, limit)
