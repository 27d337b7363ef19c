"""What all mails of a queue share: sender, the address that answers come back to, Message-ID, salutation and signature, what templates know."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import Any
from uuid import UUID, uuid5

from services.notify.deciding.inputs import Known, Remembered
from services.notify.writing import mail_body
from services.notify.writing.mail_body import Around
from shared import templates
from shared.addresses import comparable
from shared.contracts.directory import Queue, Salutation, Signature
from shared.contracts.envelope import Recorded
from shared.contracts.intake import TicketOpened
from shared.contracts.notify import NotificationKind, OutgoingMail
from shared.contracts.parts import Address, CustomerRef, PersonRef, QueueRef
from shared.contracts.routing import AgentReplied, ArticleBounced, ArticleForwarded, FollowUpRejected
from shared.directory.copy import Configuration, Queues
from shared.rules import message_ids, reply_addresses

About = TicketOpened | AgentReplied | ArticleForwarded | ArticleBounced | FollowUpRejected | Remembered
"""What names a ticket's number, title and queue."""


def notification_id(cause: UUID, kind: NotificationKind, distinct: str = "") -> UUID:
    """The same event leads to the same notification, however often it is worked through; `distinct` where it leads to two of a kind."""
    return uuid5(cause, kind + distinct)


@dataclass(frozen=True, slots=True)
class Letterhead:
    """`queues` and `configuration` answer the newest snapshots; `known` is what was looked up beyond them. `key` signs Message-IDs under
    `domain`; times are told in `zone`. `reply_tags`: answers come back to an address that names the ticket (decision 0028)."""

    queues: Callable[[], Queues]
    key: bytes
    domain: str
    configuration: Callable[[], Configuration] = Configuration
    zone: tzinfo = UTC
    known: Known = field(default_factory=Known)
    reply_tags: bool = False

    def mail(
        self, kind: NotificationKind, event: Recorded, queue: QueueRef, *, distinct: str = "", **fields: Any
    ) -> tuple[UUID, OutgoingMail]:
        """The notification, and a mail of the queue's whose Message-ID follows from it; `fields` are those of `OutgoingMail`."""
        notification = notification_id(event.id, kind, distinct)
        message_id = message_ids.make(self.key, event.stream, notification, self.domain)
        sender = self.sender(queue)
        if self.reply_tags and fields.get("reply_to") is None and "resent" not in fields:
            tagged = reply_addresses.make(self.key, event.stream, sender.email)
            fields["reply_to"] = sender.model_copy(update={"email": tagged}) if tagged is not None else None
        return notification, OutgoingMail(message_id=message_id, sender=sender, queue=queue.id, **fields)

    def document(self, ref: QueueRef) -> Queue | None:
        """The queue's document, if it has arrived."""
        return self.queues().by_id.get(ref.id) or self.known.queues.get(ref.id)

    def queue(self, ref: QueueRef) -> Queue:
        """The queue's document; of one that has not arrived, what the event says."""
        return self.document(ref) or Queue(id=ref.id, slug=ref.slug, name=ref.name)

    def sender(self, ref: QueueRef) -> Address:
        """The queue's address (A8.05); of a queue without one the default queue's, so that an answer comes back."""
        queue = self.queue(ref)
        default = self.queues().default
        email = queue.address or (default.address if default else None) or f"postmaster@{self.domain}"
        return Address(email=email, name=queue.display_name or queue.name)

    def own_addresses(self) -> frozenset[str]:
        """The addresses of our queues, as `addresses.comparable` writes them; those of retired ones too: their mail still comes to us."""
        queues = (*self.queues().by_id.values(), *self.known.queues.values())
        return frozenset(comparable(queue.address) for queue in queues if queue.address)

    def around(self, about: About, customer: CustomerRef, agent: PersonRef) -> Around:
        """Salutation and signature: the document's that the queue names, else the text that stands in the queue (A8.03, A8.04)."""
        queue, configuration = self.queue(about.queue), self.configuration()
        variables = self.variables(about, customer, agent)
        return Around(
            templates.render(_written(queue.salutation, configuration.salutations), variables),
            templates.render(_written(queue.signature, configuration.signatures), variables),
        )

    def variables(
        self, about: About, customer: CustomerRef | None = None, agent: PersonRef | None = None
    ) -> templates.Variables:
        """What templates know (api.md, section 5), each value on one line."""
        known: dict[str, Mapping[str, str]] = {
            "queue": {"name": mail_body.line(self.queue(about.queue).name)},
            "ticket": {"number": about.number, "title": mail_body.line(about.title)},
        }
        if customer is not None:
            known["customer"] = {"name": customer.called, "email": customer.email}
        if agent is not None:
            known["agent"] = {"name": mail_body.line(agent.name)}
        return known


def _written(text: str, documents: Mapping[str, Salutation] | Mapping[str, Signature]) -> str:
    """The text of the document with this slug, if there is one."""
    found = documents.get(text.strip())
    return found.text if found is not None else text
