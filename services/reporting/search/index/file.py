"""The index file of a process: opening it, writing it in transactions, reading it in threads."""

import fcntl
import hashlib
import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw

from services.reporting.search.index.schema import BLOCK, DDL, KEYS, ROW_COLUMNS, SHAPE, TEXT_COLUMNS, TITLE_COLUMNS
from services.reporting.search.text.words import fold

PRAGMAS = "PRAGMA busy_timeout = 5000; PRAGMA cache_size = -16384; PRAGMA temp_store = MEMORY"
WRITING = "PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 2000; PRAGMA journal_size_limit = 67108864"
NEW = "PRAGMA page_size = 8192; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL"
MOST_SLOTS = 64
SUFFIXES = ("", "-wal", "-shm", "-journal")

_quoted = ", ".join(f'"{column}"' for column in (*TEXT_COLUMNS, KEYS))
_SET_WORDS = f"INSERT INTO words (rowid, {_quoted}) VALUES ({', '.join('?' * (len(TEXT_COLUMNS) + 2))})"
_quoted = ", ".join(f'"{column}"' for column in TITLE_COLUMNS)
_SET_TITLES = f"INSERT INTO titles (rowid, {_quoted}) VALUES ({', '.join('?' * (len(TITLE_COLUMNS) + 1))})"
_columns = ("ticket", "living", "events", "digest", *ROW_COLUMNS)
_SET_DOC = f"""
INSERT INTO docs ({", ".join(_columns)}) VALUES ({", ".join("?" * len(_columns))})
ON CONFLICT (ticket) DO UPDATE SET {", ".join(f"{column} = excluded.{column}" for column in _columns[1:])}
RETURNING doc
"""
_SET_BLOCK = """
INSERT INTO blocks VALUES (?1, ?2, ?2, ?3, ?3)
ON CONFLICT (block) DO UPDATE
   SET min_created_at = min(min_created_at, ?2), max_created_at = max(max_created_at, ?2),
       min_updated_at = min(min_updated_at, ?3), max_updated_at = max(max_updated_at, ?3)
"""
_SET_PLACE = "INSERT INTO place VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"


class Unusable(Exception):
    """The file is missing, damaged or of another shape: it must be built anew."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What the index holds of a ticket. `texts`: its columns of `words`, None if it has none (merged, removed).

    `row` are the values of `ROW_COLUMNS`. `digest` tells whether the texts have changed.
    """

    ticket: bytes
    living: bytes | None
    events: int
    digest: bytes | None
    row: tuple[Any, ...]
    texts: dict[str, str] | None
    tags: tuple[str, ...] = ()


class Slot:
    """The folder of one process below the search directory, locked while the process runs."""

    def __init__(self, directory: Path) -> None:
        """Takes the first free slot. Raises OSError if there is none."""
        for number in range(1, MOST_SLOTS + 1):
            path = directory / f"slot-{number}"
            path.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(descriptor)
                continue
            self.path, self._descriptor = path, descriptor
            return
        raise OSError(f"{directory} has no free slot: {MOST_SLOTS} processes use it")

    def file(self, generation: int) -> Path:
        return self.path / f"search_v{generation}.db"

    def files(self) -> dict[int, Path]:
        """The files in this slot by generation."""
        found = {path.stem.removeprefix("search_v"): path for path in self.path.glob("search_v*.db")}
        return {int(number): path for number, path in found.items() if number.isdecimal()}

    def close(self) -> None:
        os.close(self._descriptor)


def files_of(directory: Path, generation: int) -> list[Path]:
    """The files of a generation in all slots below the search directory."""
    return sorted(directory.glob(f"slot-*/search_v{generation}.db"))


def remove(path: Path) -> None:
    """Removes an index file with what SQLite keeps beside it."""
    for suffix in SUFFIXES:
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def size(path: Path) -> int:
    """Bytes on disk."""
    beside = (path.with_name(path.name + suffix) for suffix in SUFFIXES)
    return sum(each.stat().st_size for each in beside if each.exists())


class IndexFile:
    """The writing side. Only one thread at a time may use it."""

    def __init__(self, path: Path, *, create: bool = False) -> None:
        """Opens a file of this shape, or makes an empty one. Raises Unusable."""
        self.path = path
        if create:
            remove(path)
        elif not path.exists():
            raise Unusable(f"{path.name} is missing")
        try:
            self.connection = apsw.Connection(str(path))
            if create:
                self.connection.execute(NEW)
            self.connection.execute(f"{PRAGMAS}; {WRITING}")
            if create:
                with self.connection:
                    for statement in DDL:
                        self.connection.execute(statement)
                    self.set_place("shape", SHAPE)
                    self.set_place("id", str(uuid.uuid4()))
            if self.place("shape") != SHAPE:
                raise Unusable(f"{path.name} has another shape")
        except (apsw.CorruptError, apsw.NotADBError, apsw.SQLError) as error:
            raise Unusable(f"{path.name}: {error}") from error

    def close(self) -> None:
        self.connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")

    def place(self, name: str) -> str | None:
        """A value that was set in a transaction of the index."""
        found: str | None = self.connection.execute("SELECT value FROM place WHERE name = ?", (name,)).get
        return found

    def set_place(self, name: str, value: str) -> None:
        """Sets a value; within a transaction."""
        self.connection.execute(_SET_PLACE, (name, value))

    def known(self, tickets: Sequence[bytes]) -> dict[bytes, tuple[int, bytes | None, bytes | None]]:
        """The events, the digest and the living ticket of these tickets, as far as they are indexed."""
        places = ", ".join("?" * len(tickets))
        rows = self.connection.execute(
            f"SELECT ticket, events, digest, living FROM docs WHERE ticket IN ({places})", tuple(tickets)
        )
        return {ticket: (events, digest, living) for ticket, events, digest, living in rows}

    def between(self, after: bytes, last: bytes) -> list[tuple[bytes, int]]:
        """The indexed tickets whose ids are in this interval, with their events."""
        statement = "SELECT ticket, events FROM docs WHERE ticket > ? AND ticket <= ?"
        return list(self.connection.execute(statement, (after, last)))

    def has(self, entry: Entry) -> bool:
        """Whether the file holds just this of a ticket, as far as the row and the digest of the texts tell."""
        row = self.connection.execute(
            f"SELECT {', '.join(_columns)} FROM docs WHERE ticket = ?", (entry.ticket,)
        ).fetchone()
        return row == (entry.ticket, entry.living, entry.events, entry.digest, *entry.row)

    def put(self, entry: Entry) -> None:
        """Adds or replaces what is indexed of a ticket; within a transaction.

        If its texts are the same, only the row is written.
        """
        connection = self.connection
        before = connection.execute("SELECT doc, digest FROM docs WHERE ticket = ?", (entry.ticket,)).fetchone()
        values = (entry.ticket, entry.living, entry.events, entry.digest, *entry.row)
        doc: int = connection.execute(_SET_DOC, values).get
        connection.execute(_SET_BLOCK, (doc // BLOCK, entry.row[_CREATED], entry.row[_UPDATED]))
        if before is not None and before[1] == entry.digest:
            return
        connection.execute("DELETE FROM tags WHERE doc = ?", (doc,))
        connection.executemany("INSERT OR IGNORE INTO tags VALUES (?, ?, ?)", ((fold(t), t, doc) for t in entry.tags))
        if before is not None and before[1] is not None:
            connection.execute("DELETE FROM words WHERE rowid = ?", (doc,))
            connection.execute("DELETE FROM titles WHERE rowid = ?", (doc,))
        if entry.texts is not None:
            connection.execute(_SET_WORDS, (doc, *(entry.texts.get(each, "") for each in (*TEXT_COLUMNS, KEYS))))
            connection.execute(_SET_TITLES, (doc, *(entry.texts.get(each, "") for each in TITLE_COLUMNS)))

    def delete(self, ticket: bytes) -> None:
        """Removes a ticket that is not in the read model any more."""
        row = self.connection.execute("SELECT doc, digest FROM docs WHERE ticket = ?", (ticket,)).fetchone()
        if row is None:
            return
        if row[1] is not None:
            self.connection.execute("DELETE FROM words WHERE rowid = ?", (row[0],))
            self.connection.execute("DELETE FROM titles WHERE rowid = ?", (row[0],))
        self.connection.execute("DELETE FROM tags WHERE doc = ?", (row[0],))
        self.connection.execute("DELETE FROM docs WHERE doc = ?", (row[0],))

    def tidy(self, pages: int = 500) -> None:
        """Merges a part of the index, for times without other work."""
        with self.transaction():
            for table in ("words", "titles"):
                self.connection.execute(f"INSERT INTO {table} ({table}, rank) VALUES ('merge', ?)", (pages,))

    def optimize(self) -> None:
        """Merges the whole index, at the end of a build."""
        for table in ("words", "titles"):
            self.connection.execute(f"INSERT INTO {table} ({table}) VALUES ('optimize')")
        self.connection.execute("PRAGMA incremental_vacuum; PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def vocabulary(self) -> bytes:
        """A digest of all words, with how often each is in how many tickets."""
        digest = hashlib.blake2b(digest_size=16)
        for row in self.connection.execute("SELECT term, doc, cnt FROM vocabulary ORDER BY term"):
            digest.update(repr(row).encode())
        return digest.digest()

    def check(self) -> None:
        """Raises Unusable if the file is damaged."""
        try:
            found = self.connection.execute("PRAGMA quick_check(1)").get
            for table in ("words", "titles"):
                self.connection.execute(f"INSERT INTO {table} ({table}, rank) VALUES ('integrity-check', 0)")
        except apsw.Error as error:
            raise Unusable(f"{self.path.name}: {error}") from error
        if found != "ok":
            raise Unusable(f"{self.path.name}: {found}")


_CREATED, _UPDATED = (list(ROW_COLUMNS).index(name) for name in ("created_at", "updated_at"))


class Reader:
    """One reading connection, for one thread at a time."""

    def __init__(self, path: Path) -> None:
        self.connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        self.connection.execute(f"{PRAGMAS}; PRAGMA query_only = ON")
        self._stopped = False

    def rows(self, statement: str, arguments: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Raises InterruptError once the reader is stopped."""
        if self._stopped:
            raise apsw.InterruptError("stopped")
        return self.connection.execute(statement, tuple(arguments)).fetchall()

    def interrupt(self) -> None:
        """Stops the statement that runs now, and any further one, from another thread."""
        self._stopped = True
        self.connection.interrupt()

    def go_on(self) -> None:
        """The reader is for the next question."""
        self._stopped = False

    def close(self) -> None:
        self.connection.close()
