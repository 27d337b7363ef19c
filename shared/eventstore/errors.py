"""Ways in which an append or a command can fail."""

from uuid import UUID


class Raced(Exception):
    """Another writer recorded something first that the decision did not know of: read again and decide again."""


class VersionConflict(Raced):
    """The stream is not at the version that the append expects."""

    def __init__(self, stream: UUID, current: int | None = None) -> None:
        super().__init__(f"stream {stream} has moved on")
        self.stream, self.current = stream, current


class PreconditionFailed(Exception):
    """The stream is not at the version that the caller requires (`If-Match`). Deciding again does not help."""

    def __init__(self, stream: UUID, current: int) -> None:
        super().__init__(f"stream {stream} is at version {current}")
        self.stream, self.current = stream, current


class CommandReused(Exception):
    """A command with the same id had different content."""


class CommandRunning(Exception):
    """The same command is running at this moment."""


class UnknownStream(Exception):
    """There is no such stream here."""

    def __init__(self, stream: UUID) -> None:
        super().__init__(f"no stream {stream}")
        self.stream = stream


class NotOurs(Exception):
    """The event belongs to another service. Only its owner may record it."""


class EventTooLarge(ValueError):
    """The event does not fit into one record of the log. `size` and `most` in bytes."""

    def __init__(self, type_name: str, size: int, most: int) -> None:
        super().__init__(f"{type_name} takes {size} bytes of at most {most}; larger content belongs in a blob")
        self.size, self.most = size, most
