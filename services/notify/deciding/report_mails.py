"""Requests the mail of a report that the gateway has prepared (A10.13)."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from services.notify.ticket.commands import Command, RequestReportMail
from services.notify.writing.mail_body import line
from services.notify.writing.mail_builder import MailBuilder
from shared.contracts.envelope import Recorded
from shared.contracts.notify import OutgoingMail
from shared.contracts.parts import QueueRef
from shared.contracts.reports import ReportPrepared
from shared.directory.copy import Queues
from shared.languages.translator import N_, Translator
from shared.rules import message_ids

PRODUCERS = frozenset(("gateway",))
NO_QUEUE = QueueRef(id=UUID(int=0), slug="", name="")
TEXT = N_("""\
{name}

The report "{report}" for {days} ({timezone}) is attached.

The help desk sends it automatically (schedule "{slug}"). An administrator of the help desk can change or end that.
""")


class ReportMails:
    """The mail of each run. Its notification and Message-ID follow from the run, so that a repeat is recognisable."""

    def __init__(self, builder: MailBuilder, queues: Callable[[], Queues]) -> None:
        self.builder, self.queues = builder, queues

    def react(self, event: Recorded) -> Sequence[Command]:
        match event.payload:
            case ReportPrepared() as prepared:
                return [self.a_prepared_report_is_sent(prepared, event)]
            case _:
                return []

    def a_prepared_report_is_sent(self, prepared: ReportPrepared, event: Recorded) -> RequestReportMail:
        """From the default queue, so that an answer reaches the desk."""
        notification = uuid5(event.stream, "report")
        default = self.queues().default
        say = self.builder.desk  # for several readers
        name, days = line(prepared.schedule.name), days_of(prepared, say)
        mail = OutgoingMail(
            message_id=message_ids.make(self.builder.key, event.stream, notification, self.builder.domain),
            sender=self.builder.sender(default.ref if default is not None else NO_QUEUE),
            to=prepared.to,
            subject=f"{name}: {days}",
            text=say.gettext(
                TEXT,
                name=name,
                report=prepared.report,
                days=days,
                timezone=prepared.timezone,
                slug=prepared.schedule.slug,
            ),
            auto_submitted="auto-generated",
            attachments=(prepared.file,),
            queue=default.id if default is not None else None,
        )
        return RequestReportMail(notification, mail, self.builder.own_addresses())


def days_of(prepared: ReportPrepared, say: Translator) -> str:
    """The days that a report covers, such as `2026-11-01 to 2026-11-30`."""
    zone = ZoneInfo(prepared.timezone)
    first = prepared.starts_at.astimezone(zone).date()
    last = (prepared.ends_at.astimezone(zone) - timedelta(microseconds=1)).date()
    return str(first) if first == last else say.gettext("{first} to {last}", first=first, last=last)
