"""Limits on the body of a request, and on concurrent requests."""

from collections.abc import Callable
from typing import Any, TypeVar

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.http import problems
from shared.runtime.concurrency import ConcurrencyLimit
from shared.telemetry.asgi import PROBES

SMALL_BODY = 4 << 10
"""Bytes of a body with a few short values, especially one that is read before the caller is known."""
JSON_BODY = 2 << 20
"""Bytes of any other JSON body. The longest text (1 000 000 letters) fits in UTF-8 in most scripts."""
MAX_BODY = 32 << 20
"""Bytes of a raw mail or of files."""
MOST_VALUES = 2_000
"""Values in a JSON body, unless a route allows more. A command on 200 tickets with 300 recipients has a quarter of
that. Each value costs time on the event loop, even one that is refused, and from callers without any rights."""
_DRAINED = 64 << 20
"""A refused body up to this length is read and discarded, so that a client which listens only after sending gets the
response. For a longer body the connection is closed."""

RUNNING = "ledgerdesk.running"
"""The key of a request's `Running` in its scope."""
_MARK = "body_limit"

F = TypeVar("F", bound=Callable[..., Any])


def body_limit(most: int, *, values: int | None = MOST_VALUES) -> Callable[[F], F]:
    """Sets the limits of an endpoint of a StrictRoute: bytes of the body, and values if it is JSON (None: any number).

    The default is JSON_BODY and MOST_VALUES.
    """

    def mark(endpoint: F) -> F:
        setattr(endpoint, _MARK, (most, values))
        return endpoint

    return mark


def limits_of(endpoint: Callable[..., Any]) -> tuple[int, int | None]:
    """The limits of an endpoint: bytes and values of a body."""
    found: tuple[int, int | None] = getattr(endpoint, _MARK, (JSON_BODY, MOST_VALUES))
    return found


def bounded(scope: Scope, receive: Receive, most: int) -> Receive:
    """`receive` for a body of at most `most` bytes.

    Raises Problem 413 for a longer body: before it is read if its length is declared, else as soon as it is longer.
    Raises Problem 422 for an invalid length.
    """
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
        raise problems.invalid("/header/content-length", "This is not a valid length.")
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
    problem = problems.too_large(f"The body of this request may have at most {size}.")
    if close:
        problem.headers["Connection"] = "close"
    return problem


def single_caller(_: Scope) -> str:
    """The address of all callers of a service that only the gateway calls."""
    return ""


class Running:
    """The slots of one request.

    It holds a slot of its address while it works, and a slot of its person from authentication to its end.
    """

    def __init__(self, addresses: ConcurrencyLimit, people: ConcurrencyLimit, address: str) -> None:
        self._addresses, self._people = addresses, people
        self._address, self._person = address, ""
        self._works = self._left = False

    def work(self) -> None:
        """Takes a slot of the address. Raises Problem 503 if there is none."""
        if not self._works and not self._left:
            self._works = self._addresses.take(self._address)
        if not self._works and not self._left:
            raise problems.unavailable("Too many requests are running.")

    def rest(self) -> None:
        """Gives the address's slot back while the request waits for its caller."""
        if self._works:
            self._addresses.give_back(self._address)
            self._works = False

    def count_for(self, person: str) -> None:
        """Takes a slot of the person, once. Raises Problem 429 if too many of their requests are running."""
        if not self._person:
            if not self._people.take(person):
                raise problems.too_many(1, "Too many of your requests are running.")
            self._person = person

    def leave(self) -> None:
        """Gives both slots back for good: the request stays open, and its kind has a limit of its own."""
        self._left = True
        self.end()

    def end(self) -> None:
        self.rest()
        if self._person:
            self._people.give_back(self._person)
            self._person = ""


class RunningLimit:
    """ASGI middleware that limits concurrent requests: without a free slot a request is refused with 503.

    A request that waits for its body holds no slot, so slow senders do not block others. Probes always pass.
    """

    def __init__(
        self,
        app: ASGIApp,
        addresses: ConcurrencyLimit,
        people: ConcurrencyLimit | None = None,
        address: Callable[[Scope], str] = single_caller,
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
            if complete:  # the application works, and waits for a disconnect meanwhile
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
