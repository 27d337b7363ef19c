"""Which foreign event leads to which mail. The mail is written here, from the event and the queue's document at that moment."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID, uuid5

from services.notify import wording
from services.notify.commands import Command, RequestAnswer, RequestReceipt
from shared import templates
from shared.contracts import message_ids
from shared.contracts.directory import Queue
from shared.contracts.envelope import Recorded
from shared.contracts.intake import TicketOpened
from shared.contracts.notify import NotificationKind, OutgoingMail
from shared.contracts.parts import Address, Attachment, CustomerRef, Message, PersonRef, QueueRef
from shared.contracts.routing import AgentReplied
from shared.directory.copy import Queues

LISTENS_TO = frozenset(("intake", "routing"))


def notification_id(cause: UUID, kind: NotificationKind) -> UUID:
    """The same event leads to the same notification, however often it is worked through."""
    return uuid5(cause, kind)


@dataclass(frozen=True, slots=True)
class Policies:
    """`queues` answers the newest snapshot; `late` holds queues that it lacks yet. `key` signs Message-IDs under `domain`."""

    queues: Callable[[], Queues]
    key: bytes
    domain: str
    late: dict[UUID, Queue] = field(default_factory=dict)

    def react(self, event: Recorded) -> Sequence[Command]:
        match event.payload:
            case TicketOpened(receipt=True) as opened:
                return [self.an_opened_ticket_is_acknowledged(opened, event)]
            case TicketOpened(channel="email", opened_by=PersonRef() as agent) as opened:
                return [self.an_agents_mail_ticket_is_sent(opened, agent, event)]
            case AgentReplied() as replied:
                return [self.an_answer_is_sent(replied, event)]
            case _:
                return []

    def an_opened_ticket_is_acknowledged(self, opened: TicketOpened, event: Recorded) -> RequestReceipt:
        notification = notification_id(event.id, "receipt")
        customers = opened.message.message_id
        mail = OutgoingMail(
            message_id=message_ids.make(self.key, event.stream, notification, self.domain),
            sender=self._sender(opened.queue),
            to=(_address(opened.customer),) if opened.customer.email else (),
            subject=wording.reply_subject(opened.number, opened.title),
            text=templates.render(wording.RECEIPT, self._variables(opened, None)),
            in_reply_to=customers,
            references=(customers,) if customers else (),
            auto_submitted="auto-replied",
        )
        return RequestReceipt(notification, mail, frozenset(self.queues().by_address))

    def an_agents_mail_ticket_is_sent(self, opened: TicketOpened, agent: PersonRef, event: Recorded) -> RequestAnswer:
        """An agent who opens a ticket by mail writes to the customer first (api.md, section 3)."""
        notification = notification_id(event.id, "answer")
        message = opened.message
        mail = OutgoingMail(
            message_id=message_ids.make(self.key, event.stream, notification, self.domain),
            sender=self._sender(opened.queue),
            to=message.to or (_address(opened.customer),),
            cc=message.cc,
            bcc=message.bcc,
            subject=wording.opening_subject(opened.number, message.subject or opened.title),
            text=self._letter(opened.queue, message, self._variables(opened, agent)),
            attachments=_attachments(message),
        )
        return RequestAnswer(notification, message.id, mail)

    def an_answer_is_sent(self, replied: AgentReplied, event: Recorded) -> RequestAnswer:
        notification = notification_id(event.id, "answer")
        message = replied.message
        mail = OutgoingMail(
            message_id=message_ids.make(self.key, event.stream, notification, self.domain),
            sender=self._sender(replied.queue),
            to=message.to or (_address(replied.customer),),
            cc=message.cc,
            bcc=message.bcc,
            subject=wording.reply_subject(replied.number, message.subject or replied.title),
            text=self._letter(replied.queue, message, self._variables(replied, replied.by)),
            in_reply_to=replied.references[-1] if replied.references else None,
            references=replied.references,
            attachments=_attachments(message),
        )
        return RequestAnswer(notification, message.id, mail)

    def _queue(self, ref: QueueRef) -> Queue:
        """The queue's document; of one that has not arrived, what the event says."""
        found = self.queues().by_id.get(ref.id) or self.late.get(ref.id)
        return found or Queue(id=ref.id, slug=ref.slug, name=ref.name)

    def _sender(self, ref: QueueRef) -> Address:
        """The queue's address (A8.05); of a queue without one the default queue's, so that an answer comes back."""
        queue = self._queue(ref)
        default = self.queues().default
        email = queue.address or (default.address if default else None) or f"postmaster@{self.domain}"
        return Address(email=email, name=queue.display_name or queue.name)

    def _letter(self, ref: QueueRef, message: Message, variables: templates.Variables) -> str:
        """Salutation, the agent's words, signature (A8.02)."""
        queue = self._queue(ref)
        words = (
            message.text
            if message.text_blob is None
            else f"{message.text}\n\n[The whole text is in the attached file.]"
        )
        parts = (templates.render(queue.salutation, variables), words, templates.render(queue.signature, variables))
        return "\n\n".join(part.strip("\r\n") for part in parts if part.strip()) + "\n"

    def _variables(self, event: TicketOpened | AgentReplied, agent: PersonRef | None) -> templates.Variables:
        """What templates know (api.md, section 5), each value on one line."""
        queue = self._queue(event.queue)
        known: dict[str, Mapping[str, str]] = {
            "customer": {"name": _line(event.customer.name) or event.customer.email, "email": event.customer.email},
            "queue": {"name": _line(queue.name)},
            "ticket": {"number": event.number, "title": _line(event.title)},
        }
        return known if agent is None else {**known, "agent": {"name": _line(agent.name)}}


def _address(customer: CustomerRef) -> Address:
    return Address(email=customer.email, name=customer.name)


def _attachments(message: Message) -> tuple[Attachment, ...]:
    """A text that was too long for the event goes along as a file: nothing that was written is lost."""
    if message.text_blob is None:
        return message.attachments
    return (*message.attachments, Attachment(id=uuid5(message.id, "text"), name="message.txt", blob=message.text_blob))


def _line(text: str) -> str:
    return " ".join(text.split())
