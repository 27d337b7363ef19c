"""The process that reads mails and rich text: `python -m services.intake.mail.reading_worker`, started by
reading_pool.py."""

from collections.abc import Sequence
from dataclasses import replace

from pydantic import TypeAdapter

from services.intake.mail.digest import digest
from services.intake.mail.reading import Reading, read
from shared.bounded import rich_text
from shared.bounded.serving import serve

MAIL = "mail"
READING = TypeAdapter(Reading)


def read_mail(raw: bytes) -> Sequence[bytes]:
    """The task: returns the mail's digest, the reading as JSON, and the content of each file."""
    return encoded(digest(raw), read(raw))


def encoded(key: bytes, reading: Reading) -> list[bytes]:
    contents = [file.content for file in reading.files]
    text = READING.dump_json(replace(reading, files=tuple(replace(file, content=b"") for file in reading.files)))
    return [key, text, *contents]


def decoded(pieces: Sequence[bytes]) -> tuple[bytes, Reading]:
    """The inverse of `encoded`."""
    key, text, *contents = pieces
    reading = READING.validate_json(text)
    named = zip(reading.files, contents, strict=True)
    return key, replace(reading, files=tuple(replace(file, content=content) for file, content in named))


if __name__ == "__main__":
    serve({MAIL: read_mail, rich_text.TASK: rich_text.answered})
