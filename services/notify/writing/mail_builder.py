"""Builds the mails of a queue: sender, Reply-To, Message-ID, salutation, signature, and the variables of templates."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import Any
from uuid import UUID, uuid5

from services.notify.read_models.inputs import PolicyInputs
from services.notify.read_models.ticket_facts import TicketFacts
from services.notify.writing import mail_body
from services.notify.writing.mail_body import BodyParts
from shared import templates
from shared.addresses import comparable
from shared.contracts.directory import Person, Queue, Salutation, Signature
from shared.contracts.envelope import Recorded
from shared.contracts.intake import TicketOpened
from shared.contracts.notify import NotificationKind, OutgoingMail
from shared.contracts.parts import Address, CustomerRef, PersonRef, QueueRef
from shared.contracts.routing import AgentReplied, ArticleBounced, ArticleForwarded, FollowUpRejected, RuleNotified
from shared.directory.copy import Configuration, Queues
from shared.languages.known import Language, language_of
from shared.languages.translator import Translator
from shared.rules import message_ids, reply_addresses
from shared.rules.zones import zone_of_person

About = TicketOpened | AgentReplied | ArticleForwarded | ArticleBounced | FollowUpRejected | RuleNotified | TicketFacts
"""What has a ticket's number, title and queue."""


def notification_id(cause: UUID, kind: NotificationKind, distinct: str = "") -> UUID:
    """The same event leads to the same notification, however often it is processed.

    `distinct` tells apart two notifications of a kind.
    """
    return uuid5(cause, kind + distinct)


def address_of(customer: CustomerRef) -> Address:
    return Address(email=customer.email, name=customer.name)


@dataclass(frozen=True, slots=True)
class MailBuilder:
    """`queues` and `configuration` return the newest copies. `key` signs Message-IDs under `domain`. `zone`
    and `language` are the desk's, for readers who have chosen none.

    `reply_tags`: replies come back to an address that names the ticket (decision 0028).
    """

    queues: Callable[[], Queues]
    key: bytes
    domain: str
    configuration: Callable[[], Configuration] = Configuration
    zone: tzinfo = UTC
    inputs: PolicyInputs = field(default_factory=PolicyInputs)
    reply_tags: bool = False
    language: Language = "en"

    @property
    def desk(self) -> Translator:
        """The language and time zone of readers who have chosen none."""
        return Translator(self.language, self.zone)

    def translator_of(self, reader: Person | None) -> Translator:
        """The language and time zone in which somebody reads; the desk's of somebody without a record."""
        if reader is None:
            return self.desk
        return Translator(language_of(reader.language, otherwise=self.language), zone_of_person(reader, self.zone))

    def mail(
        self, kind: NotificationKind, event: Recorded, queue: QueueRef, *, distinct: str = "", **fields: Any
    ) -> tuple[UUID, OutgoingMail]:
        """The notification's id, and the mail, whose Message-ID follows from it.

        `fields` are those of `OutgoingMail`.
        """
        notification = notification_id(event.id, kind, distinct)
        return notification, self.mail_about(event.stream, notification, queue, **fields)

    def mail_about(self, ticket: UUID, notification: UUID, queue: QueueRef, **fields: Any) -> OutgoingMail:
        """A mail about a ticket, whose Message-ID follows from the notification's id."""
        message_id = message_ids.make(self.key, ticket, notification, self.domain)
        sender = self.sender(queue)
        if self.reply_tags and fields.get("reply_to") is None and "resent" not in fields:
            tagged = reply_addresses.make(self.key, ticket, sender.email)
            fields["reply_to"] = sender.model_copy(update={"email": tagged}) if tagged is not None else None
        return OutgoingMail(message_id=message_id, sender=sender, queue=queue.id, **fields)

    def document(self, ref: QueueRef) -> Queue | None:
        """The queue's document, if it has arrived."""
        return self.queues().by_id.get(ref.id) or self.inputs.queues.get(ref.id)

    def queue(self, ref: QueueRef) -> Queue:
        """The queue's document; until it has arrived, what the event says of the queue."""
        return self.document(ref) or Queue(id=ref.id, slug=ref.slug, name=ref.name)

    def sender(self, ref: QueueRef) -> Address:
        """The queue's address (A8.05), or the default queue's if it has none, so that replies come back."""
        queue = self.queue(ref)
        default = self.queues().default
        email = queue.address or (default.address if default else None) or f"postmaster@{self.domain}"
        return Address(email=email, name=queue.display_name or queue.name)

    def own_addresses(self) -> frozenset[str]:
        """The addresses of our queues, as `addresses.comparable` writes them.

        We still receive the mail of retired queues.
        """
        queues = (*self.queues().by_id.values(), *self.inputs.queues.values())
        return frozenset(comparable(queue.address) for queue in queues if queue.address)

    def body_parts(self, about: About, customer: CustomerRef, agent: PersonRef) -> BodyParts:
        """Salutation and signature, from the documents that the queue names or from its own texts (A8.03, A8.04)."""
        salutation, signature = self.around(about.queue, self.variables(about, customer, agent))
        return BodyParts(salutation, signature, say=self.translator_of(self.inputs.people.get(customer.id)))

    def around(self, ref: QueueRef, variables: templates.Variables) -> tuple[str, str]:
        """Salutation and signature of a queue."""
        queue, configuration = self.queue(ref), self.configuration()
        return (
            templates.render(_template(queue.salutation, configuration.salutations), variables),
            templates.render(_template(queue.signature, configuration.signatures), variables),
        )

    def variables(
        self, about: About, customer: CustomerRef | None = None, agent: PersonRef | None = None
    ) -> templates.Variables:
        """The variables of templates, each value on one line."""
        known: dict[str, Mapping[str, str]] = {
            "queue": {"name": mail_body.line(self.queue(about.queue).name)},
            "ticket": {"number": about.number, "title": mail_body.line(about.title)},
        }
        if customer is not None:
            known["customer"] = {"name": customer.called, "email": customer.email}
        if agent is not None:
            known["agent"] = {"name": mail_body.line(agent.name)}
        return known


def _template(text: str, documents: Mapping[str, Salutation] | Mapping[str, Signature]) -> str:
    """The text of the document with this slug, if there is one."""
    found = documents.get(text.strip())
    return found.text if found is not None else text
