"""A decider's refusal."""


class Rejected(Exception):
    """A well-formed command that the ticket's state or rules do not allow; the reason is told to the person (409)."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
