"""The answer of a search. It describes; the route answers plain values."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from services.reporting.tickets.bodies import Ticket
from shared.http import story
from shared.http.bodies import Body, example


class TextPart(Body):
    text: str
    hit: bool = Field(description="Whether these words were asked for.")


class Match(Body):
    """A place where words were found. Texts of articles are cut around them."""

    model_config = example(
        {
            "article": story.ARTICLE,
            "number": 1,
            "attribute": "body",
            "text": [
                {"text": "Since this morning my ", "hit": False},
                {"text": "computer", "hit": True},
                {"text": " hums.", "hit": False},
            ],
        }
    )

    article: UUID | None = Field(description="Null: a place in the ticket itself, such as its title.")
    number: int | None = Field(description="The article's number in its ticket.")
    attribute: str = Field(description="As in `q`: `body`, `title`, ... `field.<slug>`.")
    text: list[TextPart]


class Hit(Body):
    ticket: Ticket  # pyright: ignore[reportInvalidTypeForm]
    matches: list[Match]


class Count(Body):
    """All hits, up to 200. If there are more, `value` is 201 and `exact` is false."""

    model_config = example({"value": 1, "exact": True})

    value: int
    exact: bool


class SearchPage(Body):
    items: list[Hit]
    next_cursor: str | None
    count: Count
    did_you_mean: Annotated[
        str | None,
        Field(description="If nothing was found: the question with one word spelled as in a ticket that you may see."),
    ]
