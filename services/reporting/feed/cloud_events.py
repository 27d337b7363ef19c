"""Events as CloudEvents again, from the rows of the history: as they were published, without the trace context."""

from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from pydantic import Field

from shared.contracts.envelope import instant
from shared.contracts.routing import PriorityChanged
from shared.http import story
from shared.http.bodies import Body, example

CHANGED = {
    "specversion": "1.0",
    "id": story.EVENT,
    "source": "/services/routing",
    "type": PriorityChanged.TYPE,
    "subject": story.TICKET,
    "time": "2026-11-29T09:31:40.507113Z",
    "datacontenttype": "application/json",
    "streamversion": 4,
    "recordedat": "2026-11-29T09:31:40.511820Z",
    "correlationid": story.CAUSE,
    "actorkind": "agent",
    "actorid": story.AGENT["id"],
    "data": {"to": 4, "was": 3, "by": story.AGENT},
}


class CloudEvent(Body):
    """An event as it was published (CloudEvents 1.0). Customers get the attributes that are always there, and of `data`
    what they may know."""

    model_config = example(CHANGED)

    specversion: str
    id: UUID = Field(description="The same event always has the same id.")
    source: str = Field(description="`/services/` and the name of the service that recorded it.")
    type: str
    subject: UUID = Field(description="The ticket.")
    time: datetime = Field(description="When it happened.")
    datacontenttype: str
    data: dict[str, Any]
    streamversion: int | None = Field(default=None, description="Its number among the source's events of the ticket.")
    recordedat: datetime | None = Field(default=None, description="When it was recorded.")
    correlationid: UUID | None = Field(default=None, description="The same for everything that one request led to.")
    causationid: UUID | None = Field(default=None, description="The event that it followed from.")
    actorkind: str | None = Field(default=None, description="`agent`, `customer`, `rule`, `system` or `service`.")
    actorid: str | None = Field(
        default=None,
        description="A person's id; of a rule, the id and the version of its trigger with `/` between them.",
    )


class EventPage(Body):
    """`next` is the place after these events: give it as `after`. `end`: there were no more. Without `end`, go on, even
    if the page is short or empty."""

    events: list[CloudEvent]
    next: str = Field(examples=["hY3kWm0rTq" * 21])
    end: bool = Field(examples=[True])


def whole(row: asyncpg.Record, data: dict[str, Any]) -> dict[str, Any]:
    """All attributes, and `data`."""
    event = {
        **basic(row),
        "streamversion": row["version"],
        "recordedat": instant(row["recorded_at"]),
        "correlationid": str(row["correlation"]),
        "actorkind": row["actor_kind"],
    }
    if row["cause"] is not None:
        event["causationid"] = str(row["cause"])
    if row["actor_id"] is not None:
        event["actorid"] = row["actor_id"]
    return event | {"data": data}


def basic(row: asyncpg.Record) -> dict[str, Any]:
    """The attributes that tell nothing of who did it, why, or what else happened."""
    return {
        "specversion": "1.0",
        "id": str(row["id"]),
        "source": f"/services/{row['source']}",
        "type": row["type"],
        "subject": str(row["ticket_id"]),
        "time": instant(row["at"]),
        "datacontenttype": "application/json",
    }
