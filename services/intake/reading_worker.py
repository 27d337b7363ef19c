"""The process that reads mails for a service: `python -m services.intake.reading_worker`, started by reading_pool.

It has no secrets, no connections and no more than its share of time and memory for a mail, because mails are written by anybody.
It takes a length and a mail on standard input, answers on standard output, and ends when its input does.
"""

import resource
import signal
import struct
import sys
from dataclasses import replace

from pydantic import TypeAdapter

from services.intake.digest import digest
from services.intake.reading import Reading, read

MAIL = struct.Struct(">QI")
"""The mail's length, and the milliseconds of processor time that its reading may take."""
ANSWER = struct.Struct(">II32s")
"""The length of the reading as JSON without its files' contents, their number, and the mail's digest; then each one's length."""
MOST_MEMORY = 2 * 1024 * 1024 * 1024

READING = TypeAdapter(Reading)


def main() -> None:
    for ignored in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ignored, signal.SIG_IGN)  # the service decides when its readers end
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, hard))
    source, answers = sys.stdin.buffer, sys.stdout.buffer
    while len(head := source.read(MAIL.size)) == MAIL.size:
        length, milliseconds = MAIL.unpack(head)
        raw = source.read(length)
        if len(raw) < length:
            return
        # The kernel ends the process when its time is over, wherever it hangs.
        signal.setitimer(signal.ITIMER_PROF, milliseconds / 1000)
        answer = encoded(digest(raw), read(raw))
        signal.setitimer(signal.ITIMER_PROF, 0)
        for piece in answer:
            answers.write(piece)
        answers.flush()


def encoded(key: bytes, reading: Reading) -> list[bytes]:
    contents = [file.content for file in reading.files]
    text = READING.dump_json(replace(reading, files=tuple(replace(file, content=b"") for file in reading.files)))
    lengths = struct.pack(f">{len(contents)}Q", *map(len, contents))
    return [ANSWER.pack(len(text), len(contents), key), lengths, text, *contents]


if __name__ == "__main__":
    main()
