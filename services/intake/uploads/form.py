"""Reads the files of a `multipart/form-data` body while it arrives (RFC 7578). Large files go to temporary files, not
into memory."""

import asyncio
import hashlib
import os
import re
from collections.abc import AsyncIterable, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import Message
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError

from shared.file_names import safe_name

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

MOST_FILES = 20
MOST_PARTS = 100
IN_MEMORY = 256 * 1024
"""Bytes of each file, so that slow uploads cost little memory."""
LONGEST_HEAD = 8 * 1024
"""Bytes of a part's header: it is held in memory, and its parser is slow on long ones."""
_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,60}/[a-z0-9][a-z0-9!#$&^_.+-]{0,60}")


class FormWrong(ValueError):
    """The body is not a form with files; the text tells the sender why."""


@dataclass(slots=True)
class SentFile:
    """A file of a form. `digest` is its content's SHA-256 so far."""

    name: str
    type: str
    content: "SpooledTemporaryFile[bytes]"
    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    @property
    def size(self) -> int:
        """Bytes of the content."""
        return self.content.seek(0, os.SEEK_END)

    def bytes(self) -> bytes:
        self.content.seek(0)
        return self.content.read()


@asynccontextmanager
async def sent_files(content_type: str, pieces: AsyncIterable[bytes]) -> AsyncIterator[list[SentFile]]:
    """The files of a body, until the block ends. Raises FormWrong."""
    form = _Form()
    try:
        parser = MultipartParser(_boundary(content_type), form.callbacks())
        async for piece in pieces:
            parser.write(piece)
            await form.store()
        parser.finalize()
        if not form.ended or form.open_part:
            raise FormWrong("The form ends too early.")
        if not form.files:
            raise FormWrong("The form has no file.")
        yield form.files
    except FormParserError as error:
        raise FormWrong("The body is not valid multipart/form-data.") from error
    finally:
        for file in form.files:
            file.content.close()


class _Form:
    """What the parser has seen so far. Its callbacks must not block, so contents are stored between two pieces of the
    body."""

    def __init__(self) -> None:
        self.files: list[SentFile] = []
        self.ended = self.open_part = False
        self._parts = self._head_bytes = 0
        self._headers: dict[str, str] = {}
        self._name, self._value = bytearray(), bytearray()
        self._file: SentFile | None = None
        self._waiting: list[tuple[SentFile, bytes]] = []

    def callbacks(self) -> "MultipartCallbacks":
        return {
            "on_part_begin": self._part_begins,
            "on_header_field": lambda data, start, end: self._head(self._name, data[start:end]),
            "on_header_value": lambda data, start, end: self._head(self._value, data[start:end]),
            "on_header_end": self._header_ends,
            "on_headers_finished": self._headers_end,
            "on_part_data": self._content,
            "on_part_end": self._part_ends,
            "on_end": self._ends,
        }

    async def store(self) -> None:
        """Writes to the files what has arrived since."""
        waiting, self._waiting = self._waiting, []
        for file, content in waiting:
            file.digest.update(content)
            if file.content.tell() + len(content) > IN_MEMORY:
                await asyncio.to_thread(file.content.write, content)
            else:
                file.content.write(content)

    def _part_begins(self) -> None:
        self._parts += 1
        if self._parts > MOST_PARTS:
            raise FormWrong(f"The form has more than {MOST_PARTS} parts.")
        self._headers, self._file, self.open_part = {}, None, True
        self._head_bytes = 0

    def _head(self, part: bytearray, data: bytes) -> None:
        self._head_bytes += len(data)
        if self._head_bytes > LONGEST_HEAD:
            raise FormWrong("The header of a part of the form is too long.")
        part.extend(data)

    def _header_ends(self) -> None:
        name = self._name.decode("latin-1").strip().lower()
        self._headers[name] = self._value.decode("utf-8", "replace").strip()
        self._name.clear()
        self._value.clear()

    def _headers_end(self) -> None:
        sent = filename(self._headers.get("content-disposition", ""))
        if sent is None:
            return  # a field, not a file
        if len(self.files) == MOST_FILES:
            raise FormWrong(f"The form has more than {MOST_FILES} files.")
        media_type = safe_type(self._headers.get("content-type"))
        self._file = SentFile(safe_name(sent, media_type), media_type, SpooledTemporaryFile(max_size=IN_MEMORY))  # noqa: SIM115
        self.files.append(self._file)

    def _content(self, data: bytes, start: int, end: int) -> None:
        if self._file is not None:
            self._waiting.append((self._file, data[start:end]))

    def _part_ends(self) -> None:
        self.open_part = False

    def _ends(self) -> None:
        self.ended = True


def _boundary(content_type: str) -> bytes:
    boundary = _parameters(content_type).get_param("boundary")
    if not isinstance(boundary, str) or not boundary or not boundary.isascii():
        raise FormWrong("The form has no boundary.")
    return boundary.encode()


def filename(disposition: str) -> str | None:
    """The name of a part's file; None for a part that is not a file. An extended name (RFC 5987, RFC 2231) has
    precedence, because it tells its charset; RFC 7578 forbids it here, but libraries send it."""
    names = list(_names(disposition))
    return next((name for extended, name in names if extended), names[0][1] if names else None)


def _names(disposition: str) -> Iterator[tuple[bool, str]]:
    """Each name, and whether it is an extended one."""
    for key, value in _parameters(disposition).get_params(failobj=[]):
        if key.lower() != "filename":
            continue
        if isinstance(value, tuple):
            charset, _, text = value
            try:
                yield True, text.encode("latin-1").decode(charset or "utf-8", "replace")
            except (LookupError, UnicodeError):
                yield False, text
        else:
            yield False, value


def _parameters(header: str) -> Message:
    message = Message()
    # Message would take a line break for the start of another header.
    message["Content-Type"] = " ".join(header.splitlines())
    return message


def safe_type(media_type: str | None) -> str:
    """A media type without parameters; `application/octet-stream` if it is not valid."""
    plain = (media_type or "").partition(";")[0].strip().lower()
    return plain if _TYPE.fullmatch(plain) else "application/octet-stream"
