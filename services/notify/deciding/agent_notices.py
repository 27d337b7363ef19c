"""Decides which agents have a notice of an event, and who of them gets a mail. `notices.to_agents` declares the
notices."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from services.notify.notices.audience import Reader, with_substitutes
from services.notify.notices.declaration import AgentNotice
from services.notify.notices.to_agents import notices_about
from services.notify.read_models.ticket_facts import TicketFacts
from services.notify.ticket.commands import GiveNotice, HeldNotice
from services.notify.writing.mail_builder import MailBuilder, notification_id
from shared.contracts.envelope import Recorded
from shared.contracts.intake import TicketOpened
from shared.contracts.routing import TicketMoved
from shared.eventstore.store import utc_now


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
    """`now`: the time at which people are away or not."""

    def __init__(self, builder: MailBuilder, now: Callable[[], datetime] = utc_now) -> None:
        self.builder, self.inputs, self.now = builder, builder.inputs, now

    def react(self, event: Recorded) -> list[GiveNotice]:
        """Nobody has two notices about one event, or one about what they did themselves."""
        given: list[GiveNotice] = []
        left_out = {event.actor.id}
        for notice in notices_about(event.payload):
            ticket = ticket_at(event, self.inputs.tickets)
            if ticket is None:
                continue
            readers = self._readers(notice, event, ticket, left_out)
            if readers:
                given.append(self._given(notice, event, readers))
                left_out.update(str(each.person.id) for each in readers)
        return given

    def _readers(
        self, notice: AgentNotice[Any], event: Recorded, ticket: TicketFacts, left_out: set[str | None]
    ) -> list[Reader]:
        queue, people = self.builder.document(ticket.queue), self.inputs.people
        found = notice.to.readers(event.payload, ticket, queue, people, self.inputs.subscribers)
        # Somebody who is away and worked all the same knows what they did: so nobody is told in their place.
        themselves = [each for each in found if str(each.person.id) not in left_out]
        everybody = with_substitutes(themselves, queue, people, self.now(), self.builder.zone)
        return [each for each in everybody if str(each.person.id) not in left_out]

    def _given(self, notice: AgentNotice[Any], event: Recorded, readers: list[Reader]) -> GiveNotice:
        details = notice.variables(event.payload)
        mailed = [
            each.person.id
            for each in readers
            if each.asked or notice.mailed is None or notice.mailed in each.person.notices
        ]
        return GiveNotice(
            notification_id(event.id, notice.kind, notice.distinct),
            notice.kind,
            tuple(each.person.id for each in readers),
            event.id,
            tuple(dict.fromkeys(each.substitutes_for for each in readers if each.substitutes_for is not None)),
            mails=tuple(HeldNotice(person, notice.wording, details) for person in mailed),
        )
