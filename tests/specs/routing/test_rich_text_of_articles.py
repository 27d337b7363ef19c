"""The rich text of an article."""

import pytest

from services.routing.operations.content.composing import Content, message
from shared.bounded import rich_text
from shared.bounded.rich_text import RichText
from shared.contracts.parts import Message
from shared.rules.refusals import Invalid
from tests.specs.requirement import requirement


def written(html: str, text: str | None = None) -> Message:
    """A note with this rich text, read as the process of rich text does."""
    pieces = rich_text.answered(html.encode())
    return message(Content(text=text, html=html), "note", rich_text.taken_back(pieces))


@requirement("A7.08")
def test_rich_text_is_made_safe_and_read_as_text() -> None:
    made = written('<p>kept <b>bold</b></p><script>alert(1)</script><img src="//tracker.example/1.gif">')
    assert made.html is not None and "<b>bold</b>" in made.html
    assert "script" not in made.html and "tracker" not in made.html
    assert made.text == "kept bold"


def test_deep_nesting_keeps_its_text() -> None:
    made = written("<div>" * 40_000 + "deep")
    assert (made.text, made.reading_notes) == ("deep", ())
    assert made.html is not None and "deep" in made.html and made.html.count("<div>") < 300


def test_rich_text_that_is_too_large_is_read_as_text_and_the_article_says_so() -> None:
    made = written("<p>words</p>" + "<img src=https://x.example/a.png>" * 20_000)
    assert (made.text, made.html) == ("words", None)
    assert made.reading_notes == ("its rich text is too large to be shown",)


def test_rich_text_that_is_not_shown_is_added_to_the_plain_text() -> None:
    made = written("<p>rich</p>" + "<img src=https://x.example/a.png>" * 20_000, text="plain")
    assert made.text == "plain\n\nrich"


@pytest.mark.parametrize("content", [Content(), Content(text=" \n"), Content(html="  ")])
def test_content_without_text_is_refused(content: Content) -> None:
    with pytest.raises(Invalid) as refused:
        message(content, "note", RichText(""))
    assert refused.value.arguments[0].path == ("text",)
