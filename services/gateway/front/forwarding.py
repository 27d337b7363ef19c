"""A response that a service gives: for requests that the gateway has to read before it passes them on."""

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from services.gateway.front.proxy import ClientGone, Proxy
from services.gateway.front.routes import Target
from services.gateway.signing_in.sessions import Principal

REPLACED = frozenset((b"content-length", b"content-type", b"transfer-encoding"))


class Forwarded(Response):
    """The service's answer to `content`, a JSON body, at another path; passed back while it comes.

    Everything else is as in the proxy: the identity, the consistency token, and a client that leaves ends the request.
    """

    def __init__(self, proxy: Proxy, target: Target, path: str, principal: Principal, content: bytes) -> None:
        super().__init__()
        self._proxy, self._target, self._path = proxy, target, path
        self._principal, self._content = principal, content

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [each for each in scope["headers"] if each[0] not in REPLACED]
        headers += [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(self._content))]
        inner = {**scope, "path": self._path, "query_string": b"", "headers": headers}
        read = False

        async def body() -> Message:
            nonlocal read
            if read:
                return await receive()  # which says when the client leaves
            read = True
            return {"type": "http.request", "body": self._content, "more_body": False}

        try:
            await self._proxy.forward(inner, body, send, self._target, self._principal)
        except ClientGone:
            return
