"""`/metrics`, on a port of its own that only monitors can reach."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shared.telemetry import metrics


async def _show(_: Request) -> Response:
    return Response(metrics.exposition(), media_type=metrics.CONTENT_TYPE)


def metrics_application() -> Starlette:
    """An application with this one route."""
    return Starlette(routes=[Route("/metrics", _show)])
