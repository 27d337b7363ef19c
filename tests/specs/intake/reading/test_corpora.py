"""Mails of public corpora: every one is read in time, and keeps its words. Not shipped; skipped where they are
absent."""

import time
from pathlib import Path

import pytest

from services.intake.mail.digest import digest
from services.intake.mail.reading import read

CORPORA = Path(__file__).parents[5] / "shared" / "corpora"
FOLDERS = (
    "stalwart-mail-parser",
    "ruby-mail",
    "rspamd",
    "sisimai-set-of-emails",
    "flufl.bounce",
    "talon",
    "discourse-email_reply_trimmer",
    "dompurify-xss",
)


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_mail_of_the_corpora_is_read_in_time(folder: str) -> None:
    if not (CORPORA / folder).is_dir():
        pytest.skip(f"../shared/corpora/{folder} is not here")
    count = 0
    for path in sorted((CORPORA / folder).rglob("*")):
        if not path.is_file():
            continue
        raw = path.read_bytes()
        started = time.process_time()
        reading = read(raw)
        assert time.process_time() - started < 3, path
        assert not [w for w in reading.wrong if w.startswith("could not be read")], path
        assert len(digest(raw)) == 32
        for text in (reading.subject, reading.text, reading.html or ""):
            text.encode()
            assert "\x00" not in text, path
        count += 1
    assert count > 0
