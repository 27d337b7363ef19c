"""The outermost ASGI application: it sends each request to the proxy or to the gateway's own routes."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.gateway.front.proxy import ClientGone, Proxy
from services.gateway.front.routes import Target, WrongMethod, target
from services.gateway.signing_in import scopes
from services.gateway.signing_in.authentication import Authentication
from shared.http import problems
from shared.http.serving.application import Limited, protected

SAFE_HEADERS = {
    b"cache-control": b"no-store",
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
}
"""Added to every answer without such headers: it is for one caller, its type is the declared one, and no other site is
told its address, which may hold the secret of a link."""
INTERNAL = b"x-ledgerdesk-"
TARGET = "ledgerdesk.target"


class Dispatcher:
    """`own` serves every path that is not in `routes`."""

    def __init__(
        self, own: ASGIApp, proxy: Proxy, authenticated: Authentication, limited: Limited | None = None
    ) -> None:
        self.own, self.proxy = own, proxy
        self.proxied = protected(AuthenticatedProxy(proxy, authenticated), limited)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_safe(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                given = {name.lower() for name, _ in headers}
                message["headers"] = [
                    *headers,
                    *((name, value) for name, value in SAFE_HEADERS.items() if name not in given),
                ]
            await send(message)

        await self._dispatch(scope, receive, send_safe)

    async def _dispatch(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.own(scope, receive, send)
            return
        try:
            found = target(scope["method"], scope["path"])
        except WrongMethod as error:
            problem = problems.Problem(405, "method-not-allowed", headers={"Allow": ", ".join(error.allowed)})
            await problem.response()(scope, receive, send)
            return
        if found is None:
            # Only the gateway writes these headers; from outside they are forged.
            scope["headers"] = [(name, value) for name, value in scope["headers"] if not name.startswith(INTERNAL)]
            await self.own(scope, receive, send)
        else:
            scope[TARGET] = scope["route"] = found  # telemetry reads the path template there
            await self.proxied(scope, receive, send)


class AuthenticatedProxy:
    """Authenticates a proxied request, checks its scope and forwards it."""

    def __init__(self, proxy: Proxy, authenticated: Authentication) -> None:
        self.proxy, self.authenticated = proxy, authenticated

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found: Target = scope[TARGET]
        principal = await self.authenticated(scope)
        scopes.require(principal.identity, found.scope)
        try:
            await self.proxy.forward(scope, receive, send, found, principal)
        except ClientGone:
            return
