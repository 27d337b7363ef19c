"""Durable files. obstore's LocalStore never calls fsync, so a file URL is written here (decision record 0020)."""

import os
import secrets
from pathlib import Path

SHARDS = (*(f"{n:02x}" for n in range(256)), "uploads", "drafts")
"""The directories below the root: one for each first two digits of a key, and those of uploads. They are created once,
so that a write needs only two flushes."""


class DurableFiles:
    """Writes files below a root; when `write` returns they survive a power cut. Safe for several threads and processes.

    The root is created once, at the start: if it is missing later (a volume that is not mounted), nothing may be
    written in its place.
    """

    def __init__(self, root: Path) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self.root = root
        self._make_shards()

    def _make_shards(self) -> None:
        for shard in SHARDS:
            (self.root / shard).mkdir(exist_ok=True)
        _flush(self.root)

    def write(self, path: str, content: bytes) -> None:
        """Writes a file unless it exists. Raises OSError."""
        target = self.root / path
        if not target.exists():
            self._write(target, content)
        # Also if it existed: another process may have written it and not flushed yet.
        _flush(target.parent)

    def replace(self, path: str, content: bytes) -> None:
        """Writes a file, also if it exists: it counts as new. Raises OSError."""
        target = self.root / path
        self._write(target, content)
        _flush(target.parent)

    def _write(self, target: Path, content: bytes) -> None:
        try:
            _write(target, content)
        except FileNotFoundError:
            self._make_shards()  # the directories were removed; this fails if the root was removed too
            _write(target, content)


def _write(target: Path, content: bytes) -> None:
    """Writes the content first and the name last, so that a file with its name is complete."""
    staged = f"{target}.{secrets.token_hex(8)}.part"
    handle = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
    try:
        try:
            rest = memoryview(content)
            while rest:
                rest = rest[os.write(handle, rest) :]
            os.fsync(handle)
        finally:
            os.close(handle)
        os.replace(staged, target)
    except BaseException:
        Path(staged).unlink(missing_ok=True)
        raise


def _flush(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
