"""Durable files. obstore's LocalStore never calls fsync, so a file URL is written here (decision record 0020)."""

import os
import secrets
from pathlib import Path

SHARDS = (*(f"{n:02x}" for n in range(256)), "uploads")
"""Directories below the root, named like the first two digits of a file, and the one of uploads: few enough to be made once, so that a
write costs two flushes and no more."""


class DurableFiles:
    """Writes files below a root; on return they survive a power cut. Safe to use from several threads and processes.

    The root itself is made once, at the start: where it is gone later (a volume that is not mounted), nothing may be written in
    its place.
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
        """Writes a file unless it is there. Raises OSError."""
        target = self.root / path
        if not target.exists():
            try:
                _write(target, content)
            except FileNotFoundError:
                self._make_shards()  # they were taken away since; this fails too if the root was
                _write(target, content)
        # Also when it was there: whoever wrote it may not have come to this point yet.
        _flush(target.parent)


def _write(target: Path, content: bytes) -> None:
    """Content first, name last: a name that can be seen stands for the whole content."""
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
