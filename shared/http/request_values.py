"""Values that routes take from a request without FastAPI's dependency solver.

The solver costs 40 us of CPU for each dependency, which was a third of a small command. A function marked with `reads_request` is
still an ordinary dependency; a StrictRoute calls it itself, before the body is validated.
"""

import functools
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, TypeVar, get_args

from fastapi import Request
from fastapi.params import Depends

Reader = Callable[[Request], Awaitable[Any]]
Endpoint = Callable[..., Any]
F = TypeVar("F", bound=Callable[[Request], Coroutine[Any, Any, Any]])

_MARK = "reads_request"
_VALUES = "ledgerdesk.values"
_REQUEST = "request_of_the_values"


def reads_request(function: F) -> F:
    """Marks a dependency that takes the request alone and has no clean-up."""
    setattr(function, _MARK, True)
    return function


def readers(endpoint: Endpoint) -> dict[str, Reader]:
    """The marked dependencies of an endpoint, by parameter."""
    found: dict[str, Reader] = {}
    for name, parameter in inspect.signature(endpoint).parameters.items():
        for part in get_args(parameter.annotation)[1:]:
            if isinstance(part, Depends) and part.dependency is not None and hasattr(part.dependency, _MARK):
                found[name] = part.dependency
    return found


def without(endpoint: Endpoint, taken: Mapping[str, Reader]) -> Endpoint:
    """The endpoint as FastAPI is to see it: without these parameters, which `read` has put aside for it."""
    if not taken:
        return endpoint
    signature = inspect.signature(endpoint)
    own = next((name for name, parameter in signature.parameters.items() if parameter.annotation is Request), None)
    kept = [parameter for name, parameter in signature.parameters.items() if name not in taken]
    if own is None:
        kept.append(inspect.Parameter(_REQUEST, inspect.Parameter.KEYWORD_ONLY, annotation=Request))

    @functools.wraps(endpoint)
    async def filled(**values: Any) -> Any:
        request: Request = values.pop(_REQUEST) if own is None else values[own]
        return await endpoint(**values, **request.scope[_VALUES])

    filled.__signature__ = signature.replace(parameters=kept)  # type: ignore[attr-defined]
    return filled


async def read(request: Request, taken: Mapping[str, Reader]) -> None:
    """Calls the functions in the order of the parameters; whatever one raises ends the request."""
    request.scope[_VALUES] = {name: await reader(request) for name, reader in taken.items()}
