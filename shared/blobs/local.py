"""Durable files. obstore's LocalStore never calls fsync, so a file URL is written here (decision record 0020)."""

import os
import secrets
from pathlib import Path


class DurableFiles:
    """Writes files below a root; on return they survive a power cut. Safe to use from several threads and processes.

    The root itself is made once, at the start: where it is gone later (a volume that is not mounted), nothing may be written in
    its place.
    """

    def __init__(self, root: Path) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self.root = root
        self._durable: set[Path] = set()

    def write(self, path: str, content: bytes) -> None:
        """Writes a file unless it is there. Raises OSError."""
        target = self.root / path
        if not target.exists():
            try:
                self._directories(target.parent)
                _file(target, content)
            except FileNotFoundError:
                self._durable.clear()  # the directories were taken away since; the root must still be there
                self._directories(target.parent)
                _file(target, content)
        # Also when it was there: whoever wrote it may not have come to this point yet.
        _sync(target.parent)

    def _directories(self, wanted: Path) -> None:
        """Makes the directories between the root and `wanted`, each durable before anything is written into it."""
        directory = self.root
        for name in wanted.relative_to(self.root).parts:
            parent, directory = directory, directory / name
            if directory not in self._durable:
                directory.mkdir(exist_ok=True)
                _sync(parent)
                self._durable.add(directory)


def _file(target: Path, content: bytes) -> None:
    """Content first, name last: a name that can be seen stands for the whole content."""
    staged = target.with_name(f"{target.name}.{secrets.token_hex(8)}.part")
    handle = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
    try:
        try:
            rest = memoryview(content)
            while rest:
                rest = rest[os.write(handle, rest) :]
            os.fsync(handle)
        finally:
            os.close(handle)
        staged.replace(target)
    except BaseException:
        staged.unlink(missing_ok=True)
        raise


def _sync(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
