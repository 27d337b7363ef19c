"""What an append or a command can end with, other than success."""

from uuid import UUID


class VersionConflict(Exception):
    """The stream has moved on: it is not at the version that the caller expected."""

    def __init__(self, stream: UUID, current: int | None = None) -> None:
        super().__init__(f"stream {stream} has moved on")
        self.stream, self.current = stream, current


class CommandReused(Exception):
    """The same command id came with another content."""


class CommandRunning(Exception):
    """The same command is being carried out right now."""


class UnknownStream(Exception):
    """There is no such stream here."""

    def __init__(self, stream: UUID) -> None:
        super().__init__(f"no stream {stream}")
        self.stream = stream


class NotOurs(Exception):
    """An event of another service: only its owner may record it (architecture, section 1)."""


class EventTooLarge(ValueError):
    """What was decided does not fit into one record of the log; `size` and `most` in bytes."""

    def __init__(self, type_name: str, size: int, most: int) -> None:
        super().__init__(f"{type_name} takes {size} bytes of at most {most}; larger content belongs in a blob")
        self.size, self.most = size, most
