"""Bounds on what one request may send, and on how many run at once."""

from collections.abc import Callable
from typing import Any, TypeVar

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.http import problems
from shared.runtime.concurrency import ConcurrencyLimit
from shared.telemetry.asgi import PROBES

SMALL_BODY = 4 << 10
"""Bytes of a body that holds a few short values, above all of one that is read before it is known who sends it."""
JSON_BODY = 2 << 20
"""Bytes of any other JSON body: a text of the longest kind (1 000 000 letters) fits in UTF-8 in most scripts."""
MAX_BODY = 32 << 20
"""Bytes of a raw mail or of files (api.md, section 1)."""
MOST_VALUES = 2_000
"""Values in a JSON body, unless a route takes more: a command on 200 tickets with 300 recipients has a quarter of that. What is made of each
is work on the event loop, most for values that nobody asked for, and for whoever asks, whatever they may do."""
_DRAINED = 64 << 20
"""A refused body up to this length is read and thrown away by the server, so that a client that sends first and listens
then gets its answer; for a longer one the connection is closed."""

RUNNING = "ledgerdesk.running"
"""Where a request's scope has its `Running`."""
_MARK = "body_limit"

F = TypeVar("F", bound=Callable[..., Any])


def body_limit(most: int, *, values: int | None = MOST_VALUES) -> Callable[[F], F]:
    """Marks an endpoint of a StrictRoute with the bytes that its body may have, and the values if it is JSON (None: any number).
    Without it that is JSON_BODY and MOST_VALUES."""

    def mark(endpoint: F) -> F:
        setattr(endpoint, _MARK, (most, values))
        return endpoint

    return mark


def limits_of(endpoint: Callable[..., Any]) -> tuple[int, int | None]:
    """Bytes and values that a body for this endpoint may have."""
    found: tuple[int, int | None] = getattr(endpoint, _MARK, (JSON_BODY, MOST_VALUES))
    return found


def bounded(scope: Scope, receive: Receive, most: int) -> Receive:
    """`receive` for a body of at most so many bytes. Raises Problem 413 for a longer one, before it is read if it says its length,
    else as soon as it is longer; 422 for a length that is none."""
    length: bytes | None = None
    chunked = False
    for name, value in scope["headers"]:
        if name == b"content-length":
            length = value
        elif name == b"transfer-encoding":
            chunked = True
    if chunked:
        return _counted(receive, most)
    if length is None:
        return receive
    if not length.isdigit() or len(length) > 18:
        raise problems.invalid("/header/content-length", "is not a length")
    if int(length) > most:
        raise _too_large(most, close=int(length) > _DRAINED)
    return receive


def _counted(receive: Receive, most: int) -> Receive:
    taken = 0

    async def counting() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > most:
            raise _too_large(most, close=True)
        return message

    return counting


def _too_large(most: int, *, close: bool) -> problems.Problem:
    size = f"{most >> 20} MiB" if most >> 20 else f"{most >> 10} KiB" if most >> 10 else f"{most} bytes"
    problem = problems.too_large(f"The body of this request is at most {size}.")
    if close:
        problem.headers["Connection"] = "close"
    return problem


def nobody(_: Scope) -> str:
    """All callers are one: of a service that only the gateway calls."""
    return ""


class Running:
    """The places that one request holds: its address's while it works, and its person's, once it is known who asks, to its end."""

    def __init__(self, addresses: ConcurrencyLimit, people: ConcurrencyLimit, address: str) -> None:
        self._addresses, self._people = addresses, people
        self._address, self._person = address, ""
        self._works = False

    def work(self) -> None:
        """Takes the address's place. Raises Problem 503 where there is none."""
        if not self._works:
            self._works = self._addresses.take(self._address)
        if not self._works:
            raise problems.unavailable("Too many requests are running.")

    def rest(self) -> None:
        """Gives the address's place back while the request waits for its caller."""
        if self._works:
            self._addresses.give_back(self._address)
            self._works = False

    def count_for(self, person: str) -> None:
        """It is this person's. Raises Problem 429 when they have too many running."""
        if not self._person:
            if not self._people.take(person):
                raise problems.too_many(1, "Too many of your requests are running.")
            self._person = person

    def end(self) -> None:
        self.rest()
        if self._person:
            self._people.give_back(self._person)
            self._person = ""


class RunningLimit:
    """ASGI middleware: when no place of `addresses` is left for a caller, the request is refused with 503. Probes always pass.

    A request that waits for its body does not hold one: what a caller has not sent keeps nobody else from being served.
    """

    def __init__(
        self,
        app: ASGIApp,
        addresses: ConcurrencyLimit,
        people: ConcurrencyLimit | None = None,
        address: Callable[[Scope], str] = nobody,
    ) -> None:
        self.app, self.addresses, self.address = app, addresses, address
        self.people = people or ConcurrencyLimit(addresses.most, addresses.most)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in PROBES:
            await self.app(scope, receive, send)
            return
        running = scope[RUNNING] = Running(self.addresses, self.people, self.address(scope))
        try:
            running.work()
        except problems.Problem as problem:
            await problem.response()(scope, receive, send)
            return
        complete = False

        async def waiting() -> Message:
            nonlocal complete
            if complete:  # the application listens for the caller's hanging up, and works meanwhile
                return await receive()
            running.rest()
            message = await receive()
            complete = not message.get("more_body", False)
            running.work()
            return message

        try:
            await self.app(scope, waiting, send)
        finally:
            running.end()
