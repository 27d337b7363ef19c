"""Which mails leave for a ticket, and what is recorded of them: every rule, as pure functions."""

from typing import assert_never
from uuid import UUID

from services.notify.ticket.addresses import is_among, is_robot, mailable
from services.notify.ticket.commands import (
    Command,
    GiveNotice,
    OnTicket,
    RecordDelayed,
    RecordFailed,
    RecordSent,
    RecordWithheld,
    RefuseMail,
    RequestAgentMail,
    RequestClosing,
    RequestNotice,
    RequestReceipt,
    RequestRejection,
    RequestReportMail,
    RequestRuleMail,
)
from services.notify.ticket.reports import of_report
from services.notify.ticket.state import Ticket
from shared.addresses import comparable
from shared.contracts.event import Event
from shared.contracts.notify import (
    AnyNotificationKind,
    LeftOut,
    NoticeGiven,
    NotificationDelayed,
    NotificationFailed,
    NotificationKind,
    NotificationRequested,
    NotificationSent,
    NotificationSuppressed,
    OutgoingMail,
)
from shared.contracts.parts import Address
from shared.rules.rejected import Rejected

MOST_REJECTIONS_A_DAY = 3
"""How often a ticket's customer is told that it takes no more messages; and at most once in ten minutes.

This ends a mail loop with a machine that answers each of these mails without saying that it is one (RFC 3834, section
2).
"""
MOST_RULE_MAILS_A_DAY = 20
"""How many mails of triggers about one ticket a customer or an address gets within 24 hours.

This ends a loop with a machine whose answers set a trigger off again and do not say that they are automatic.
"""
OURS = "the address is one of our own queues"


def decide(command: Command, ticket: Ticket) -> list[Event]:
    events = _decide(command, ticket)
    if ticket.of_report or isinstance(command, RequestReportMail):
        return [of_report(event) for event in events]
    return events


def _decide(command: Command, ticket: Ticket) -> list[Event]:
    match command:
        case RequestAgentMail():
            return _request_agent_mail(command, ticket)
        case RequestReceipt():
            return _request_receipt(command, ticket)
        case RequestRejection():
            return _request_rejection(command, ticket)
        case RequestClosing():
            return _request_closing(command, ticket)
        case GiveNotice():
            return _give_notice(command, ticket)
        case RequestNotice():
            return _request_notice(command.kind, command, ticket)
        case RequestRuleMail():
            return _request_rule_mail(command, ticket)
        case RefuseMail():
            if _is_decided(command.notification, command.notification, ticket):
                return []
            return [NotificationSuppressed(kind=command.kind, article=command.notification, reason=command.reason)]
        case OnTicket():
            return []  # `follow` brings the command to its ticket
        case RequestReportMail():
            return _request_notice("report", command, ticket)
        case RecordSent():
            return _outcome(
                command.notification,
                NotificationSent(
                    notification=command.notification, transport=command.transport, attempts=command.attempts
                ),
                ticket,
            )
        case RecordWithheld():
            # Such a mail carries no article, so that its notification stands for the article.
            withheld = NotificationSuppressed(kind=command.kind, article=command.notification, reason=command.reason)
            return [withheld] if command.partly else _outcome(command.notification, withheld, ticket)
        case RecordDelayed():
            if command.notification in ticket.delayed:
                return []
            return _outcome(
                command.notification,
                NotificationDelayed(
                    notification=command.notification,
                    transport=command.transport,
                    attempts=command.attempts,
                    reason=command.reason,
                ),
                ticket,
            )
        case RecordFailed():
            return _outcome(
                command.notification,
                NotificationFailed(
                    notification=command.notification,
                    transport=command.transport,
                    attempts=command.attempts,
                    reason=command.reason,
                ),
                ticket,
            )
        case _:
            assert_never(command)


def _request_agent_mail(command: RequestAgentMail, ticket: Ticket) -> list[Event]:
    """Once, to every usable address except our own: a mail to ourselves would come back as somebody's question."""
    if _is_decided(command.notification, command.article, ticket):
        return []
    return [_to_usable(command.kind, command.notification, command.article, command.mail, command.own_addresses)]


def _request_receipt(command: RequestReceipt, ticket: Ticket) -> list[Event]:
    """At most one for a ticket, and never to a machine: two machines would write to each other for ever."""
    if ticket.receipt_decided or command.notification in ticket.requested:
        return []
    return [_to_customer("receipt", command)]


def _request_rejection(command: RequestRejection, ticket: Ticket) -> list[Event]:
    """Never to a machine, and not too often."""
    if _is_decided(command.notification, command.notification, ticket):
        return []
    reason = None
    if ticket.rejections > command.older_than_ten_minutes:
        reason = "the customer was told within the last ten minutes"
    elif ticket.rejections - command.older_than_a_day >= MOST_REJECTIONS_A_DAY:
        reason = f"the customer was told {MOST_REJECTIONS_A_DAY} times within 24 hours"
    if reason is not None:
        return [NotificationSuppressed(kind="follow_up_rejected", article=command.notification, reason=reason)]
    return [_to_customer("follow_up_rejected", command)]


def _request_closing(command: RequestClosing, ticket: Ticket) -> list[Event]:
    """Once for each closing (A5.14)."""
    if _is_decided(command.notification, command.notification, ticket):
        return []
    return [_to_customer("closed", command)]


def _request_rule_mail(command: RequestRuleMail, ticket: Ticket) -> list[Event]:
    """Once, never to a machine or to ourselves, and not without end."""
    if _is_decided(command.notification, command.notification, ticket):
        return []
    reason = _why_not_automatic(command.mail, command.own_addresses)
    if reason is None:
        before = ticket.rule_mails.get(comparable(command.mail.to[0].email), 0) - command.older_than_a_day
        if before >= MOST_RULE_MAILS_A_DAY:
            reason = f"rules have sent this address {MOST_RULE_MAILS_A_DAY} mails about the ticket within 24 hours"
    if reason is not None:
        return [NotificationSuppressed(kind=command.kind, article=command.notification, reason=reason)]
    return [
        NotificationRequested(
            notification=command.notification, kind=command.kind, article=command.notification, mail=command.mail
        )
    ]


def follow(command: Command, _: Ticket) -> tuple[UUID, Command] | None:
    """The ticket that a command for another stream is for."""
    return (command.ticket, command.command) if isinstance(command, OnTicket) else None


def _is_decided(notification: UUID, article: UUID, ticket: Ticket) -> bool:
    return article in ticket.articles or notification in ticket.requested


def _to_customer(kind: NotificationKind, command: RequestReceipt | RequestRejection | RequestClosing) -> Event:
    """An automatic mail to the customer. It carries no article, so that its notification stands for the article."""
    reason = _why_not_automatic(command.mail, command.own_addresses)
    if reason is not None:
        return NotificationSuppressed(kind=kind, article=command.notification, reason=reason)
    return NotificationRequested(
        notification=command.notification, kind=kind, article=command.notification, mail=command.mail
    )


def _why_not_automatic(mail: OutgoingMail, own_addresses: frozenset[str]) -> str | None:
    for recipient in mail.to:
        if not mailable(recipient.email):
            return "the customer has no usable mail address"
        if is_among(recipient.email, own_addresses):
            return OURS
        if is_robot(recipient.email):
            return "the address belongs to a machine"
    return None if mail.to else "the customer has no usable mail address"


def _give_notice(command: GiveNotice, ticket: Ticket) -> list[Event]:
    """Once, to somebody."""
    if command.notice in ticket.given or not command.people:
        return []
    return [
        NoticeGiven(
            notice=command.notice,
            kind=command.kind,
            people=command.people,
            cause=command.cause,
            substitutes_for=command.substitutes_for,
            rule=command.rule,
        )
    ]


def _request_notice(
    kind: AnyNotificationKind, command: RequestNotice | RequestReportMail, ticket: Ticket
) -> list[Event]:
    """Once."""
    if _is_decided(command.notification, command.notification, ticket):
        return []
    return [_to_usable(kind, command.notification, command.notification, command.mail, command.own_addresses)]


def _to_usable(
    kind: AnyNotificationKind, notification: UUID, article: UUID, mail: OutgoingMail, own_addresses: frozenset[str]
) -> Event:
    """To every usable address, each reader once, however their address is spelled; recipients who are left out are
    listed."""
    kept: dict[str, list[Address]] = {"to": [], "cc": [], "bcc": []}
    readers: set[str] = set()
    left_out: list[LeftOut] = []
    for name, addresses in (("to", mail.to), ("cc", mail.cc), ("bcc", mail.bcc)):
        for address in addresses:
            reason = _why_unusable(address.email, own_addresses)
            if reason is not None:
                left_out.append(LeftOut(recipient=address.email, reason=reason))
            elif comparable(address.email) not in readers:
                readers.add(comparable(address.email))
                kept[name].append(address)
    if not readers:
        ours = any(each.reason == OURS for each in left_out)
        reason = OURS if ours else "there is no usable mail address"
        return NotificationSuppressed(kind=kind, article=article, reason=reason)
    usable = mail.model_copy(update={name: tuple(addresses) for name, addresses in kept.items()})
    return NotificationRequested(
        notification=notification, kind=kind, article=article, mail=usable, left_out=tuple(left_out)
    )


def _why_unusable(email: str, own_addresses: frozenset[str]) -> str | None:
    if not mailable(email):
        return "this is not a valid e-mail address"
    return OURS if is_among(email, own_addresses) else None


def _outcome(notification: UUID, outcome: Event, ticket: Ticket) -> list[Event]:
    """The first outcome counts; after a crash the same outcome may come again."""
    if notification not in ticket.requested:
        raise Rejected("This notification was never requested.")
    return [outcome] if notification in ticket.waiting else []
