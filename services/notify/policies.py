"""Which foreign event leads to which mail. Here stands what leaves the desk, written from the event and the queue's document at that moment;
notices to agents stand in `notices`."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple
from uuid import UUID, uuid5

from services.notify.deciding.addresses import mailable
from services.notify.deciding.agent_notices import Notices
from services.notify.deciding.inputs import Refusals, Remembered
from services.notify.ticket.commands import (
    Command,
    RequestAnswer,
    RequestBounce,
    RequestClosing,
    RequestForward,
    RequestReceipt,
    RequestRejection,
)
from services.notify.writing import mail_body, wording
from services.notify.writing.mail_body import Around
from services.notify.writing.mail_builder import Letterhead
from shared import templates
from shared.addresses import comparable
from shared.contracts.envelope import Recorded
from shared.contracts.intake import TicketOpened
from shared.contracts.parts import Address, Attachment, CustomerRef, Message, PersonRef
from shared.contracts.routing import AgentReplied, ArticleBounced, ArticleForwarded, FollowUpRejected, StateChanged

LISTENS_TO = frozenset(("intake", "routing"))


class _Automatic(NamedTuple):
    """Recipients, subject (empty where the reader's own words must not stand in it) and what its template knows."""

    to: tuple[Address, ...]
    subject: str
    known: templates.Variables


class Policies:
    """Mails that leave the desk, and the notices within it. `known` is looked up before they react."""

    def __init__(self, letterhead: Letterhead) -> None:
        self.letterhead, self.known = letterhead, letterhead.known
        self.notices = Notices(letterhead)

    def react(self, event: Recorded) -> Sequence[Command]:
        return [*self._to_others(event), *self.notices.react(event)]

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
            case _:
                return []

    def an_opened_ticket_is_acknowledged(self, opened: TicketOpened, event: Recorded) -> RequestReceipt:
        customers = opened.message.message_id
        told = self._automatic(opened, opened.customer, opened.message.answers_to, proven=opened.proven)
        notification, mail = self.letterhead.mail(
            "receipt",
            event,
            opened.queue,
            to=told.to,
            subject=told.subject or wording.opening_subject(opened.number, wording.RECEIVED),
            text=templates.render(wording.RECEIPT, told.known),
            in_reply_to=customers,
            references=(customers,) if customers else (),
            auto_submitted="auto-replied",
        )
        return RequestReceipt(notification, mail, self.letterhead.own_addresses())

    def an_agents_mail_ticket_is_sent(self, opened: TicketOpened, agent: PersonRef, event: Recorded) -> RequestAnswer:
        """An agent who opens a ticket by mail writes to the customer first (api.md, section 3). One that was split off has its words from
        an article that its reader knows already."""
        message = opened.message
        around = self.letterhead.around(opened, opened.customer, agent)
        notification, mail = self.letterhead.mail(
            "answer",
            event,
            opened.queue,
            to=message.to or (_address(opened.customer),),
            cc=message.cc,
            bcc=message.bcc,
            subject=wording.opening_subject(opened.number, message.subject or opened.title),
            text=mail_body.text_of(message, around),
            html=mail_body.html_of(message, around),
            attachments=_attachments(message),
        )
        return RequestAnswer(notification, message.id, mail, self.letterhead.own_addresses())

    def an_answer_is_sent(self, replied: AgentReplied, event: Recorded) -> RequestAnswer:
        message = replied.message
        around = replace(
            self.letterhead.around(replied, replied.customer, replied.by), quote=self._quote(replied, event.stream)
        )
        notification, mail = self.letterhead.mail(
            "answer",
            event,
            replied.queue,
            to=message.to or (_address(replied.customer),),
            cc=message.cc,
            bcc=message.bcc,
            subject=wording.reply_subject(replied.number, message.subject or replied.title),
            text=mail_body.text_of(message, around),
            html=mail_body.html_of(message, around),
            in_reply_to=replied.references[-1] if replied.references else None,
            references=replied.references,
            attachments=_attachments(message),
        )
        return RequestAnswer(notification, message.id, mail, self.letterhead.own_addresses())

    def a_forwarded_article_is_sent(self, forwarded: ArticleForwarded, event: Recorded) -> RequestForward:
        """The agent's words, their signature, and the article with its files (A7.14).

        As in OTRS and Zammad the subject has the ticket's token and the mail our Message-ID, so that the outsider's answer comes back
        to this ticket, as a message of the outsider's own. It refers to the original as mail programs do when they forward, but is
        no answer to it: no In-Reply-To, no salutation of the customer's.
        """
        message, original = forwarded.message, forwarded.original
        around = Around(
            signature=self.letterhead.around(forwarded, forwarded.customer, forwarded.by).signature,
            forwarded=original,
            zone=self.letterhead.zone,
        )
        notification, mail = self.letterhead.mail(
            "forward",
            event,
            forwarded.queue,
            to=message.to,
            cc=message.cc,
            bcc=message.bcc,
            subject=wording.forward_subject(forwarded.number, message.subject or forwarded.title),
            text=mail_body.text_of(message, around),
            html=mail_body.html_of(message, around),
            references=(original.message_id,) if original.message_id else (),
            attachments=_attachments(message, original),
        )
        return RequestForward(notification, message.id, mail, self.letterhead.own_addresses())

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
                "text": mail_body.text_of(original, Around()),
                "html": mail_body.html_of(original, Around(), by_agent=False),
                "attachments": _attachments(original),
                "reply_to": original.sender if original.sender and mailable(original.sender.email) else None,
            }
        notification, mail = self.letterhead.mail("bounce", event, bounced.queue, to=bounced.to, **fields)
        return RequestBounce(notification, bounced.bounce, mail, self.letterhead.own_addresses())

    def a_refused_message_is_answered(self, rejected: FollowUpRejected, event: Recorded) -> RequestRejection:
        ticket = self.known.tickets.get(event.stream)
        if ticket is not None and ticket.customer is not None and self._are_one(ticket.customer, rejected.customer):
            customer = self._today(ticket.customer)
            told = self._automatic(rejected, customer, ticket.answers_to, proven=ticket.proven)
        else:
            told = self._automatic(rejected, rejected.customer, (), proven=False)
        notification, mail = self.letterhead.mail(
            "follow_up_rejected",
            event,
            rejected.queue,
            to=told.to,
            subject=told.subject or wording.opening_subject(rejected.number, wording.ENDED),
            text=templates.render(
                wording.REJECTION, _with_queue(told.known, address=self.letterhead.sender(rejected.queue).email)
            ),
            in_reply_to=rejected.message_id,
            references=(rejected.message_id,) if rejected.message_id else (),
            auto_submitted="auto-replied",
        )
        before = self.known.refusals.get(event.stream, Refusals(0, 0))
        return RequestRejection(
            notification, mail, self.letterhead.own_addresses(), before.before_lately, before.before_today
        )

    def a_closing_is_told(self, changed: StateChanged, event: Recorded) -> list[RequestClosing]:
        """Asked for by `closings` a moment later. To the customer, where the queue wants it (A5.14, A10.03): when the desk or time closed the ticket without an answer that they get
        anyhow. Not of a ticket that a machine opened or that went to a junk queue (decision 0059)."""
        ticket = self.known.tickets.get(event.stream)
        if ticket is None or ticket.customer is None or ticket.by_machine or not _closes_unheard(changed):
            return []
        queue = self.letterhead.document(ticket.queue)
        junk = {each.junk_queue for each in self.letterhead.queues().live}
        if queue is None or not queue.tells_when_closed or queue.slug in junk:
            return []
        told = self._automatic(ticket, self._today(ticket.customer), ticket.answers_to, proven=ticket.proven)
        address = self.letterhead.sender(ticket.queue).email
        takes_more = "yes" if queue.follow_up != "reject" else ""
        notification, mail = self.letterhead.mail(
            "closed",
            event,
            ticket.queue,
            to=told.to,
            subject=told.subject or wording.opening_subject(ticket.number, wording.ENDED),
            text=templates.render(wording.CLOSED, _with_queue(told.known, address=address, takes_more=takes_more)),
            in_reply_to=ticket.message_id,
            references=(ticket.message_id,) if ticket.message_id else (),
            auto_submitted="auto-generated",
        )
        return [RequestClosing(notification, mail, self.letterhead.own_addresses())]

    def _today(self, customer: CustomerRef) -> CustomerRef:
        """By the name and address that their record has now."""
        person = self.known.people.get(customer.id)
        if person is None:
            return customer
        return customer.model_copy(update={"name": person.name, "email": comparable(person.email)})

    def _are_one(self, customer: CustomerRef, other: CustomerRef) -> bool:
        """Whether two references are to one person, who may have been known by an address alone at first."""
        ids = {person.id if (person := self.known.people.get(each)) else each for each in (customer.id, other.id)}
        return len(ids) == 1

    def _automatic(
        self,
        about: TicketOpened | FollowUpRejected | Remembered,
        customer: CustomerRef,
        answers_to: tuple[Address, ...],
        *,
        proven: bool,
    ) -> _Automatic:
        """What a mail that no person sends says to a customer, and to whom: one address. Whoever forges a sender could have us carry a name and a
        title of theirs to somebody else: so neither stands in it until it is proven whose they are."""
        to = answers_to[:1] or ((_address(customer),) if customer.email else ())
        known = self.letterhead.variables(about, customer)
        if proven:
            return _Automatic(to, wording.reply_subject(about.number, about.title), known)
        nameless = tuple(Address(email=each.email) for each in to)
        return _Automatic(
            nameless,
            "",
            {
                **known,
                "customer": {"name": "", "email": customer.email},
                "ticket": {"number": about.number, "title": ""},
            },
        )

    def _quote(self, replied: AgentReplied, ticket: UUID) -> mail_body.Quote | None:
        """The words that are answered, unless the agent has quoted some: nobody gets words here that were not written to them."""
        words, message = self.known.words.get(ticket), replied.message
        if words is None or not words.words.strip() or mail_body.quotes_already(message):
            return None
        if words.message_id is not None and words.message_id not in replied.references:
            return None  # it came after what the agent answers
        recipients = [*(message.to or (_address(replied.customer),)), *message.cc, *message.bcc]
        if not {comparable(each.email) for each in recipients} <= words.readers:
            return None
        reader = self.known.people.get(replied.customer.id)
        language = reader.language if reader is not None else None
        said_at = mail_body.moment(words.said_at, self.letterhead.zone)
        return mail_body.Quote(wording.attribution(language, said_at, mail_body.line(words.writer)), words.words)


def _address(customer: CustomerRef) -> Address:
    return Address(email=customer.email, name=customer.name)


def _with_queue(known: templates.Variables, **more: str) -> templates.Variables:
    return {**known, "queue": {**known["queue"], **more}}


def _closes_unheard(changed: StateChanged) -> bool:
    """Whether the ticket was closed, and the customer has neither done it nor gets an answer that came with it. What is only put back into the
    state in which it was before says nothing new."""
    closed = changed.to.type == "closed" and changed.was.type != "closed"
    by_the_desk = changed.by is not None or changed.fired_at is not None
    return closed and by_the_desk and changed.answer is None and changed.undoes is None


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
