"""The FastAPI application as every process has it."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, FastAPI

from shared.http.health import Health


def application(
    health: Health,
    *,
    identity_key: str | bytes,
    routers: Sequence[APIRouter] = (),
    **options: Any,
) -> FastAPI:
    """An application with problem documents, body limit, request telemetry, health routes, identity verifier (audience: the service's
    name) and cursors; `options` go to FastAPI. Own state goes to `app.state`. There is no OpenAPI or docs route unless asked for."""
    raise NotImplementedError
