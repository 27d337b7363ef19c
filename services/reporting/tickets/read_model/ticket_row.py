"""The ticket list's columns and filters. A column or filter is declared here and nowhere else (decision 0097)."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from services.reporting.deadlines.stored import as_json, from_json
from services.reporting.tickets.read_model.article_rows import Article, Delivery, HistoryEntry
from services.reporting.tickets.read_model.notice_rows import NoticeEntry
from shared.clocks.deadlines import Deadlines
from shared.contracts.parts import AnyChannel
from shared.messaging.consuming.projection import Seen
from shared.projections.tables import Internal, Public, Table


def _seen_as_json(seen: Seen) -> dict[str, tuple[int, str]]:
    """In the order of the producers, so that equal rows are equal as text."""
    return {producer: (version, str(event)) for producer, (version, event) in sorted(seen.items())}


def _seen_from_json(stored: dict[str, tuple[int, str]]) -> Seen:
    return {producer: (version, UUID(event)) for producer, (version, event) in stored.items()}


@dataclass(slots=True)
class TicketRow:
    """A row of `tickets`, as the ticket's newest event left it.

    The columns are in the order that PostgreSQL packs best: those of fixed width first.
    """

    id: Annotated[UUID, Public("uuid PRIMARY KEY")]
    queue_id: Annotated[UUID, Public("uuid NOT NULL")] = UUID(int=0)
    created_at: Annotated[datetime | None, Public("timestamptz NOT NULL", shown=True)] = None
    updated_at: Annotated[datetime | None, Public("timestamptz NOT NULL", shown=True)] = None
    first_answer_at: Annotated[datetime | None, Public("timestamptz", shown=True)] = None
    last_answer_at: Annotated[datetime | None, Public("timestamptz", shown=True)] = None
    last_message_at: Annotated[datetime | None, Public("timestamptz")] = None
    closed_at: Annotated[datetime | None, Public("timestamptz", shown=True)] = None
    locked_since: Annotated[datetime | None, Internal("timestamptz")] = None
    lock_expires_at: Annotated[datetime | None, Internal("timestamptz")] = None
    pending_until: Annotated[datetime | None, Public("timestamptz", shown=True)] = None
    due_at: Annotated[datetime | None, Internal("timestamptz", shown=True)] = None
    customer_id: Annotated[UUID, Public("uuid NOT NULL")] = UUID(int=0)
    owner_id: Annotated[UUID | None, Public("uuid")] = None
    previous_owner_id: Annotated[UUID | None, Internal("uuid")] = None
    responsible_id: Annotated[UUID | None, Internal("uuid")] = None
    locked_by_id: Annotated[UUID | None, Internal("uuid")] = None
    merged_into_id: Annotated[UUID | None, Public("uuid")] = None
    time_units: Annotated[float, Internal("double precision NOT NULL", shown=True, instead="0::double precision")] = 0.0
    article_count: Annotated[int, Internal("integer NOT NULL", shown=True, instead="public_article_count")] = 0
    public_article_count: Annotated[int, Public("integer NOT NULL")] = 0
    event_count: Annotated[int, Public("integer NOT NULL")] = 0
    priority: Annotated[int, Public("smallint NOT NULL")] = 3
    reminder_due: Annotated[bool, Internal("boolean NOT NULL", shown=True, instead="false")] = False
    escalated: Annotated[bool, Internal("boolean NOT NULL", shown=True, instead="false")] = False
    number: Annotated[str, Public("text NOT NULL", shown=True)] = ""
    title: Annotated[str, Public("text NOT NULL", shown=True)] = ""
    queue_slug: Annotated[str, Public("text NOT NULL")] = ""
    queue_name: Annotated[str, Public("text NOT NULL")] = ""
    state_slug: Annotated[str, Public("text NOT NULL")] = "new"
    state_name: Annotated[str, Public("text NOT NULL")] = "new"
    state_type: Annotated[str, Public("text NOT NULL")] = "new"
    channel: Annotated[AnyChannel, Public("text NOT NULL", shown=True)] = "api"
    customer_email: Annotated[str, Public("text NOT NULL")] = ""
    customer_name: Annotated[str, Public("text NOT NULL")] = ""
    company: Annotated[str | None, Public("text")] = None
    owner_name: Annotated[str | None, Public("text")] = None
    previous_owner_name: Annotated[str | None, Internal("text")] = None
    responsible_name: Annotated[str | None, Internal("text")] = None
    locked_by_name: Annotated[str | None, Internal("text")] = None
    last_message_email: Annotated[str | None, Public("text")] = None
    last_message_name: Annotated[str | None, Public("text")] = None
    last_message_subject: Annotated[str | None, Public("text")] = None
    merged_into_number: Annotated[str | None, Public("text")] = None
    tags: Annotated[list[str], Internal("text[] NOT NULL", shown=True, instead="'{}'::text[]")] = field(
        default_factory=list
    )
    fields: Annotated[dict[str, Any] | None, Public("json")] = None
    form: Annotated[dict[str, Any] | None, Public("json", shown=True)] = None
    links: Annotated[list[dict[str, Any]] | None, Public("json")] = None
    deadlines: Annotated[Deadlines, Internal("json", store=as_json, restore=from_json)] = field(default_factory=dict)
    seen: Annotated[Seen, Public("json NOT NULL", store=_seen_as_json, restore=_seen_from_json)] = field(
        default_factory=dict
    )

    # Not columns: whether the row must be inserted, and the rows of other tables that a batch of events adds.
    # `former` and `snapshots` are rows of `former_tickets` and `snapshots` as they are stored.
    is_new: bool = True
    articles: list[Article] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    history: list[HistoryEntry] = field(default_factory=list)
    notices: list[NoticeEntry] = field(default_factory=list)
    former: list[tuple[Any, ...]] = field(default_factory=list)
    snapshots: list[tuple[Any, ...]] = field(default_factory=list)


TICKETS_TABLE = Table(TicketRow)


@dataclass(frozen=True, slots=True)
class Where:
    """The condition of a filter; `{}` stands for its value, of the SQL type `type`."""

    condition: str
    type: str


@dataclass(frozen=True, slots=True)
class WhereFlag:
    """The conditions of a filter that is true or false."""

    true: str
    false: str


Texts = Annotated[list[Annotated[str, Field(max_length=320)]], Field(max_length=50)]


class ColumnFilters(BaseModel):
    """Query parameters that are compared with a column as they are. None and an empty list do not filter.

    Parameters that name a person, a queue, a state or a customer are looked up first: `ticket_list.Filters`.
    """

    model_config = ConfigDict(frozen=True)

    id: Annotated[
        list[UUID], Field(max_length=200, description="One of these tickets."), Where("t.id = ANY({})", "uuid[]")
    ] = []
    locked: Annotated[
        bool | None,
        Field(description="Whether somebody has locked it."),
        WhereFlag("t.locked_by_id IS NOT NULL", "t.locked_by_id IS NULL"),
    ] = None
    company: Annotated[
        Texts, Field(description="Of one of these companies, by slug."), Where("t.company = ANY({})", "text[]")
    ] = []
    priority: Annotated[
        list[Annotated[int, Field(ge=1, le=5)]],
        Field(max_length=5, description="One of these priorities: 1 (very low) to 5 (immediate)."),
        Where("t.priority = ANY({})", "smallint[]"),
    ] = []
    tag: Annotated[
        Texts, Field(description="With all of these tags."), Where("t.tags <> '{{}}' AND t.tags @> {}", "text[]")
    ] = []
    created_from: Annotated[
        AwareDatetime | None,
        Field(description="Opened at this time or later."),
        Where("t.created_at >= {}", "timestamptz"),
    ] = None
    created_to: Annotated[
        AwareDatetime | None, Field(description="Opened before this time."), Where("t.created_at < {}", "timestamptz")
    ] = None
    updated_from: Annotated[
        AwareDatetime | None,
        Field(description="Changed at this time or later."),
        Where("t.updated_at >= {}", "timestamptz"),
    ] = None
    reminder_due: Annotated[
        bool | None,
        Field(description="Whether the time of its reminder has come."),
        WhereFlag("t.reminder_due", "NOT t.reminder_due"),
    ] = None
    escalated: Annotated[
        bool | None,
        Field(description="Whether one of its deadlines is nearly over or broken, and has not ended."),
        WhereFlag("t.escalated", "NOT t.escalated"),
    ] = None
    due_before: Annotated[
        AwareDatetime | None,
        Field(description="The nearest of its running deadlines is before this time."),
        Where("t.due_at < {}", "timestamptz"),
    ] = None

    def conditions(self) -> list[tuple[Where | WhereFlag, Any]]:
        """The filters that are set, with their values."""
        return [
            (part, value)
            for name, parameter in ColumnFilters.model_fields.items()
            for part in parameter.metadata
            if isinstance(part, Where | WhereFlag) and (value := getattr(self, name)) not in (None, [])
        ]
