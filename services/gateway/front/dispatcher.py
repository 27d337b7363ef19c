"""The outermost ASGI application: what belongs to a service goes through the proxy, the rest to the gateway's own routes."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.gateway.front.proxy import ClientGone, Proxy
from services.gateway.front.routes import Target, WrongMethod, target
from services.gateway.signing_in import scopes
from services.gateway.signing_in.authentication import Authentication
from shared.http import problems
from shared.http.serving.application import Limited, protected

SAFE = {b"cache-control": b"no-store", b"x-content-type-options": b"nosniff"}
"""On every answer that does not say otherwise itself: what is told here is for one caller, and is what it says it is."""
FORGED = b"x-ledgerdesk-"
TARGET = "ledgerdesk.target"


class Dispatcher:
    """`own` answers everything that `routes` does not name."""

    def __init__(
        self, own: ASGIApp, proxy: Proxy, authenticated: Authentication, limited: Limited | None = None
    ) -> None:
        self.own, self.proxy, self.hop = own, proxy, protected(AuthenticatedProxy(proxy, authenticated), limited)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                said = {name.lower() for name, _ in headers}
                message["headers"] = [*headers, *((name, value) for name, value in SAFE.items() if name not in said)]
            await send(message)

        await self._serve(scope, receive, safely)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
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
            # Whoever says to be vouched for has made that up: the gateway alone vouches.
            scope["headers"] = [(name, value) for name, value in scope["headers"] if not name.startswith(FORGED)]
            await self.own(scope, receive, send)
        else:
            scope[TARGET] = scope["route"] = found  # the telemetry reads the route's template there
            await self.hop(scope, receive, send)


class AuthenticatedProxy:
    """Everything about one proxied request: who asks, whether the sign-in covers it, and the way to the service and back."""

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
