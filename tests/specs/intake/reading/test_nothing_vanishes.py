"""Everything that a person wrote is in the new text of their mail (decision 0084)."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake.mail.quoting.reply import new_text
from services.intake.mail.reading import read
from tests.fuzz.targets import SEEDS

CORPORA = Path(__file__).parents[5] / "shared" / "corpora"

OVER = "On Thu, 26 Nov 2026 at 09:04, Helpdesk <help@desk.example> wrote:"
UNDER = f"\n\n{OVER}\n> Which door is it?\n> Helpdesk\n"

WORDS = {
    # lines of dashes
    "a rule between questions": "When does the shop open?\n--\nDo you sell keys, too?",
    "a rule of blanks and dashes": "The door:\n\n- -\n\nIt will not close any more.",
    "em dash under the greeting": "Hello\n—\nour door will not close.",
    "a ruler over a short order": "Please send us\n\n______\n\n3 keys\n2 locks",
    "underscores over words": "Hello,\n\n____________________\n\nThe key broke in the lock this morning.",
    "a list under dashes": "We have\n--\n1) a door without a key\n2) a key without a door",
    "Lua": "-- open the door\n--\nlocal door = require 'door'\n--\ndoor.open()",
    "YAML": "My file:\n\n---\ndoor: open\n---\nkey: lost\n\nIs that right?",
    "Haskell": "main = open door\n--\n-- the door\n--\nopen = undefined",
    "a signature as an example": "Please give me this signature:\n\n-- \nIda Lie\nFjell AS, Bergen",
    "a table": "Door   Key\n-----  ----\nA      17\nB      18",
    "a rule at the end of a poem": "roses\n--\nviolets are blue and so am I",
    # text that looks like a quote
    "prompt of a database": "It says\n\nSQL> open door;\nORA-00942: no door\nSQL>",
    "prompt of a switch": "This is what I typed:\n\nSW> enable\nSW> show door",
    "prompts of Python": "Why?\n\n>>> door.open()\n>>> door.close()",
    "a continued command": "$ cat <<END\n> open\n> close\n> END",
    "diff": "Difference:\n3c3\n< door shut\n---\n> door open",
    "a quote of one's own choice": "Your page says:\n\n> Doors open at eight.",
    "a quote of one's own choice in the middle": "Your page says:\n\n> Doors open at eight.\n\nThey do not.",
    "a quote on top": "> Doors open at eight.\n\nThey do not.",
    "comparison": "We have\n> 5 doors\nin the house.",
    # mails as content
    "header shown": "The spam has this header:\n\nFrom: eve@evil.example\nTo: me@fjell.example\nSubject: Doors\n\nCan you block it?",
    "raw header shown": "Received: from mx.evil.example\nFrom: eve@evil.example\nTo: me@fjell.example\nDate: Thu, 26 Nov 2026 09:04:12 +0100\nSubject: Doors\n\nBlock her.",
    "raw header shown, the other order": "Hi\n\nFrom: eve@evil.example\nTo: me@fjell.example\nSubject: Doors\nMessage-ID: <1@evil.example>\n\nBlock her.",
    "told what somebody wrote": "On 12 March 2026 your colleague Kari wrote:\nwe come on Monday.\nNobody came.",
    "told below a colon": "This is the story:\n\nOn 26 November 2026 at 09:04 Kari wrote:\nwe come on Monday.\n\nNobody came.",
    # texts about what programs and firms write
    "a sentence with 'sent from'": "Two doors are missing.\nSent from the warehouse on Monday, they never came.",
    "about printing": "Door 5 hums.\n\nIt always stops before printing, and nobody knows why.",
    "about confidential matters": "Hello.\n\nI sent a confidential list to the wrong recipient by mistake yesterday evening, and they will not delete it although I asked them twice.",
    "a disclaimer to be set": "Please set this:\n\nThis message is confidential and for the addressee alone. If you have received it in error, please delete it at once and tell us.",
    "a disclaimer to be asked about": "Hello.\n\nThis message is confidential and for the addressee alone, if you have received it in error please delete it: do we need these words?",
    "a virus": "Help.\n\nI have a virus from https://evil.example/door since this morning.",
    "an external mail on top": "Important: I got an external email that came from outside and asks for our keys.\n\nShall we answer?",
}  # fmt: skip


@pytest.mark.parametrize("which", WORDS)
def test_somebodys_words_are_new_text(which: str) -> None:
    words = WORDS[which]
    assert new_text(words).split() == words.split()
    lines = {line.strip() for line in new_text(words + UNDER).split("\n")}
    assert {line.strip() for line in words.split("\n")} <= lines


@pytest.mark.parametrize(
    "text",
    [
        f"{OVER}\n> It is door 4, as I wrote.\n> Ida\n>\n> Which door is it?",
        "> It is door 4, as I wrote.\n>\n> On 26 Nov 2026 at 09:04, Helpdesk wrote:\n>> Which door is it?",
        "-- \nIda Lie\nFjell AS",
        "Sent from my iPhone",
        "This message is confidential and for the addressee alone. If you have received it in error, please delete it at once.",
        f"-- \nIda Lie\n\n{OVER}\n> It is door 4.",
        f"Sent from my iPhone\n\n{OVER}\n\n> It is door 4.",
    ],
)
def test_a_reply_with_no_new_text_is_shown_whole(text: str) -> None:
    assert new_text(text) == text


@pytest.mark.parametrize(
    "words",
    ["See my answers below.", "FYI", "Svarene under, i rødt.", "Hi, answers inline.", "Siehe unten", "Mes réponses en rouge", "Til info", "Svarene mine står under.", "Jeg har svart i teksten.", "Meine Antwort: in Blau", "J'ai répondu ci-dessous."],
)  # fmt: skip
@pytest.mark.parametrize(
    "quote",
    [
        "From: Helpdesk\nSent: Thursday, November 26, 2026 10:04 AM\nTo: Ida\nSubject: RE: Door\n\nWhich door is it?\nIt is door 4.",
        f"{OVER}\n> Which door is it?\n> It is door 4.",
        "-----Original Message-----\n\nWhich door is it?\nIt is door 4.",
    ],
)
def test_answers_inside_a_quote_are_shown_with_it_when_the_writer_says_so(words: str, quote: str) -> None:
    assert new_text(f"{words}\n\n{quote}") == f"{words}\n\n{quote}"


@pytest.mark.parametrize(
    "quote",
    [
        "> We have sent you two new keys for the door on the ground floor of your house, and\nthey should be there soon.\n> Helpdesk",
        "> We have sent you two new keys for the door on the ground floor of your house, and\nthey should be there soon.",
        "> Dear Ida\n>\n> We have sent you two new keys for the door on the ground floor of your house, for\nwhich you asked us\n> in your letter; they should be there with the post of Thursday or Friday, as the\nother ones.",
    ],
)  # fmt: skip
def test_a_quote_whose_lines_a_relay_broke_is_still_a_quote(quote: str) -> None:
    assert new_text(f"The keys fit.\n\n{OVER}\n\n{quote}\n") == "The keys fit."


@pytest.mark.parametrize(
    "answer",
    ["it is door 4", "no", "yes, on the ground floor", "Door 4.", "the one that has been broken since the storm of last week"],
)  # fmt: skip
def test_a_short_answer_between_quoted_lines_is_no_broken_line(answer: str) -> None:
    text = f"Hi,\n\n{OVER}\n> please tell us which of the doors does not close\n{answer}\n> and since when\nMonday\n"
    assert answer in new_text(text).split("\n")
    assert "Monday" in new_text(text).split("\n")


def test_a_signature_above_the_answer_does_not_belong_to_it() -> None:
    answer = "The second door from the left does not close."
    assert new_text(f"-- \nIda Lie\nFjell AS\n\n{answer}{UNDER}") == answer


def test_answers_below_a_separator_are_found_between_marked_lines() -> None:
    text = "Hello,\n\n-----Original Message-----\nFrom: Helpdesk\nSent: Monday\nTo: Ida\nSubject: Door\n\n> Which door?\nDoor 4.\n> Since when?\nMonday."
    assert {"Door 4.", "Monday."} <= set(new_text(text).split("\n"))


SENTENCES = st.sampled_from(
    ["It is door 4.", "no", "Yes!", "- the key", "1. first", "key = 4;", "-- ", "--", "---", "I asked on 3 May.", "> sic", ">>> x = 4",
     "From: the shop", "see:", "—", "* * *", "we wait", "Is that right?", ""]
)  # fmt: skip
ANSWERS = st.lists(SENTENCES, min_size=1, max_size=6).map(
    lambda lines: ["The door is open.", *lines, "Please come at nine."]
)
QUOTE = ["Hello Ida,", "", "which door is it?", "", "Helpdesk"]
MARKED = [f"> {line}".rstrip() for line in QUOTE]
STYLES: dict[str, Callable[[list[str]], list[str]]] = {
    "alone": lambda answer: answer,
    "above": lambda answer: [*answer, "", OVER, *MARKED],
    "above, unmarked": lambda answer: [*answer, "", "-----Original Message-----", "", *QUOTE],
    "above, with header fields": lambda answer: [*answer, "", "From: Helpdesk", "Sent: 26 Nov 2026 09:04", "To: Ida", "Subject: Door", "", *QUOTE],
    "below": lambda answer: [OVER, *MARKED, "", *answer],
    "between": lambda answer: [OVER, *MARKED[:3], "", *answer, "", *MARKED[3:]],
}  # fmt: skip


@pytest.mark.parametrize("style", STYLES)
@given(answer=ANSWERS)
def test_every_line_of_an_answer_is_in_what_is_new(style: str, answer: list[str]) -> None:
    text = "\n".join(STYLES[style](answer))
    found = {line.strip() for line in new_text(text).split("\n")}
    assert {line.strip() for line in answer if any(map(str.isalnum, line))} <= found


@given(st.text(alphabet="aA1 >|-_:.?\n@<", max_size=200))
def test_what_is_new_is_empty_for_an_empty_text_only(text: str) -> None:
    assert bool(new_text(text).strip()) == bool(text.strip())


@pytest.mark.parametrize("folder", [SEEDS, CORPORA], ids=["seeds", "corpora"])
def test_a_mail_with_words_always_has_new_text(folder: Path) -> None:
    if not folder.is_dir():
        pytest.skip(f"{folder.name} is not here")
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            reading = read(path.read_bytes())
            assert bool((reading.new_text or "").strip()) == bool(reading.text.strip()), path
