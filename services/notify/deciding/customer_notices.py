"""Requests the notices to customers. Their words are declared in `notices.to_customers`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from services.notify.notices.declaration import CustomerNotice
from services.notify.notices.to_customers import CLOSED, RECEIPT, REJECTION
from services.notify.read_models.inputs import RejectionCounts
from services.notify.read_models.ticket_facts import TicketFacts
from services.notify.ticket.commands import RequestClosing, RequestReceipt, RequestRejection
from services.notify.writing import wording
from services.notify.writing.mail_builder import MailBuilder, address_of
from shared import templates
from shared.addresses import comparable
from shared.contracts.directory import Person
from shared.contracts.envelope import Recorded
from shared.contracts.intake import TicketOpened
from shared.contracts.notify import OutgoingMail
from shared.contracts.parts import Address, CustomerRef
from shared.contracts.routing import FollowUpRejected, StateChanged


@dataclass(frozen=True, slots=True)
class _Recipient:
    """The customer. `answers_to`: where they want mails, if not at their own address.

    `proven`: their name and the ticket's title were not written by just anybody.
    """

    customer: CustomerRef
    answers_to: tuple[Address, ...]
    proven: bool


class CustomerNotices:
    def __init__(self, builder: MailBuilder) -> None:
        self.builder, self.inputs = builder, builder.inputs

    def an_opened_ticket_is_acknowledged(self, opened: TicketOpened, event: Recorded) -> RequestReceipt:
        recipient = _Recipient(opened.customer, opened.message.answers_to, opened.proven)
        notification, mail = self._mail(RECEIPT, event, opened, recipient, opened.message.message_id)
        return RequestReceipt(notification, mail, self.builder.own_addresses())

    def a_rejected_message_is_answered(self, rejected: FollowUpRejected, event: Recorded) -> RequestRejection:
        ticket = self.inputs.tickets.get(event.stream)
        recipient = _Recipient(rejected.customer, (), False)
        if ticket is not None and ticket.customer is not None and self._are_one(ticket.customer, rejected.customer):
            recipient = _Recipient(self._today(ticket.customer), ticket.answers_to, ticket.proven)
        address = self.builder.sender(rejected.queue).email
        notification, mail = self._mail(REJECTION, event, rejected, recipient, rejected.message_id, address=address)
        sent = self.inputs.rejections.get(event.stream, RejectionCounts(0, 0))
        return RequestRejection(
            notification, mail, self.builder.own_addresses(), sent.older_than_ten_minutes, sent.older_than_a_day
        )

    def a_closing_is_told(self, changed: StateChanged, event: Recorded) -> list[RequestClosing]:
        """If the queue wants it (A5.14, A10.03), and an agent or a time limit has closed the ticket without a reply.

        Not if a machine opened the ticket or it went to a junk queue (decision 0059). `closing_notices` asks for it a
        few seconds after the event.
        """
        ticket = self.inputs.tickets.get(event.stream)
        if ticket is None or ticket.customer is None or ticket.by_machine or not _closes_unheard(changed):
            return []
        queue = self.builder.document(ticket.queue)
        junk = {each.junk_queue for each in self.builder.queues().live}
        if queue is None or not queue.tells_when_closed or queue.slug in junk:
            return []
        notification, mail = self._mail(
            CLOSED,
            event,
            ticket,
            _Recipient(self._today(ticket.customer), ticket.answers_to, ticket.proven),
            ticket.message_id,
            address=self.builder.sender(ticket.queue).email,
            takes_more="yes" if queue.follow_up != "reject" else "",
        )
        return [RequestClosing(notification, mail, self.builder.own_addresses())]

    def _mail(
        self,
        notice: CustomerNotice,
        event: Recorded,
        about: TicketOpened | FollowUpRejected | TicketFacts,
        recipient: _Recipient,
        replies_to: str | None,
        **of_queue: str,
    ) -> tuple[UUID, OutgoingMail]:
        """The notice to one address of the customer's, as a reply to the mail with the Message-ID `replies_to`.

        Anybody can forge a sender, so that a notice could carry a name and a title of theirs to somebody else.
        Therefore both are left out until it is proven whose they are. `of_queue` are more template variables of the
        queue.
        """
        customer = recipient.customer
        say = self.builder.translator_of(self.inputs.people.get(customer.id))
        to = recipient.answers_to[:1] or ((address_of(customer),) if customer.email else ())
        variables: dict[str, Any] = dict(self.builder.variables(about, customer))
        if recipient.proven:
            subject = wording.reply_subject(about.number, about.title)
        else:
            to = tuple(Address(email=each.email) for each in to)
            subject = wording.opening_subject(about.number, say.gettext(notice.subject))
            variables["customer"] = {"name": "", "email": customer.email}
            variables["ticket"] = {"number": about.number, "title": ""}
        variables["queue"] = {**variables["queue"], **of_queue}
        return self.builder.mail(
            notice.kind,
            event,
            about.queue,
            to=to,
            subject=subject,
            text=templates.render(say.gettext(notice.text), variables),
            in_reply_to=replies_to,
            references=(replies_to,) if replies_to else (),
            auto_submitted=notice.auto_submitted,
        )

    def _today(self, customer: CustomerRef) -> CustomerRef:
        return address_today(customer, self.inputs.people)

    def _are_one(self, customer: CustomerRef, other: CustomerRef) -> bool:
        """Whether two references are to one person, who may have been known by an address alone at first."""
        people = self.inputs.people
        ids = {people[each].id if each in people else each for each in (customer.id, other.id)}
        return len(ids) == 1


def address_today(customer: CustomerRef, people: Mapping[UUID, Person]) -> CustomerRef:
    """The customer with the name and address that their record has now."""
    person = people.get(customer.id)
    if person is None:
        return customer
    return customer.model_copy(update={"name": person.name, "email": comparable(person.email)})


def _closes_unheard(changed: StateChanged) -> bool:
    """Whether the ticket was closed, not by the customer, and without a reply to them.

    Undoing a change, which puts the ticket back into the state before it, is no news to the customer.
    """
    closed = changed.to.type == "closed" and changed.was.type != "closed"
    by_the_desk = changed.by is not None or changed.fired_at is not None
    return closed and by_the_desk and changed.answer is None and changed.undoes is None
