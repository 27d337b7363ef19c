"""Events about the mails of reports: the same as those about mails of tickets, on another topic."""

from collections.abc import Iterable, Mapping
from typing import Literal
from uuid import UUID

from shared.contracts.event import Event
from shared.contracts.notify import (
    NotificationDelayed,
    NotificationFailed,
    NotificationRequested,
    NotificationSent,
    NotificationSuppressed,
)
from shared.contracts.reports import (
    ReportMailDelayed,
    ReportMailFailed,
    ReportMailRequested,
    ReportMailSent,
    ReportMailSuppressed,
)

_OF_REPORTS: Mapping[type[Event], type[Event]] = {
    NotificationRequested: ReportMailRequested,
    NotificationSent: ReportMailSent,
    NotificationDelayed: ReportMailDelayed,
    NotificationFailed: ReportMailFailed,
    NotificationSuppressed: ReportMailSuppressed,
}


def of_report(event: Event) -> Event:
    """The event about the mail of a report that says the same as this one about a mail of a ticket."""
    return _OF_REPORTS[type(event)].model_validate(dict(event))


MailState = Literal["waiting", "sent", "failed", "withheld"]
_STATES: Mapping[str, MailState] = {
    ReportMailRequested.TYPE: "waiting",
    ReportMailDelayed.TYPE: "waiting",
    ReportMailSent.TYPE: "sent",
    ReportMailFailed.TYPE: "failed",
    ReportMailSuppressed.TYPE: "withheld",
}


def outcomes_of(events: Iterable[tuple[UUID, str, str]]) -> dict[UUID, tuple[MailState, str]]:
    """What became of the mail of each run, and why, from (run, type, reason) of its events in their order.

    `withheld`: from everybody. A mail that somebody got is sent, and the reason says who did not.
    """
    found: dict[UUID, tuple[MailState, str]] = {}
    for run, type_name, reason in events:
        state = _STATES.get(type_name)
        if state is None:
            continue
        before, said = found.get(run, (None, ""))
        known = state if not (state == "withheld" and before == "sent") else before
        # What was said of recipients who are left out stays when the others have the mail.
        found[run] = (known, reason or (said if before == "withheld" else ""))
    return found
