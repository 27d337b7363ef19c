"""The answers with numbers. They describe; the routes answer plain values."""

from datetime import date
from uuid import UUID

from pydantic import Field

from shared.http import story
from shared.http.bodies import Body, example

COUNTS = {"new": 1, "open": 4, "pending": 2, "closed": 110, "available": 5, "locked_by_me": 2, "owned_by_me": 3}
WORKED = {"day": story.DAY, "agent": story.AGENT, "units": 12.5, "tickets": 4}


class QueueCounted(Body):
    """A queue. A retired one is listed as long as it has tickets."""

    model_config = example(story.QUEUE)

    id: UUID
    slug: str
    name: str
    retired: bool = Field(default=False, description="Only in the answer if true.")


class Counts(Body):
    """Numbers of tickets. `closed` counts them all, the others those that are not closed."""

    model_config = example(COUNTS)

    new: int
    open: int
    pending: int
    closed: int
    available: int = Field(description="Not locked by somebody else.")
    locked_by_me: int
    owned_by_me: int


class CountsOfQueue(Counts):
    """The numbers of one queue."""

    model_config = example({"queue": story.QUEUE} | COUNTS)

    queue: QueueCounted


class QueueCounts(Body):
    """The queues that the caller may read, and the sum of those that they follow."""

    items: list[CountsOfQueue]
    mine: Counts


class MyCounts(Body):
    """Tickets that are not closed and that the caller may see."""

    model_config = example({"owned": 7, "locked": 2, "responsible": 1, "reminders": 3, "escalated": 1, "notices": 0})

    owned: int
    locked: int
    responsible: int
    reminders: int = Field(description="Owned, and their reminder has come.")
    escalated: int = Field(description="Owned, and a deadline is nearly over or broken.")
    notices: int = Field(description="Notices that the caller has not seen.")


class TabCounts(Body):
    """Tickets of a widget: locked by the caller, in queues that they follow, in all queues that they may read."""

    model_config = example({"locked": 2, "mine": 9, "all": 31})

    locked: int
    mine: int
    all: int


class WidgetCounts(Body):
    """The widgets of a dashboard."""

    reminders: TabCounts = Field(description="Their reminder has come.")
    escalated: TabCounts = Field(description="A deadline is nearly over or broken: `escalated=true`.")
    new: TabCounts = Field(description="Nobody has worked on them: `state_type=new`.")
    open: TabCounts = Field(description="They wait for an answer: `state_type=open`.")


class DayCounts(Body):
    """What happened on a day of the desk's time zone."""

    model_config = example({"day": story.DAY, "created": 12, "closed": 9, "answered": 14})

    day: date
    created: int
    closed: int
    answered: int


class Days(Body):
    """One item for each day, the oldest first."""

    items: list[DayCounts]


class AgentWorked(Body):
    model_config = example(story.AGENT)

    id: UUID
    name: str | None = Field(description="Null for somebody whose document is not known yet.")


class TimeOfDay(Body):
    """Time units of an agent on a day, and on how many tickets."""

    model_config = example(WORKED)

    day: date
    agent: AgentWorked
    units: float
    tickets: int


class TimeSum(Body):
    """Days without work are left out; `units` is the sum of all items."""

    model_config = example({"items": [WORKED], "units": 12.5})

    items: list[TimeOfDay]
    units: float
