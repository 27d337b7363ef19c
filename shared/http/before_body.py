"""Dependencies that a StrictRoute calls before it reads the body: callers who may not send one are refused first.

FastAPI reads and parses a body before it calls the first dependency.
"""

from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any, TypeVar

from fastapi import Request
from fastapi.dependencies.models import Dependant

Check = Callable[[Request], Awaitable[object]]
F = TypeVar("F", bound=Callable[[Request], Coroutine[Any, Any, Any]])

_MARK = "before_body"


def before_body(function: F) -> F:
    """Marks a dependency that takes the request alone.

    FastAPI calls it again for its value: what costs much is to be kept in the request's scope.
    """
    setattr(function, _MARK, True)
    return function


def checks_of(dependant: Dependant) -> Iterator[Check]:
    """The marked dependencies of a route, in FastAPI's order."""
    for part in dependant.dependencies:
        if part.call is not None and hasattr(part.call, _MARK):
            yield part.call
        else:
            yield from checks_of(part)
