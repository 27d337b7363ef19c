"""A decider's refusal."""


class Rejected(Exception):
    """The state or the rules of the ticket do not allow a command. `reason` is a sentence for the person."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
