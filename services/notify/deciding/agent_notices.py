"""Which foreign event leads to which notice to agents. Whom it reaches is decided in `audience`; what leaves the desk, in `policies`."""

from collections.abc import Sequence
from typing import Literal

from services.notify.deciding.inputs import Remembered
from services.notify.notices.audience import answering, reader, reminded, wanting
from services.notify.ticket.commands import RequestNotice
from services.notify.writing import mail_body, wording
from services.notify.writing.mail_builder import Letterhead
from shared import templates
from shared.contracts.directory import Notice, Person
from shared.contracts.envelope import Recorded
from shared.contracts.intake import CustomerMessageReceived, TicketOpened
from shared.contracts.parts import Address, Message, QueueRef
from shared.contracts.routing import ReminderReached, TicketMoved, TicketUnlocked


class Notices:
    """Mails within the desk, on the letterhead of the ticket's queue."""

    def __init__(self, letterhead: Letterhead) -> None:
        self.letterhead, self.known = letterhead, letterhead.known

    def react(self, event: Recorded) -> list[RequestNotice]:
        match event.payload:
            case TicketOpened() as opened:
                return self.a_new_ticket_is_told(opened, event)
            case CustomerMessageReceived() as received:
                return self.a_customers_message_is_told(received, event)
            case TicketMoved() as moved:
                return self.a_move_is_told(moved, event)
            case TicketUnlocked(because="expired") as unlocked:
                return [*self.an_expired_lock_is_told(unlocked, event), *self.anothers_lock_is_told(unlocked, event)]
            case ReminderReached() as reached:
                return self.a_reminder_is_sent(reached, event)
            case _:
                return []

    def a_new_ticket_is_told(self, opened: TicketOpened, event: Recorded) -> list[RequestNotice]:
        ticket = Remembered(opened.number, opened.title, opened.queue)
        more = {
            "customer": self.letterhead.variables(opened, opened.customer)["customer"],
            "message": _quoted(opened.message),
        }
        people = self._wanting("new_ticket", ticket.queue, event)
        return self._notice("new_ticket", event, ticket, people, (wording.NEW_TICKET, "New ticket"), more)

    def a_customers_message_is_told(self, received: CustomerMessageReceived, event: Recorded) -> list[RequestNotice]:
        """To whoever is responsible for the ticket or owns it (A6.11), and to those who want to know."""
        ticket = self.known.tickets.get(event.stream)
        if ticket is None:
            return []
        concerned = _others(answering(ticket, self.letterhead.document(ticket.queue), self.known.people), event)
        people = [
            *concerned,
            *(each for each in self._wanting("follow_up", ticket.queue, event) if each not in concerned),
        ]
        more = {
            "customer": self.letterhead.variables(ticket, received.customer)["customer"],
            "message": _quoted(received.message),
        }
        return self._notice("follow_up", event, ticket, people, (wording.FOLLOW_UP, "New message"), more)

    def a_move_is_told(self, moved: TicketMoved, event: Recorded) -> list[RequestNotice]:
        """To those whose queue it came into. They may not know the one that it came from."""
        known = self.known.tickets.get(event.stream)
        if known is None:
            return []
        ticket = Remembered(known.number, known.title, moved.to)
        people = self._wanting("moved", moved.to, event)
        return self._notice("moved", event, ticket, people, (wording.MOVED, "Moved here"), {})

    def an_expired_lock_is_told(self, unlocked: TicketUnlocked, event: Recorded) -> list[RequestNotice]:
        """To the agent who had it (A6.06), unless they may not read the ticket any more."""
        ticket = self.known.tickets.get(event.stream)
        if ticket is None:
            return []
        holder = reader(unlocked.was.id, self.letterhead.document(ticket.queue), self.known.people)
        if holder is None:
            return []
        due = {"due": mail_body.moment(unlocked.due_at or event.time, self.letterhead.zone)}
        words = (wording.LOCK_EXPIRED, "Your lock has expired")
        return self._notice("lock_expired", event, ticket, [holder], words, {"time": due})

    def anothers_lock_is_told(self, unlocked: TicketUnlocked, event: Recorded) -> list[RequestNotice]:
        ticket = self.known.tickets.get(event.stream)
        if ticket is None:
            return []
        wanting = self._wanting("lock_expired", ticket.queue, event)
        people = [each for each in wanting if each.id != unlocked.was.id]
        due = {"due": mail_body.moment(unlocked.due_at or event.time, self.letterhead.zone)}
        more = {"holder": {"name": mail_body.line(unlocked.was.name)}, "time": due}
        words = (wording.ANOTHERS_LOCK_EXPIRED, "A lock has expired")
        return self._notice("lock_expired", event, ticket, people, words, more, to="those who want to know")

    def a_reminder_is_sent(self, reached: ReminderReached, event: Recorded) -> list[RequestNotice]:
        ticket = self.known.tickets.get(event.stream)
        if ticket is None:
            return []
        people = reminded(ticket.owner, self.letterhead.document(ticket.queue), self.known.people)
        owns = ticket.owner is not None and ticket.owner.id in {person.id for person in people}
        more = {
            "agent": {"owns": "yes" if owns else ""},
            "time": {"due": mail_body.moment(reached.due_at, self.letterhead.zone)},
        }
        return self._notice("reminder", event, ticket, people, (wording.REMINDER, "Reminder"), more)

    def _wanting(self, notice: Notice, queue: QueueRef, event: Recorded) -> list[Person]:
        """Those who want such notices of this queue, without whoever did it."""
        return _others(wanting(notice, self.letterhead.document(queue), self.known.wanting), event)

    def _notice(
        self,
        kind: Notice | Literal["reminder"],
        event: Recorded,
        ticket: Remembered,
        people: Sequence[Person],
        words: tuple[str, str],
        more: templates.Variables,
        *,
        to: str = "",
    ) -> list[RequestNotice]:
        """One notice to all these people; none if there are none. `words` are the text and what the subject begins with; `to` tells apart two
        notices of one kind and event."""
        if not people:
            return []
        (one, *others) = people
        agent = {**more.get("agent", {}), **({} if others else {"name": mail_body.line(one.name)})}
        known = {**self.letterhead.variables(ticket), **more, "agent": agent}
        notification, mail = self.letterhead.mail(
            kind,
            event,
            ticket.queue,
            distinct=to,
            to=tuple(Address(email=person.email, name=person.name) for person in people),
            subject=wording.opening_subject(ticket.number, f"{words[1]}: {ticket.title}"),
            text=templates.render(words[0], known),
            auto_submitted="auto-generated",
        )
        return [RequestNotice(notification, kind, mail, self.letterhead.own_addresses())]


def _others(people: Sequence[Person], event: Recorded) -> list[Person]:
    """These people, without whoever did it themselves."""
    return [person for person in people if str(person.id) != event.actor.id]


def _quoted(message: Message) -> dict[str, str]:
    """What a customer wrote, for a notice."""
    text = (message.new_text if message.new_text is not None else message.text).strip()
    return {"text": text if len(text) <= wording.LONGEST_QUOTE else f"{text[: wording.LONGEST_QUOTE]} [...]"}
