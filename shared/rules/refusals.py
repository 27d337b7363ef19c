"""Why an operation refuses a request, in words for whoever sent it. Nothing here knows of HTTP: `shared/http/serving/failures.py` makes
problem documents of refusals. A decider's refusal is `shared.rules.rejected.Rejected`."""

from dataclasses import dataclass

ArgumentPath = tuple[str | int, ...]
"""Where an argument stands in a request: `("customer", "email")`, `("attachments", 2)`; empty for the request as a whole."""


class Refusal(Exception):
    """The base of all refusals. `detail` is a sentence for the person."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class NotFound(Refusal):
    """There is no such object, or this person may not see it."""

    def __init__(self, detail: str = "There is no such thing, or you may not see it.") -> None:
        super().__init__(detail)


class Forbidden(Refusal):
    """The person sees the object but may not do this."""


class Unavailable(Refusal):
    """Something that this needs is missing now. Nothing was done; the same request may succeed later."""


class TooLarge(Refusal):
    """The request is larger than it may ever be."""


class QuotaExceeded(Refusal):
    """The person's quota is used up; `retry_after` in seconds."""

    def __init__(self, detail: str, retry_after: int) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class InvalidArgument:
    """What is wrong with one argument of a request."""

    path: ArgumentPath
    detail: str


class Invalid(Refusal):
    """Some arguments of the request are not valid."""

    def __init__(self, *arguments: InvalidArgument) -> None:
        super().__init__(" ".join(each.detail for each in arguments))
        self.arguments = arguments


def invalid(*path: str | int, detail: str) -> Invalid:
    """A refusal of one argument: `raise invalid("customer", "email", detail="This is not your address.")`."""
    return Invalid(InvalidArgument(path, detail))
