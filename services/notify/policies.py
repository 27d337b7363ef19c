"""Which foreign event leads to which mail. The mail is written here, from the event and the queue's document at that moment."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from typing import Any
from uuid import UUID, uuid5

from services.notify import letters, wording
from services.notify.addresses import mailable, plain
from services.notify.audience import answering, colleague, reminded, wanting
from services.notify.commands import (
    Command,
    RequestAnswer,
    RequestBounce,
    RequestClosing,
    RequestForward,
    RequestNotice,
    RequestReceipt,
    RequestRejection,
)
from services.notify.known import Known, Refusals, Remembered
from services.notify.letters import Around
from shared import templates
from shared.contracts import message_ids, reply_addresses
from shared.contracts.directory import Notice, Person, Queue, Salutation, Signature
from shared.contracts.envelope import Recorded
from shared.contracts.intake import CustomerMessageReceived, TicketOpened
from shared.contracts.notify import NotificationKind, OutgoingMail
from shared.contracts.parts import Address, Attachment, CustomerRef, Message, PersonRef, QueueRef
from shared.contracts.routing import (
    AgentReplied,
    ArticleBounced,
    ArticleForwarded,
    FollowUpRejected,
    ReminderReached,
    StateChanged,
    TicketMoved,
    TicketUnlocked,
)
from shared.directory.copy import Queues, Settings

LISTENS_TO = frozenset(("intake", "routing"))

About = TicketOpened | AgentReplied | ArticleForwarded | ArticleBounced | FollowUpRejected | Remembered
"""What names a ticket's number, title and queue."""


def notification_id(cause: UUID, kind: NotificationKind, distinct: str = "") -> UUID:
    """The same event leads to the same notification, however often it is worked through; `distinct` where it leads to two of a kind."""
    return uuid5(cause, kind + distinct)


@dataclass(frozen=True, slots=True)
class Policies:
    """`queues` and `settings` answer the newest snapshots; `known` is what was looked up beyond them. `key` signs Message-IDs under
    `domain`; times are told in `zone`. `reply_tags`: answers come back to an address that names the ticket (decision 0028)."""

    queues: Callable[[], Queues]
    key: bytes
    domain: str
    settings: Callable[[], Settings] = Settings
    zone: tzinfo = UTC
    known: Known = field(default_factory=Known)
    reply_tags: bool = False

    def react(self, event: Recorded) -> Sequence[Command]:
        return [*self._to_others(event), *self._to_agents(event)]

    def _to_others(self, event: Recorded) -> Sequence[Command]:
        """Mails that leave the desk."""
        match event.payload:
            case TicketOpened(receipt=True) as opened:
                return [self.an_opened_ticket_is_acknowledged(opened, event)]
            case TicketOpened(channel="email", opened_by=PersonRef() as agent, split_from=None) as opened:
                return [self.an_agents_mail_ticket_is_sent(opened, agent, event)]
            case AgentReplied() as replied:
                return [self.an_answer_is_sent(replied, event)]
            case ArticleForwarded() as forwarded:
                return [self.a_forwarded_article_is_sent(forwarded, event)]
            case ArticleBounced() as bounced:
                return [self.a_bounced_mail_is_sent_on(bounced, event)]
            case FollowUpRejected(no_answer=False) as rejected:
                return [self.a_refused_message_is_answered(rejected, event)]
            case StateChanged() as changed:
                return self.a_closing_is_told(changed, event)
            case _:
                return []

    def _to_agents(self, event: Recorded) -> Sequence[Command]:
        """Notices within the desk."""
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

    def an_opened_ticket_is_acknowledged(self, opened: TicketOpened, event: Recorded) -> RequestReceipt:
        customers = opened.message.message_id
        notification, mail = self._mail(
            "receipt",
            event,
            opened.queue,
            to=(_address(opened.customer),) if opened.customer.email else (),
            subject=wording.reply_subject(opened.number, opened.title),
            text=templates.render(wording.RECEIPT, self._variables(opened, opened.customer)),
            in_reply_to=customers,
            references=(customers,) if customers else (),
            auto_submitted="auto-replied",
        )
        return RequestReceipt(notification, mail, self._own())

    def an_agents_mail_ticket_is_sent(self, opened: TicketOpened, agent: PersonRef, event: Recorded) -> RequestAnswer:
        """An agent who opens a ticket by mail writes to the customer first (api.md, section 3). One that was split off has its words from
        an article that its reader knows already."""
        message = opened.message
        around = self._around(opened, opened.customer, agent)
        notification, mail = self._mail(
            "answer",
            event,
            opened.queue,
            to=message.to or (_address(opened.customer),),
            cc=message.cc,
            bcc=message.bcc,
            subject=wording.opening_subject(opened.number, message.subject or opened.title),
            text=letters.text_of(message, around),
            html=letters.html_of(message, around),
            attachments=_attachments(message),
        )
        return RequestAnswer(notification, message.id, mail, self._own())

    def an_answer_is_sent(self, replied: AgentReplied, event: Recorded) -> RequestAnswer:
        message = replied.message
        around = replace(self._around(replied, replied.customer, replied.by), quote=self._quote(replied, event.stream))
        notification, mail = self._mail(
            "answer",
            event,
            replied.queue,
            to=message.to or (_address(replied.customer),),
            cc=message.cc,
            bcc=message.bcc,
            subject=wording.reply_subject(replied.number, message.subject or replied.title),
            text=letters.text_of(message, around),
            html=letters.html_of(message, around),
            in_reply_to=replied.references[-1] if replied.references else None,
            references=replied.references,
            attachments=_attachments(message),
        )
        return RequestAnswer(notification, message.id, mail, self._own())

    def a_forwarded_article_is_sent(self, forwarded: ArticleForwarded, event: Recorded) -> RequestForward:
        """The agent's words, their signature, and the article with its files (A7.14).

        As in OTRS and Zammad the subject has the ticket's token and the mail our Message-ID, so that the outsider's answer comes back
        to this ticket, as a message of the outsider's own. It refers to the original as mail programs do when they forward, but is
        no answer to it: no In-Reply-To, no salutation of the customer's.
        """
        message, original = forwarded.message, forwarded.original
        around = Around(
            signature=self._around(forwarded, forwarded.customer, forwarded.by).signature,
            forwarded=original,
            zone=self.zone,
        )
        notification, mail = self._mail(
            "forward",
            event,
            forwarded.queue,
            to=message.to,
            cc=message.cc,
            bcc=message.bcc,
            subject=wording.forward_subject(forwarded.number, message.subject or forwarded.title),
            text=letters.text_of(message, around),
            html=letters.html_of(message, around),
            references=(original.message_id,) if original.message_id else (),
            attachments=_attachments(message, original),
        )
        return RequestForward(notification, message.id, mail, self._own())

    def a_bounced_mail_is_sent_on(self, bounced: ArticleBounced, event: Recorded) -> RequestBounce:
        """The mail as it came in, resent by us (A7.15; RFC 5322, section 3.6.6). What was no mail, or carries malware, is written anew, in its writer's
        words alone; an answer goes to its writer, as it would had the mail been theirs."""
        original = bounced.original
        fields: dict[str, Any]
        infected = any(each.scan == "infected" for each in original.attachments)
        if bounced.raw is not None and not infected:
            fields = {"subject": original.subject or bounced.title, "text": "", "resent": bounced.raw}
        else:
            fields = {
                "subject": wording.opening_subject(bounced.number, original.subject or bounced.title),
                "text": letters.text_of(original, Around()),
                "html": letters.html_of(original, Around()),
                "attachments": _attachments(original),
                "reply_to": original.sender if original.sender and mailable(original.sender.email) else None,
            }
        notification, mail = self._mail("bounce", event, bounced.queue, to=bounced.to, **fields)
        return RequestBounce(notification, bounced.bounce, mail, self._own())

    def a_refused_message_is_answered(self, rejected: FollowUpRejected, event: Recorded) -> RequestRejection:
        known = self._variables(rejected, rejected.customer)
        queue = {**known["queue"], "address": self._sender(rejected.queue).email}
        notification, mail = self._mail(
            "follow_up_rejected",
            event,
            rejected.queue,
            to=(_address(rejected.customer),) if rejected.customer.email else (),
            subject=wording.reply_subject(rejected.number, rejected.title),
            text=templates.render(wording.REJECTION, {**known, "queue": queue}),
            in_reply_to=rejected.message_id,
            references=(rejected.message_id,) if rejected.message_id else (),
            auto_submitted="auto-replied",
        )
        before = self.known.refusals.get(event.stream, Refusals(0, 0))
        return RequestRejection(notification, mail, self._own(), before.before_lately, before.before_today)

    def a_closing_is_told(self, changed: StateChanged, event: Recorded) -> list[RequestClosing]:
        """To the customer, where the queue wants it (A5.14, A10.03): when the desk or time closed the ticket without an answer that they get
        anyhow. Not of a ticket that a machine opened or that went to a junk queue (decision 0059)."""
        ticket = self.known.tickets.get(event.stream)
        if ticket is None or ticket.customer is None or ticket.by_machine or not _closes_unheard(changed):
            return []
        queue = self._document(ticket.queue)
        junk = {each.junk_queue for each in self.queues().live}
        if queue is None or not queue.tells_when_closed or queue.slug in junk:
            return []
        known = self._variables(ticket, ticket.customer)
        takes_more = "yes" if queue.follow_up != "reject" else ""
        notification, mail = self._mail(
            "closed",
            event,
            ticket.queue,
            to=(_address(ticket.customer),) if ticket.customer.email else (),
            subject=wording.reply_subject(ticket.number, ticket.title),
            text=templates.render(
                wording.CLOSED,
                {
                    **known,
                    "queue": {
                        **known["queue"],
                        "address": self._sender(ticket.queue).email,
                        "takes_more": takes_more,
                    },
                },
            ),
            in_reply_to=ticket.message_id,
            references=(ticket.message_id,) if ticket.message_id else (),
            auto_submitted="auto-generated",
        )
        return [RequestClosing(notification, mail, self._own())]

    def a_new_ticket_is_told(self, opened: TicketOpened, event: Recorded) -> list[RequestNotice]:
        ticket = Remembered(opened.number, opened.title, opened.queue)
        more = {"customer": self._variables(opened, opened.customer)["customer"], "message": _quoted(opened.message)}
        people = self._wanting("new_ticket", ticket.queue, event)
        return self._noticed("new_ticket", event, ticket, people, (wording.NEW_TICKET, "New ticket"), more)

    def a_customers_message_is_told(self, received: CustomerMessageReceived, event: Recorded) -> list[RequestNotice]:
        """To whoever is responsible for the ticket or owns it (A6.11), and to those who want to know."""
        ticket = self.known.tickets.get(event.stream)
        if ticket is None:
            return []
        concerned = _others(answering(ticket, self._document(ticket.queue), self.known.people), event)
        people = [
            *concerned,
            *(each for each in self._wanting("follow_up", ticket.queue, event) if each not in concerned),
        ]
        more = {
            "customer": self._variables(ticket, received.customer)["customer"],
            "message": _quoted(received.message),
        }
        return self._noticed("follow_up", event, ticket, people, (wording.FOLLOW_UP, "New message"), more)

    def a_move_is_told(self, moved: TicketMoved, event: Recorded) -> list[RequestNotice]:
        """To those whose queue it came into."""
        known = self.known.tickets.get(event.stream)
        if known is None:
            return []
        ticket = Remembered(known.number, known.title, moved.to)
        people = self._wanting("moved", moved.to, event)
        queue = {"name": letters.line(self._queue(moved.to).name), "before": letters.line(moved.was.name)}
        return self._noticed("moved", event, ticket, people, (wording.MOVED, "Moved here"), {"queue": queue})

    def anothers_lock_is_told(self, unlocked: TicketUnlocked, event: Recorded) -> list[RequestNotice]:
        ticket = self.known.tickets.get(event.stream)
        if ticket is None:
            return []
        wanting = self._wanting("lock_expired", ticket.queue, event)
        people = [each for each in wanting if each.id != unlocked.was.id]
        due = {"due": letters.moment(unlocked.due_at or event.time, self.zone)}
        more = {"holder": {"name": letters.line(unlocked.was.name)}, "time": due}
        words = (wording.ANOTHERS_LOCK_EXPIRED, "A lock has expired")
        return self._noticed("lock_expired", event, ticket, people, words, more, to="those who want to know")

    def _wanting(self, notice: Notice, queue: QueueRef, event: Recorded) -> list[Person]:
        """Those who want such notices of this queue, without whoever did it."""
        return _others(wanting(notice, self._document(queue), self.known.wanting), event)

    def _noticed(
        self,
        kind: Notice,
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
        known = {**self._variables(ticket), **more, "agent": {} if others else {"name": letters.line(one.name)}}
        notification, mail = self._mail(
            kind,
            event,
            ticket.queue,
            distinct=to,
            to=tuple(Address(email=person.email, name=person.name) for person in people),
            subject=wording.opening_subject(ticket.number, f"{words[1]}: {ticket.title}"),
            text=templates.render(words[0], known),
            auto_submitted="auto-generated",
        )
        return [RequestNotice(notification, kind, mail, self._own())]

    def an_expired_lock_is_told(self, unlocked: TicketUnlocked, event: Recorded) -> list[RequestNotice]:
        """To the agent who had it (A6.06), unless they have left."""
        ticket, holder = self.known.tickets.get(event.stream), colleague(unlocked.was.id, self.known.people)
        if ticket is None or holder is None:
            return []
        due = unlocked.due_at or event.time
        notification, mail = self._notice("lock_expired", event, ticket, [holder], due)
        return [RequestNotice(notification, "lock_expired", mail, self._own())]

    def a_reminder_is_sent(self, reached: ReminderReached, event: Recorded) -> list[RequestNotice]:
        ticket = self.known.tickets.get(event.stream)
        if ticket is None:
            return []
        people = reminded(ticket.owner, self._document(ticket.queue), self.known.people)
        if not people:
            return []
        notification, mail = self._notice("reminder", event, ticket, people, reached.due_at)
        return [RequestNotice(notification, "reminder", mail, self._own())]

    def _notice(
        self, kind: NotificationKind, event: Recorded, ticket: Remembered, people: Sequence[Person], due: datetime
    ) -> tuple[UUID, OutgoingMail]:
        text, about = (
            (wording.REMINDER, "Reminder") if kind == "reminder" else (wording.LOCK_EXPIRED, "Your lock has expired")
        )
        (one, *others) = people
        known = {
            **self._variables(ticket),
            "agent": {"owns": "yes" if ticket.owner is not None and ticket.owner.id == one.id else ""}
            | ({} if others else {"name": letters.line(one.name)}),
            "time": {"due": letters.moment(due, self.zone)},
        }
        return self._mail(
            kind,
            event,
            ticket.queue,
            to=tuple(Address(email=person.email, name=person.name) for person in people),
            subject=wording.opening_subject(ticket.number, f"{about}: {ticket.title}"),
            text=templates.render(text, known),
            auto_submitted="auto-generated",
        )

    def _mail(
        self, kind: NotificationKind, event: Recorded, queue: QueueRef, *, distinct: str = "", **fields: Any
    ) -> tuple[UUID, OutgoingMail]:
        """A mail of the queue's, and the notification that its Message-ID follows from."""
        notification = notification_id(event.id, kind, distinct)
        message_id = message_ids.make(self.key, event.stream, notification, self.domain)
        sender = self._sender(queue)
        if self.reply_tags and fields.get("reply_to") is None and "resent" not in fields:
            tagged = reply_addresses.make(self.key, event.stream, sender.email)
            fields["reply_to"] = sender.model_copy(update={"email": tagged}) if tagged is not None else None
        return notification, OutgoingMail(message_id=message_id, sender=sender, queue=queue.id, **fields)

    def _document(self, ref: QueueRef) -> Queue | None:
        return self.queues().by_id.get(ref.id) or self.known.queues.get(ref.id)

    def _queue(self, ref: QueueRef) -> Queue:
        """The queue's document; of one that has not arrived, what the event says."""
        return self._document(ref) or Queue(id=ref.id, slug=ref.slug, name=ref.name)

    def _sender(self, ref: QueueRef) -> Address:
        """The queue's address (A8.05); of a queue without one the default queue's, so that an answer comes back."""
        queue = self._queue(ref)
        default = self.queues().default
        email = queue.address or (default.address if default else None) or f"postmaster@{self.domain}"
        return Address(email=email, name=queue.display_name or queue.name)

    def _own(self) -> frozenset[str]:
        """The addresses of our queues, those of retired ones too: their mail still comes to us."""
        queues = (*self.queues().by_id.values(), *self.known.queues.values())
        return frozenset(plain(queue.address) for queue in queues if queue.address)

    def _around(self, about: About, customer: CustomerRef, agent: PersonRef) -> Around:
        """Salutation and signature: the document's that the queue names, else the text that stands in the queue (A8.03, A8.04)."""
        queue, settings = self._queue(about.queue), self.settings()
        variables = self._variables(about, customer, agent)
        return Around(
            templates.render(_written(queue.salutation, settings.salutations), variables),
            templates.render(_written(queue.signature, settings.signatures), variables),
        )

    def _quote(self, replied: AgentReplied, ticket: UUID) -> letters.Quote | None:
        """The words that are answered, unless the agent has quoted some: nobody gets words here that were not written to them."""
        words, message = self.known.words.get(ticket), replied.message
        if words is None or not words.words.strip() or letters.quotes_already(message):
            return None
        if words.message_id is not None and words.message_id not in replied.references:
            return None  # it came after what the agent answers
        recipients = [*(message.to or (_address(replied.customer),)), *message.cc, *message.bcc]
        if not {plain(each.email) for each in recipients} <= words.readers:
            return None
        reader = self.known.people.get(replied.customer.id)
        language = reader.language if reader is not None else None
        said_at = letters.moment(words.said_at, self.zone)
        return letters.Quote(wording.attribution(language, said_at, letters.line(words.writer)), words.words)

    def _variables(
        self, about: About, customer: CustomerRef | None = None, agent: PersonRef | None = None
    ) -> templates.Variables:
        """What templates know (api.md, section 5), each value on one line."""
        known: dict[str, Mapping[str, str]] = {
            "queue": {"name": letters.line(self._queue(about.queue).name)},
            "ticket": {"number": about.number, "title": letters.line(about.title)},
        }
        if customer is not None:
            known["customer"] = {"name": letters.line(customer.name) or customer.email, "email": customer.email}
        if agent is not None:
            known["agent"] = {"name": letters.line(agent.name)}
        return known


def _address(customer: CustomerRef) -> Address:
    return Address(email=customer.email, name=customer.name)


def _closes_unheard(changed: StateChanged) -> bool:
    """Whether the ticket was closed, and the customer has neither done it nor gets an answer that came with it. What is only put back into the
    state in which it was before says nothing new."""
    closed = changed.to.type == "closed" and changed.was.type != "closed"
    by_the_desk = changed.by is not None or changed.fired_at is not None
    return closed and by_the_desk and changed.answer is None and changed.undoes is None


def _others(people: Sequence[Person], event: Recorded) -> list[Person]:
    """These people, without whoever did it themselves."""
    return [person for person in people if str(person.id) != event.actor.id]


def _quoted(message: Message) -> dict[str, str]:
    """What a customer wrote, for a notice."""
    text = (message.new_text if message.new_text is not None else message.text).strip()
    return {"text": text if len(text) <= wording.LONGEST_QUOTE else f"{text[: wording.LONGEST_QUOTE]} [...]"}


def _written(text: str, documents: Mapping[str, Salutation] | Mapping[str, Signature]) -> str:
    """The text of the document with this slug, if there is one."""
    found = documents.get(text.strip())
    return found.text if found is not None else text


def _attachments(*messages: Message) -> tuple[Attachment, ...]:
    """The files of all messages, each once, but for what a scanner calls malware. A text that was too long for the event goes along as one:
    nothing that was written is lost."""
    files: dict[UUID, Attachment] = {}
    for message in messages:
        files |= {each.id: each for each in message.attachments if each.scan != "infected"}
        if message.text_blob is not None:
            whole = uuid5(message.id, "text")
            files[whole] = Attachment(id=whole, name="message.txt", blob=message.text_blob)
    return tuple(files.values())
