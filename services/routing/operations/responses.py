"""What the caller of a command learns: the ticket's new version, and the id of the article that was written."""

from collections.abc import Sequence
from typing import Any

from shared.contracts.event import Event
from shared.contracts.parts import Message
from shared.contracts.routing import NoteAdded
from shared.eventstore.runner import Respond


def with_members(**members: Any) -> Respond:
    """The response with further members."""
    return lambda events, version: {"version": version} | members


def with_article(article: Message | None) -> Respond:
    return with_members(article_id=str(article.id)) if article is not None else with_members()


def with_decided_note(events: Sequence[Event], version: int) -> dict[str, Any]:
    """For a note that the decider may leave out."""
    notes = [str(event.message.id) for event in events if isinstance(event, NoteAdded)]
    return {"version": version} | ({"article_id": notes[0]} if notes else {})
