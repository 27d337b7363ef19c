"""Text that mail programs write around an answer is not part of it, in any language; what people
write stays."""

import pytest

from services.intake.mail.quoting.reply import new_text, parse_reply
from services.intake.mail.reading import read
from tests.specs.intake.quoting.replies import ATTRIBUTIONS, DISCLAIMERS, FOOTERS, LETTERS, RICH_REPLIES

ANSWER = "Yes, it is on.\nIt still hums."
QUESTION = "Hello Jane,\n\nis the printer on the third floor switched on?\n\nHelpdesk"


def marked(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in text.split("\n"))


@pytest.mark.parametrize("program", ATTRIBUTIONS)
def test_what_a_program_writes_over_a_quote(program: str) -> None:
    over = ATTRIBUTIONS[program]
    for quote in (
        f"{over}\n{QUESTION}",
        f"{over}\n\n{QUESTION}",
        f"{over}\n{marked(QUESTION)}",
        f"{over}\n\n{marked(QUESTION)}",
    ):
        assert new_text(f"{ANSWER}\n\n{quote}\n") == ANSWER
    assert new_text(f"{ANSWER}\n\n{marked(over)}\n>\n{marked(QUESTION)}\n") == ANSWER
    assert new_text(f"{ANSWER}\n\nSent from my iPhone\n\n{over}\n\n{marked(QUESTION)}\n\n") == ANSWER


@pytest.mark.parametrize("which", DISCLAIMERS)
def test_what_firms_write_under_every_letter(which: str) -> None:
    found = parse_reply(
        f"It works now.\n\nKind regards,\nJane\n\n{DISCLAIMERS[which]}\n\nOn 26/11/2026 09:04, Helpdesk wrote:\n> Is it on?"
    )
    assert (found.new_text, found.disclaimer) == ("It works now.\n\nKind regards,\nJane", DISCLAIMERS[which])


@pytest.mark.parametrize("footer", FOOTERS)
def test_what_programs_write_under_every_letter(footer: str) -> None:
    assert new_text(f"It works now.\n\n{footer}") == "It works now."
    found = parse_reply(f"It works now.\n\n{footer}\n\nOn 26/11/2026 09:04, Helpdesk wrote:\n> Is it on?")
    assert (found.new_text, found.signature) == ("It works now.", footer)


@pytest.mark.parametrize("letter", LETTERS)
def test_plain_replies_of_programs(letter: str) -> None:
    text, new = LETTERS[letter]
    assert new_text(text).split() == new.split()


@pytest.mark.parametrize("program", RICH_REPLIES)
def test_rich_text_of_programs(program: str) -> None:
    reading = read(b"Content-Type: text/html; charset=utf-8\n\n" + RICH_REPLIES[program].encode())
    assert (reading.new_text or "").split() == ["It", "works", "now.", "Thanks"]
    assert len(reading.text) > len(reading.new_text or "")
