"""Serves the description of the API: the OpenAPI document and pages to browse it."""

from functools import cache
from pathlib import Path

import fastapi_offline
from fastapi import APIRouter, Response

DOCUMENT = Path(__file__).parent / "openapi.json"
ASSETS = Path(fastapi_offline.__file__).parent / "static"
SERVED = {
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "swagger-ui.css": "text/css; charset=utf-8",
    "favicon.png": "image/png",
}
START = """\
SwaggerUIBundle({url: "/api/v1/openapi.json", dom_id: "#api", deepLinking: true, validatorUrl: null});
"""
PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Ledgerdesk API</title>
<link rel="icon" href="/api/docs/favicon.png">
<link rel="stylesheet" href="/api/docs/swagger-ui.css">
</head>
<body>
<div id="api"></div>
<script src="/api/docs/swagger-ui-bundle.js"></script>
<script src="/api/docs/start.js"></script>
</body>
</html>
"""
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


@cache
def _read(path: Path) -> bytes:
    return path.read_bytes()


def router() -> APIRouter:
    routes = APIRouter(include_in_schema=False)

    @routes.get("/api/v1/openapi.json")
    async def openapi() -> Response:
        return Response(_read(DOCUMENT), media_type="application/json", headers={"Cache-Control": "no-cache"})

    @routes.get("/api/docs")
    async def page() -> Response:
        return Response(PAGE, media_type="text/html; charset=utf-8", headers=HEADERS)

    @routes.get("/api/docs/start.js")
    async def start() -> Response:
        return Response(START, media_type="text/javascript; charset=utf-8", headers=HEADERS)

    for name, media_type in SERVED.items():
        _serve(routes, name, media_type)
    return routes


def _serve(routes: APIRouter, name: str, media_type: str) -> None:
    @routes.get(f"/api/docs/{name}")
    async def asset() -> Response:
        return Response(
            _read(ASSETS / name), media_type=media_type, headers={"Cache-Control": "max-age=86400", **HEADERS}
        )
