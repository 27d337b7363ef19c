"""The targets of fuzzing: code that reads strangers' input. A target raises if a promise is broken."""

import logging
import time
from collections.abc import Callable
from pathlib import Path

from services.intake.mail.digest import digest
from services.intake.mail.quoting.reply import parse_reply
from services.intake.mail.reading import LONGEST_NAME, LONGEST_SUBJECT, MOST_FILES, read
from services.intake.mail.reading_worker import decoded, encoded
from services.intake.mail.structure import tnef
from services.intake.mail.verdict import judge
from shared.markup import richtext
from tests.specs.intake.reading.test_richtext import Seen, harmless

SEEDS = Path(__file__).parent / "seeds"
MOST_SECONDS = 2.0


def mail(data: bytes) -> None:
    """Any bytes are read as bounded text that can be stored, and survive the transfer from the reading process."""
    reading = read(data)
    assert not [w for w in reading.wrong if w.startswith("could not be read")], reading.wrong
    assert len(reading.subject) <= LONGEST_SUBJECT
    assert len(reading.files) <= MOST_FILES
    assert "\n" not in reading.subject
    for text in (reading.subject, reading.text, reading.new_text or "", reading.html or ""):
        assert "\0" not in text
        text.encode()
    for file in reading.files:
        assert 0 < len(file.name) <= LONGEST_NAME
        assert not set("/\\\n\r\0") & set(file.name)
    assert decoded(encoded(digest(data), reading))[1].text == reading.text
    judge(reading, envelope_from="", names_ticket=False, is_ours=False, from_our_address=False)


def reply(data: bytes) -> None:
    """Every line of a reply has exactly one kind, and none is changed."""
    text = data.decode("utf-8", "replace")
    found = parse_reply(text)
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    assert len(found.kinds) == len(found.lines)
    assert all(one == other or not one for one, other in zip(found.lines, lines, strict=False))


def html(data: bytes) -> None:
    """Rich text becomes harmless, and stays harmless when a browser parses it again."""
    _, safe = richtext.read(data.decode("utf-8", "replace"))
    if safe is not None:
        harmless(safe)
        again = richtext.read(safe)[1]
        assert again is None or Seen(again).tags <= Seen(safe).tags | {"tbody"}


def envelope(data: bytes) -> None:
    """Any bytes can be read as winmail.dat."""
    tnef.read(data)
    tnef.decompressed(data)


TARGETS: dict[str, Callable[[bytes], None]] = {"mail": mail, "reply": reply, "html": html, "tnef": envelope}


def run(name: str, data: bytes) -> None:
    """One input through one target, within its time."""
    logging.disable(logging.ERROR)
    started = time.process_time()
    TARGETS[name](data)
    assert time.process_time() - started < MOST_SECONDS, f"took {time.process_time() - started:.1f} s"
