"""How answers name queues, people and tickets."""

from uuid import UUID

from shared.http import story
from shared.http.bodies import Body, example


class QueueNamed(Body):
    model_config = example(story.QUEUE)

    id: UUID
    slug: str
    name: str


class PersonNamed(Body):
    model_config = example(story.AGENT)

    id: UUID
    name: str


class TicketNamed(Body):
    model_config = example({"id": story.TICKET, "number": story.NUMBER})

    id: UUID
    number: str


class TicketWithTitle(TicketNamed):
    model_config = example({"id": story.TICKET, "number": story.NUMBER, "title": story.TITLE})

    title: str
