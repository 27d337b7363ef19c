"""Forwards requests to the services: raw ASGI in, one pooled connection out, bodies streamed.

Almost every request comes this way, so it takes few steps (docs/decisions/0030-the-hop.md has the figures).
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping
from random import getrandbits
from urllib.parse import quote, quote_from_bytes
from uuid import UUID

import aiohttp
from multidict import CIMultiDict
from starlette.types import Receive, Scope, Send
from yarl import URL

from services.gateway.drafts.drafts import Drafts
from services.gateway.drafts.sending import Sending, begin, taken_out
from services.gateway.front.consistency_tokens import ConsistencyTokens
from services.gateway.front.routes import Target
from services.gateway.service_client import FAILED, identity_refused
from services.gateway.signing_in.sessions import Principal
from shared.http import problems
from shared.http.headers.consistency import HEADER as CONSISTENCY
from shared.http.headers.idempotency import HEADER as KEY
from shared.http.headers.idempotency import REPLAYED
from shared.http.identity import HEADER, sign
from shared.http.keys import SigningKey
from shared.http.serving.limits import bounded
from shared.telemetry.trace import trace_id
from shared.telemetry.tracing import TRACEPARENT, traceparent

log = logging.getLogger(__name__)

FORWARDED = frozenset(
    (
        b"accept", b"accept-language", b"content-type", b"idempotency-key", b"if-match", b"if-none-match",
        b"last-event-id", b"range", b"traceparent", b"tracestate", b"x-client-address", b"x-client-helo",
        b"x-consistency-token", b"x-envelope-from", b"x-envelope-to",
    )
)  # fmt: skip
"""The headers of a request that a service may see.

All others stay here, above all credentials and forged identities.
"""
REPEATABLE = frozenset((b"accept", b"accept-language", b"if-match", b"if-none-match", b"tracestate", b"x-envelope-to"))
"""Headers that may come twice.

Two of any other header would let one request be read in two ways, so they are refused.
"""
REMOVED = frozenset(
    (
        b"connection", b"keep-alive", b"transfer-encoding", b"te", b"trailer", b"upgrade", b"date", b"server",
        b"set-cookie", b"x-ledgerdesk-identity", b"x-consistency-token",
    )
)  # fmt: skip
"""Headers of an answer that belong to one connection, that no service may set, or that are passed on in another
form."""
NOTHING_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)

BUFFERED = 256 * 1024
"""Bytes. A request body up to this size is buffered and can be sent again; a longer one is streamed, unless it is that
of a command, which may name a draft."""
WHOLE = 256 * 1024
"""Bytes. An answer up to this size is passed on in one piece."""
WATCH_AFTER = 0.25
"""Seconds after which a waiting request starts to watch whether its client is still connected.

Quick requests never do.
"""
REUSE_SECONDS = 20.0
"""How long a signed identity is used again for the same session; it is valid for 60 s."""
MOST_IDENTITIES = 5000
"""Signed identities in memory."""


class ClientGone(Exception):
    """The client has closed the connection: nobody is left to answer."""


class Proxy:
    """`services` maps names to base URLs. The HTTP client limits how long a service may stay silent."""

    def __init__(
        self,
        client: aiohttp.ClientSession,
        services: Mapping[str, str],
        signing_key: SigningKey,
        tokens: ConsistencyTokens,
        drafts: Drafts,
    ) -> None:
        self.client, self.services, self.signing_key, self.tokens = client, services, signing_key, tokens
        self.drafts = drafts
        self._identities: OrderedDict[tuple[UUID, int, str], tuple[float, str]] = OrderedDict()

    async def forward(self, scope: Scope, receive: Receive, send: Send, target: Target, principal: Principal) -> int:
        """Forwards a request and passes the answer back; returns its status.

        Raises Problem 413, 422, 503 or 504 before anything is sent.
        """
        base = self.services.get(target.service)
        if base is None:
            raise problems.unavailable(f"The service {target.service} is not configured.", retry_after=30)
        receive = bounded(scope, receive, target.most)
        headers, length = _request_headers(scope)
        if CONSISTENCY in headers:
            headers[CONSISTENCY] = self.tokens.open(headers[CONSISTENCY])
        headers[HEADER] = self._signed_identity(principal, target.service)
        if scope["method"] == "POST" and KEY not in headers:
            headers[KEY] = f"gateway-{getrandbits(128):032x}"  # so that the proxy may repeat the request
        body = Body(receive, length)
        content = await body.begin()
        sending: Sending | None = None
        if target.from_draft:
            content, draft = taken_out(content if content is not None else await body.whole())
            if draft is not None:
                person = principal.identity.person_id
                sending = await begin(self.drafts, person, draft, scope["method"], scope["path"], headers[KEY])
        if content is None and length is not None:
            headers["Content-Length"] = str(length)
        url = URL(base + quote(scope["path"]) + _query(scope["query_string"]), encoded=True)
        watch = DisconnectWatch(body)
        try:
            return await self._exchange(scope["method"], url, headers, content, body, send, target, sending)
        except asyncio.CancelledError:
            if watch.gone:
                raise ClientGone from None
            raise
        finally:
            watch.stop()

    async def _exchange(
        self,
        method: str,
        url: URL,
        headers: CIMultiDict[str],
        content: bytes | None,
        body: "Body",
        send: Send,
        target: Target,
        sending: Sending | None,
    ) -> int:
        service, sent_before = target.service, False
        timeout = self._timeout(target)
        while True:
            try:
                data = content if content is not None else body.rest()
                async with self.client.request(
                    method, url, headers=headers, data=data or None, allow_redirects=False, timeout=timeout
                ) as answer:
                    if answer.status == 401:
                        raise identity_refused(service)
                    if sending is not None:
                        replayed = answer.headers.get(REPLAYED) == "true"
                        await sending.answered(answer.status, await answer.read(), replayed=replayed)
                    return await _pass_back(answer, send, self.tokens)
            except aiohttp.ClientError as error:
                if body.failure is not None:
                    raise body.failure from error
                if isinstance(error, NOTHING_SENT):
                    raise _problem(service, error, nothing_done=not sent_before) from error
                # The connection broke during the request, so the service may have carried it out. A buffered request
                # may be sent again all the same: every request that changes something has an idempotency key.
                broke = isinstance(error, (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError))
                if not broke or sent_before or content is None:
                    raise _problem(service, error, nothing_done=False) from error
                sent_before = True

    def _timeout(self, target: Target) -> aiohttp.ClientTimeout:
        usual = self.client.timeout
        if target.silence is None or usual.sock_read is None or target.silence <= usual.sock_read:
            return usual
        return aiohttp.ClientTimeout(None, usual.connect, target.silence, usual.sock_connect)

    def _signed_identity(self, principal: Principal, service: str) -> str:
        """The signed identity for a service. A new one is made when the person has changed or the old one is due."""
        key = (principal.session, principal.person_version, service)
        now = time.monotonic()
        known = self._identities.get(key)
        if known is not None and now - known[0] < REUSE_SECONDS:
            return known[1]
        signed = sign(principal.identity, service, self.signing_key)
        self._identities[key] = (now, signed)
        self._identities.move_to_end(key)
        if len(self._identities) > MOST_IDENTITIES:
            self._identities.popitem(last=False)
        return signed


class Body:
    """The body of a request: its beginning is buffered, the rest streamed. `failure` is why a stream stopped early."""

    def __init__(self, receive: Receive, length: int | None) -> None:
        self._receive, self._length = receive, length
        self._head: list[bytes] = []
        self._size = 0
        self.complete = length == 0
        self.failure: ClientGone | problems.Problem | None = None

    async def begin(self) -> bytes | None:
        """The whole body if it is short, else None; then `rest` gives all of it."""
        while not self.complete and self._size <= BUFFERED:
            self._head.append(await self._next())
        return b"".join(self._head) if self.complete and self._size <= BUFFERED else None

    async def whole(self) -> bytes:
        """The whole body, also a long one. Raises ClientGone, Problem 413."""
        return b"".join([piece async for piece in self.rest()])

    async def rest(self) -> AsyncIterator[bytes]:
        """The whole body in pieces. aiohttp hides exceptions from here, so they are also kept in `failure`."""
        try:
            for piece in self._head:
                yield piece
            while not self.complete:
                yield await self._next()
        except (ClientGone, problems.Problem) as error:
            self.failure = error
            raise

    async def _next(self) -> bytes:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        piece: bytes = message.get("body", b"")
        self._size += len(piece)
        self.complete = not message.get("more_body", False)
        return piece

    async def until_gone(self) -> None:
        """Returns when the client has disconnected. Call it once the body is complete."""
        while (await self._receive())["type"] != "http.disconnect":
            pass


class DisconnectWatch:
    """Cancels the task that serves a request if its client disconnects."""

    def __init__(self, body: Body) -> None:
        self.gone = False
        self._body = body
        self._serving = asyncio.current_task()
        self._watching: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._later = self._loop.call_later(WATCH_AFTER, self._begin)

    def _begin(self) -> None:
        if self._body.complete:
            self._watching = self._loop.create_task(self._watch())
        else:  # reading the body notices a disconnect
            self._later = self._loop.call_later(WATCH_AFTER, self._begin)

    async def _watch(self) -> None:
        await self._body.until_gone()
        self.gone = True
        assert self._serving is not None
        self._serving.cancel()

    def stop(self) -> None:
        self._later.cancel()
        if self._watching is not None:
            self._watching.cancel()


def _request_headers(scope: Scope) -> tuple[CIMultiDict[str], int | None]:
    """The headers for the service, and the length of the body (None: not given). Raises Problem 422."""
    headers: CIMultiDict[str] = CIMultiDict()
    length: int | None = None
    chunked = False
    for name, value in scope["headers"]:
        if name in FORWARDED:
            text = name.decode("ascii")
            if text in headers and name not in REPEATABLE:
                raise problems.invalid(f"/header/{text}", "This header was given twice.")
            try:
                headers.add(text, value.decode())
            except UnicodeDecodeError:
                raise problems.invalid(f"/header/{text}", "Must be text in UTF-8.") from None
        elif name == b"content-length":
            if length is not None or not value.isdigit():
                raise problems.invalid("/header/content-length", "Must be one number.")
            length = int(value)
        elif name == b"transfer-encoding":
            chunked = True
    if chunked:
        length = None
    elif length is None:
        length = 0
    current = traceparent()
    if current is not None:
        headers[TRACEPARENT] = current
    elif TRACEPARENT not in headers:  # log lines and problem documents of one request share a trace id, traced or not
        headers[TRACEPARENT] = f"00-{trace_id()}-{getrandbits(64):016x}-00"
    return headers, length


def _query(raw: bytes) -> str:
    if not raw:
        return ""
    text = raw.decode("ascii") if raw.isascii() else quote_from_bytes(raw, safe="!$&'()*+,;=:@/?%[]")
    return "?" + text.replace("#", "%23")


async def _pass_back(answer: aiohttp.ClientResponse, send: Send, tokens: ConsistencyTokens) -> int:
    headers = [(name.lower(), value) for name, value in answer.raw_headers if name.lower() not in REMOVED]
    if CONSISTENCY in answer.headers:
        headers.append((CONSISTENCY.lower().encode(), tokens.seal(answer.headers[CONSISTENCY]).encode()))
    start = {"type": "http.response.start", "status": answer.status, "headers": headers}
    length = answer.content_length
    if length is not None and length <= WHOLE:
        content = await answer.read()
        await send(start)
        await send({"type": "http.response.body", "body": content})
        return answer.status
    await send(start)
    try:
        async for piece in answer.content.iter_any():
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    except aiohttp.ClientError as error:
        # It is too late for a problem document. The answer stays incomplete, which HTTP clients recognise.
        log.warning("an answer stopped early: %s", type(error).__name__)
        return answer.status
    await send({"type": "http.response.body", "body": b""})
    return answer.status


def _problem(service: str, error: aiohttp.ClientError, *, nothing_done: bool) -> problems.Problem:
    FAILED.labels(service, type(error).__name__).inc()
    log.warning("%s: %s: %s", service, type(error).__name__, error)
    if isinstance(error, aiohttp.SocketTimeoutError):
        detail = f"The service {service} did not answer in time. It may still carry out the request."
        return problems.Problem(504, "no-answer-in-time", detail, headers={"Retry-After": "5"})
    if nothing_done:
        return problems.unavailable(f"The service {service} cannot be reached now. Nothing was done.")
    return problems.unavailable(
        f"The service {service} closed the connection before it answered. It is not known whether it carried out the "
        "request. Send it again with the same Idempotency-Key."
    )
