"""Events about the mails of reports: the same as those about mails of tickets, on another topic."""

from collections.abc import Mapping

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
