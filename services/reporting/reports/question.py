"""What a report is asked: the time, the grouping and which tickets, and the SQL for these over the tables of `reports`.

Permission is part of every condition: there is no question without the queues that the caller may read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.reporting.reports.catalogue import FIELD
from services.reporting.reports.intervals import Period
from services.reporting.tickets.ticket_list import Arguments, Filters, conditions_of

FACTS = "(SELECT f.*, f.at AS updated_at FROM reports.facts f) AS t"
SPANS = "(SELECT s.*, s.since AS updated_at FROM reports.spans s) AS t"
"""For `updated_from`, a ticket of the past was updated when one of its columns had changed last."""
TICKETS = "reports.tickets AS t"
_TAGS = " LEFT JOIN LATERAL unnest(t.tags) AS tags(tag) ON true"
_COLUMNS = {
    "queue": "t.queue_id",
    "topic": "t.topic",
    "tag": "tags.tag",
    "channel": "t.channel",
    "company": "t.company",
    "owner": "t.owner_id",
    "priority": "t.priority",
    "person": "t.person_id",
    "ticket": "t.id",
}


@dataclass(frozen=True, slots=True)
class Question:
    """`queues`: those that the caller may read and asked for; `known`: those that they may know of; None: all."""

    period: Period
    by: str | None
    filters: Filters
    queues: Sequence[UUID] | None
    known: Sequence[UUID] | None
    now: datetime

    @property
    def answered_by_indexes(self) -> bool:
        """Whether the indexes hold all that is needed of facts and spans."""
        return self.by in (None, "day", "queue", "person") and not conditions_of(Arguments(), self.filters)

    def rows(self, arguments: Arguments, source: str, condition: str) -> str:
        """FROM and WHERE: the rows of a source that meet the condition, the filters and the permissions."""
        where = [condition, *conditions_of(arguments, self.filters)]
        if self.queues is not None:
            where.append(f"t.queue_id = ANY({arguments.add(list(self.queues), 'uuid[]')})")
        return f"FROM {source}{_TAGS if self.by == 'tag' else ''} WHERE {' AND '.join(where)}"

    def facts(self, arguments: Arguments, condition: str) -> str:
        """FROM and WHERE: the facts in the time of the question that meet a condition."""
        start, end = (arguments.add(moment, "timestamptz") for moment in (self.period.start, self.period.end))
        return self.rows(arguments, FACTS, f"{condition} AND t.at >= {start} AND t.at < {end}")

    def key(self, arguments: Arguments) -> str:
        """The `by` value of a row."""
        if self.by is None or self.by == "day":  # days are intervals
            return "NULL::text"
        if self.by.startswith(FIELD):
            return f"t.fields ->> {arguments.add(self.by.removeprefix(FIELD), 'text')}"
        return _COLUMNS[self.by]

    def bucket(self, arguments: Arguments, moment: str = "t.at") -> str:
        """The number of the interval in which a moment lies, from 1; 0 before the first one."""
        if self.period.count == 1 and moment == "t.at":
            return "1"
        return f"width_bucket({moment}, {self.edges(arguments)})"

    def edges(self, arguments: Arguments) -> str:
        return arguments.add(list(self.period.edges), "timestamptz[]")
