"""Requests the mails that a trigger sends: to the customer, to agents, to addresses (decision 0116)."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

from services.notify.deciding.customer_notices import address_today
from services.notify.notices.audience import Reader, reader, with_substitutes
from services.notify.ticket.commands import Command, GiveNotice, RefuseMail, RequestNotice, RequestRuleMail
from services.notify.writing import mail_body, wording
from services.notify.writing.mail_builder import MailBuilder, notification_id
from shared import templates
from shared.addresses import comparable
from shared.contracts.directory import Person, Queue, Template
from shared.contracts.envelope import Recorded
from shared.contracts.notify import OutgoingMail
from shared.contracts.parts import Address
from shared.contracts.routing import RuleNotified
from shared.eventstore.store import utc_now

CUSTOMER = "customer"


def people_named(notified: RuleNotified) -> Iterator[UUID]:
    """The ids of the people whom the trigger names: by their part in the ticket, or as themselves."""
    for each in notified.to:
        match each:
            case "owner" | "responsible":
                part = notified.owner if each == "owner" else notified.responsible
                if part is not None:
                    yield part.id
            case _:
                ident = _id(each)
                if ident is not None:
                    yield ident


class RuleMails:
    """`now`: the time at which people are away or not."""

    def __init__(self, builder: MailBuilder, now: Callable[[], datetime] = utc_now) -> None:
        self.builder, self.inputs, self.now = builder, builder.inputs, now

    def react(self, notified: RuleNotified, event: Recorded) -> Sequence[Command]:
        """Everybody gets a mail of their own, once, whoever they are to the ticket. Agents have a notice too."""
        template = self.builder.configuration().templates.get(notified.template)
        if template is None:
            refused = notification_id(event.id, "rule")
            return [RefuseMail(refused, "rule", f"there is no template {notified.template}")]
        told: set[str] = set()
        commands: list[Command] = []
        if self._names_customer(notified):
            told.update(self._addresses_of_customer(notified))
            commands.append(self._to_customer(notified, template, event))
        readers = [each for each in self._readers(notified) if comparable(each.person.email) not in told]
        if readers:
            commands.append(self._notice(notified, event, readers))
        for each in readers:
            told.add(comparable(each.person.email))
            commands.append(self._to_agent(notified, template, each.person, event))
        for address in dict.fromkeys(comparable(each) for each in notified.to if "@" in each):
            if address not in told:
                commands.append(self._to_address(notified, template, address, event))
        return commands

    def _names_customer(self, notified: RuleNotified) -> bool:
        """Whether the customer is among the recipients: as such, as a person, or by their address."""
        person = self.inputs.people.get(notified.customer.id)
        ids = {str(notified.customer.id)} | ({str(person.id)} if person is not None else set())
        known = {CUSTOMER, *ids, *self._addresses_of_customer(notified)}
        return any(each in known or comparable(each) in known for each in notified.to)

    def _addresses_of_customer(self, notified: RuleNotified) -> set[str]:
        customer = address_today(notified.customer, self.inputs.people)
        return {comparable(each) for each in (customer.email, notified.customer.email) if each}

    def _readers(self, notified: RuleNotified) -> list[Reader]:
        """The agents among the recipients who may read the ticket, each once, and the substitutes of those away."""
        queue: Queue | None = self.builder.document(notified.queue)
        people = self.inputs.people
        named = [found for each in people_named(notified) if (found := reader(each, queue, people)) is not None]
        if "followers" in notified.to:
            named += [
                each
                for each in self.inputs.followers.get(notified.queue.id, ())
                if reader(each.id, queue, {each.id: each})
            ]
        once = list({each.id: Reader(each) for each in named}.values())
        return with_substitutes(once, queue, people, self.now(), self.builder.zone)

    def _notice(self, notified: RuleNotified, event: Recorded, readers: Sequence[Reader]) -> GiveNotice:
        return GiveNotice(
            notification_id(event.id, "rule", "notice"),
            "rule",
            tuple(each.person.id for each in readers),
            event.id,
            tuple(dict.fromkeys(each.substitutes_for for each in readers if each.substitutes_for is not None)),
            notified.rule,
        )

    def _to_agent(self, notified: RuleNotified, template: Template, person: Person, event: Recorded) -> RequestNotice:
        subject, text = self._written(notified, template, proven=True)
        notification, mail = self.builder.mail(
            "rule",
            event,
            notified.queue,
            distinct=str(person.id),
            to=(Address(email=person.email, name=person.name),),
            subject=wording.opening_subject(notified.number, subject or notified.title),
            text=text,
            auto_submitted="auto-generated",
        )
        return RequestNotice(notification, "rule", mail, self.builder.own_addresses())

    def _to_address(self, notified: RuleNotified, template: Template, address: str, event: Recorded) -> RequestRuleMail:
        subject, text = self._written(notified, template, proven=self._proven(event))
        notification, mail = self.builder.mail(
            "rule",
            event,
            notified.queue,
            distinct=address,
            to=(Address(email=address),),
            subject=wording.opening_subject(notified.number, subject),
            text=text,
            auto_submitted="auto-generated",
        )
        return self._request(notification, "rule", mail, event)

    def _to_customer(self, notified: RuleNotified, template: Template, event: Recorded) -> RequestRuleMail:
        """A reply to the customer's newest mail, between the salutation and the signature of the queue.

        Anybody can forge a sender: until it is proven whose they are, the mail has neither the customer's name nor the
        ticket's title.
        """
        ticket, proven = self.inputs.tickets.get(event.stream), self._proven(event)
        customer = address_today(notified.customer, self.inputs.people)
        subject, text = self._written(notified, template, proven=proven)
        around = self.builder.around(notified.queue, self._variables(notified, proven=proven))
        answers_to = ticket.answers_to if ticket is not None else ()
        to = answers_to[:1] or ((Address(email=customer.email, name=customer.name),) if customer.email else ())
        replies_to = ticket.message_id if ticket is not None else None
        if not proven:
            to = tuple(Address(email=each.email) for each in to)
        elif not subject:
            subject = wording.reply_subject(notified.number, notified.title)
        notification, mail = self.builder.mail(
            "rule_to_customer",
            event,
            notified.queue,
            to=to,
            subject=wording.opening_subject(notified.number, subject),
            text="\n\n".join(each.strip("\r\n") for each in (around[0], text, around[1]) if each.strip()) + "\n",
            in_reply_to=replies_to,
            references=(replies_to,) if replies_to else (),
            auto_submitted="auto-generated",
        )
        return self._request(notification, "rule_to_customer", mail, event)

    def _request(
        self, notification: UUID, kind: Literal["rule", "rule_to_customer"], mail: OutgoingMail, event: Recorded
    ) -> RequestRuleMail:
        older = self.inputs.rule_mails.get(event.stream)
        sent = older[comparable(mail.to[0].email)] if older is not None and mail.to else 0
        return RequestRuleMail(notification, kind, mail, self.builder.own_addresses(), sent)

    def _proven(self, event: Recorded) -> bool:
        ticket = self.inputs.tickets.get(event.stream)
        return ticket is not None and ticket.proven

    def _written(self, notified: RuleNotified, template: Template, *, proven: bool) -> tuple[str, str]:
        """Subject (on one line) and text of the template."""
        variables = self._variables(notified, proven=proven)
        subject = mail_body.line(templates.render(template.subject, variables))[:500]
        return subject, templates.render(template.text, variables)

    def _variables(self, notified: RuleNotified, *, proven: bool) -> templates.Variables:
        customer = address_today(notified.customer, self.inputs.people)
        known = dict(self.builder.variables(notified, customer))
        known["agent"] = {"name": mail_body.line(notified.owner.name) if notified.owner is not None else ""}
        if not proven:
            known["customer"] = {"name": "", "email": customer.email}
            known["ticket"] = {"number": notified.number, "title": ""}
        return known


def _id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
