"""What the rules about mails must know of a ticket, folded from the events that notify has recorded."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from uuid import UUID

from shared.addresses import comparable
from shared.contracts.event import Event
from shared.contracts.notify import (
    NoticeGiven,
    NotificationDelayed,
    NotificationFailed,
    NotificationRequested,
    NotificationSent,
    NotificationSuppressed,
)
from shared.contracts.reports import ReportMailRequested, ReportMailSuppressed


@dataclass(frozen=True, slots=True)
class Ticket:
    """What the rules look at. `rejections` counts how often the customer was told that the ticket takes no more
    messages.

    `receipt_decided` and `articles`: which mails were requested or suppressed. `given`: the notices that people have.
    `rule_mails`: how many mails of triggers were requested for an address. `waiting` and `delayed`: the notifications
    that have no outcome yet, and those of them that are recorded as delayed. `of_report`: the stream is no ticket's,
    but that of a report that is sent by mail.
    """

    receipt_decided: bool = False
    rejections: int = 0
    articles: frozenset[UUID] = frozenset()
    requested: frozenset[UUID] = frozenset()
    waiting: frozenset[UUID] = frozenset()
    delayed: frozenset[UUID] = frozenset()
    given: frozenset[UUID] = frozenset()
    rule_mails: Mapping[str, int] = field(default_factory=dict)
    of_report: bool = False


def initial() -> Ticket:
    return Ticket()


def evolve(ticket: Ticket, event: Event) -> Ticket:
    match event:
        case NotificationRequested():
            return replace(
                ticket,
                receipt_decided=ticket.receipt_decided or event.kind == "receipt",
                rejections=ticket.rejections + (event.kind == "follow_up_rejected"),
                rule_mails=_with_rule_mail(event, ticket),
                articles=ticket.articles | {event.article},
                requested=ticket.requested | {event.notification},
                waiting=ticket.waiting | {event.notification},
                of_report=isinstance(event, ReportMailRequested),
            )
        case NotificationSuppressed():
            return replace(
                ticket,
                receipt_decided=ticket.receipt_decided or event.kind == "receipt",
                articles=ticket.articles | {event.article},
                waiting=ticket.waiting - {event.article},
                of_report=isinstance(event, ReportMailSuppressed),
            )
        case NoticeGiven():
            return replace(ticket, given=ticket.given | {event.notice})
        case NotificationDelayed():
            return replace(ticket, delayed=ticket.delayed | {event.notification})
        case NotificationSent() | NotificationFailed():
            done = {event.notification}
            return replace(ticket, waiting=ticket.waiting - done, delayed=ticket.delayed - done)
        case _:
            return ticket  # events of tomorrow change nothing here


def _with_rule_mail(event: NotificationRequested, ticket: Ticket) -> Mapping[str, int]:
    if event.kind not in ("rule", "rule_to_customer") or not event.mail.to:
        return ticket.rule_mails
    address = comparable(event.mail.to[0].email)
    return {**ticket.rule_mails, address: ticket.rule_mails.get(address, 0) + 1}
