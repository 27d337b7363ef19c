"""The trace id that a request shares with its problem document and log lines, with tracing on or off."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token

_trace: ContextVar[str | None] = ContextVar("trace", default=None)
_ticket: ContextVar[str | None] = ContextVar("ticket", default=None)


def trace_id() -> str:
    """The current trace id, 32 hex digits: of the current span, else a new one for this context."""
    known = _trace.get()
    if known is None:
        known = new_trace_id()
        _trace.set(known)
    return known


def current_trace_id() -> str | None:
    """The current trace id, if there is one."""
    return _trace.get()


def new_trace_id() -> str:
    return secrets.token_hex(16)


def enter_trace(value: str) -> Token[str | None]:
    """Sets the trace id of this context; `leave_trace` takes the token."""
    return _trace.set(value)


def leave_trace(token: Token[str | None]) -> None:
    _trace.reset(token)


@contextmanager
def about_ticket(ticket: object) -> Iterator[None]:
    """Log lines written inside name this ticket's id."""
    token = _ticket.set(str(ticket))
    try:
        yield
    finally:
        _ticket.reset(token)


def current_ticket() -> str | None:
    return _ticket.get()
