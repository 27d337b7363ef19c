"""Requests the notices to agents that an event leads to. What the notices are is declared in `notices.to_agents`."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from services.notify.notices.declaration import AgentNotice, Occasion
from services.notify.notices.to_agents import notices_about
from services.notify.read_models.ticket_facts import TicketFacts
from services.notify.ticket.commands import RequestNotice
from services.notify.writing import mail_body, wording
from services.notify.writing.mail_builder import MailBuilder
from shared import templates
from shared.contracts.directory import Person
from shared.contracts.envelope import Recorded
from shared.contracts.intake import TicketOpened
from shared.contracts.parts import Address
from shared.contracts.routing import TicketMoved


def ticket_at(event: Recorded, tickets: Mapping[UUID, TicketFacts]) -> TicketFacts | None:
    """The ticket as an event left it; None if nothing is known of it."""
    match event.payload:
        case TicketOpened() as opened:
            return TicketFacts(opened.number, opened.title, opened.queue)
        case TicketMoved() as moved:
            known = tickets.get(event.stream)
            return None if known is None else replace(known, queue=moved.to)
        case _:
            return tickets.get(event.stream)


class AgentNotices:
    def __init__(self, builder: MailBuilder) -> None:
        self.builder, self.inputs = builder, builder.inputs

    def react(self, event: Recorded) -> list[RequestNotice]:
        """One mail for all readers of a notice.

        Nobody gets two notices about one event, or one about what they did themselves.
        """
        requests: list[RequestNotice] = []
        left_out = {event.actor.id}
        for notice in notices_about(event.payload):
            ticket = ticket_at(event, self.inputs.tickets)
            if ticket is None:
                continue
            queue = self.builder.document(ticket.queue)
            people = notice.to.readers(event.payload, ticket, queue, self.inputs.people, self.inputs.subscribers)
            readers = [person for person in people if str(person.id) not in left_out]
            if readers:
                requests.append(self._request(notice, event, ticket, readers))
                left_out.update(str(person.id) for person in readers)
        return requests

    def _request(
        self, notice: AgentNotice[Any], event: Recorded, ticket: TicketFacts, readers: Sequence[Person]
    ) -> RequestNotice:
        variables = notice.variables(event.payload, Occasion(event, ticket, readers, self.builder.zone))
        agent = dict(variables.get("agent", {}))
        if len(readers) == 1:
            agent["name"] = mail_body.line(readers[0].name)
        notification, mail = self.builder.mail(
            notice.kind,
            event,
            ticket.queue,
            distinct=notice.distinct,
            to=tuple(Address(email=person.email, name=person.name) for person in readers),
            subject=wording.opening_subject(ticket.number, f"{notice.subject}: {ticket.title}"),
            text=templates.render(notice.text, {**self.builder.variables(ticket), **variables, "agent": agent}),
            auto_submitted="auto-generated",
        )
        return RequestNotice(notification, notice.kind, mail, self.builder.own_addresses())
