"""Topics: what customers can ask for."""

from services.gateway.documents.kind import Shown, kind
from shared.contracts.directory import Topic
from shared.http import story
from shared.rules.access import Identity


def visible(who: Identity, topic: Topic) -> bool:
    """Customers see the topics that are offered to them."""
    return who.is_agent or topic.offered_to_customers


def view(who: Identity, _topic: Topic, whole: Shown) -> Shown:
    """Only administrators see the queue: it would tell others which queues exist."""
    return whole if who.is_admin else whole | {"queue": None}


KIND = kind(
    Topic,
    "topics",
    visible,
    view=view,
    example={
        "slug": "broken-computer",
        "name": "My computer is broken",
        "queue": story.QUEUE["slug"],
        "guidance": "Tell us which room the computer is in.",
        "fields": [{"field": "room", "required": True}],
    },
)
