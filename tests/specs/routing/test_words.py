"""The article that a form's text becomes."""

import pytest

from services.routing.api.bodies import NoteBody
from services.routing.api.forms import words
from shared.bounded import rich_text
from shared.bounded.rich_text import RichText
from shared.contracts.parts import Message
from shared.http.problems import Problem
from tests.specs.requirement import requirement


def written(html: str, text: str | None = None) -> Message:
    """A note as its process reads it."""
    pieces = rich_text.answered(html.encode())
    return words(NoteBody(text=text, html=html), "note", rich_text.taken_back(pieces))


@requirement("A7.08")
def test_rich_text_is_made_safe_and_read_as_text() -> None:
    made = written('<p>kept <b>bold</b></p><script>alert(1)</script><img src="//tracker.example/1.gif">')
    assert made.html is not None and "<b>bold</b>" in made.html
    assert "script" not in made.html and "tracker" not in made.html
    assert made.text == "kept bold"


def test_nesting_that_a_parser_would_choke_on_keeps_its_words() -> None:
    made = written("<div>" * 40_000 + "deep")
    assert (made.text, made.reading_notes) == ("deep", ())
    assert made.html is not None and "deep" in made.html and made.html.count("<div>") < 300


def test_rich_text_that_is_too_large_is_read_as_text_and_the_article_says_so() -> None:
    made = written("<p>words</p>" + "<img src=https://x.example/a.png>" * 20_000)
    assert (made.text, made.html) == ("words", None)
    assert made.reading_notes == ("its rich text is too large to be shown",)


def test_a_plain_text_does_not_hide_the_words_of_rich_text_that_is_not_shown() -> None:
    made = written("<p>rich</p>" + "<img src=https://x.example/a.png>" * 20_000, text="plain")
    assert made.text == "plain\n\nrich"


@pytest.mark.parametrize("body", [NoteBody(), NoteBody(text=" \n"), NoteBody(html="  ")])
def test_a_form_without_words_is_refused(body: NoteBody) -> None:
    with pytest.raises(Problem) as refused:
        words(body, "note", RichText(""))
    assert refused.value.errors[0].pointer == "/text"
