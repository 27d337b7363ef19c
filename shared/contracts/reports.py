"""Events of reports that are sent by mail: each run has a stream of its own."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime

from shared.contracts.event import Event, Value, event
from shared.contracts.marks.open_values import Known
from shared.contracts.notify import (
    LeftOut,
    NotificationDelayed,
    NotificationFailed,
    NotificationRequested,
    NotificationSent,
    NotificationSuppressed,
)
from shared.contracts.parts import Address, Attachment
from shared.contracts.topics import REPORTS


class ScheduleRef(Value):
    """The schedule of a run, by the slug and name of that moment."""

    id: UUID
    slug: str
    name: str


@event("helpdesk.ReportPrepared.v1", owner="gateway", topic=REPORTS)
class ReportPrepared(Event):
    """A report is ready to be sent. The stream is the run, whose id follows from the schedule and `due_at`.

    It covers `starts_at` (inclusive) to `ends_at` (exclusive), whole days of `timezone`. `to`: the addresses that the
    recipients had when it was prepared; `left_out`: recipients who do not get it.
    """

    schedule: ScheduleRef
    report: str
    due_at: AwareDatetime
    starts_at: AwareDatetime
    ends_at: AwareDatetime
    timezone: str
    to: tuple[Address, ...]
    left_out: tuple[LeftOut, ...] = ()
    file: Attachment


ReportMailKind = Annotated[str, Known(Literal["report"])]


@event("helpdesk.ReportMailRequested.v1", owner="notify", topic=REPORTS)
class ReportMailRequested(NotificationRequested):
    """The mail with a report will be sent. It is an article of no ticket: `article` is the notification's own id."""

    kind: ReportMailKind


@event("helpdesk.ReportMailSent.v1", owner="notify", topic=REPORTS)
class ReportMailSent(NotificationSent):
    """The transport accepted the mail. `attempts` counts all attempts."""


@event("helpdesk.ReportMailDelayed.v1", owner="notify", topic=REPORTS)
class ReportMailDelayed(NotificationDelayed):
    """The mail is delayed and is tried again; recorded once. `reason`: the transport's answer."""


@event("helpdesk.ReportMailFailed.v1", owner="notify", topic=REPORTS)
class ReportMailFailed(NotificationFailed):
    """The mail was given up. `reason`: the transport's answer."""


@event("helpdesk.ReportMailSuppressed.v1", owner="notify", topic=REPORTS)
class ReportMailSuppressed(NotificationSuppressed):
    """The mail was not sent, or not to everybody, because of a rule."""

    kind: ReportMailKind
