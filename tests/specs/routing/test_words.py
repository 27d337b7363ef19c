"""The article that a form's text becomes."""

import pytest

from services.routing.bodies import NoteBody
from services.routing.forms import words
from shared.http.problems import Problem
from tests.specs.requirement import requirement


@requirement("A7.08")
def test_rich_text_is_made_safe_and_read_as_text() -> None:
    made = words(
        NoteBody(html='<p>kept <b>bold</b></p><script>alert(1)</script><img src="//tracker.example/1.gif">'), "note"
    )
    assert made.html is not None and "<b>bold</b>" in made.html
    assert "script" not in made.html and "tracker" not in made.html
    assert made.text == "kept bold"


def test_nesting_that_a_parser_would_choke_on_is_read_as_text_only() -> None:
    made = words(NoteBody(html="<div>" * 40_000 + "deep"), "note")
    assert (made.text, made.html) == ("deep", None)


@pytest.mark.parametrize("body", [NoteBody(), NoteBody(text=" \n"), NoteBody(html="  ")])
def test_a_form_without_words_is_refused(body: NoteBody) -> None:
    with pytest.raises(Problem) as refused:
        words(body, "note")
    assert refused.value.errors[0].pointer == "/text"
