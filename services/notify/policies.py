"""Which event of another service leads to which mail.

A mail is written from the event and the queue's document at that moment.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Literal
from uuid import UUID, uuid5

from services.notify.deciding.agent_notices import AgentNotices
from services.notify.deciding.customer_notices import CustomerNotices
from services.notify.deciding.rule_mails import RuleMails
from services.notify.ticket.addresses import mailable
from services.notify.ticket.commands import Command, RequestAgentMail
from services.notify.writing import mail_body, wording
from services.notify.writing.mail_body import BodyParts, Quote
from services.notify.writing.mail_builder import MailBuilder, address_of
from shared.addresses import comparable
from shared.contracts.envelope import Recorded
from shared.contracts.intake import TicketOpened
from shared.contracts.parts import Attachment, Message, PersonRef, QueueRef
from shared.contracts.routing import AgentReplied, ArticleBounced, ArticleForwarded, FollowUpRejected, RuleNotified
from shared.eventstore.store import utc_now

LISTENS_TO = frozenset(("intake", "routing"))


class Policies:
    """All mails and notices that events lead to. `inputs` are looked up before the policies react.

    `now`: the time at which people are away or not.
    """

    def __init__(self, builder: MailBuilder, now: Callable[[], datetime] = utc_now) -> None:
        self.builder, self.inputs = builder, builder.inputs
        self.to_customers, self.to_agents = CustomerNotices(builder), AgentNotices(builder, now)
        self.by_rules = RuleMails(builder, now)

    def react(self, event: Recorded) -> Sequence[Command]:
        return [*self._out_of_the_desk(event), *self.to_agents.react(event)]

    def _out_of_the_desk(self, event: Recorded) -> Sequence[Command]:
        match event.payload:
            case TicketOpened(receipt=True) as opened:
                return [self.to_customers.an_opened_ticket_is_acknowledged(opened, event)]
            case TicketOpened(channel="email", opened_by=PersonRef() as agent, split_from=None) as opened:
                return [self.an_agents_mail_ticket_is_sent(opened, agent, event)]
            case AgentReplied() as replied:
                return [self.an_agents_reply_is_sent(replied, event)]
            case ArticleForwarded() as forwarded:
                return [self.a_forwarded_article_is_sent(forwarded, event)]
            case ArticleBounced() as bounced:
                return [self.a_bounced_mail_is_resent(bounced, event)]
            case RuleNotified() as notified:
                return self.by_rules.react(notified, event)
            case FollowUpRejected(no_answer=False) as rejected:
                return [self.to_customers.a_rejected_message_is_answered(rejected, event)]
            case _:
                return []

    def an_agents_mail_ticket_is_sent(
        self, opened: TicketOpened, agent: PersonRef, event: Recorded
    ) -> RequestAgentMail:
        """An agent who opens a ticket by mail writes to the customer first.

        A ticket that was split off is not sent: its text is that of an article that the customer has already.
        """
        message = opened.message
        return self._agent_mail(
            "answer",
            event,
            opened.queue,
            message,
            self.builder.body_parts(opened, opened.customer, agent),
            to=message.to or (address_of(opened.customer),),
            subject=wording.opening_subject(opened.number, message.subject or opened.title),
        )

    def an_agents_reply_is_sent(self, replied: AgentReplied, event: Recorded) -> RequestAgentMail:
        message = replied.message
        parts = self.builder.body_parts(replied, replied.customer, replied.by)
        return self._agent_mail(
            "answer",
            event,
            replied.queue,
            message,
            replace(parts, quote=self._quote(replied, event.stream)),
            to=message.to or (address_of(replied.customer),),
            subject=wording.reply_subject(replied.number, message.subject or replied.title),
            in_reply_to=replied.references[-1] if replied.references else None,
            references=replied.references,
        )

    def a_forwarded_article_is_sent(self, forwarded: ArticleForwarded, event: Recorded) -> RequestAgentMail:
        """The agent's words, their signature, and the article with its files (A7.14).

        As in OTRS and Zammad, the subject has the ticket's token and the mail our Message-ID, so that the outsider's
        answer comes back to this ticket, as a message from the outsider. The mail refers to the original as mail
        programs do when they forward, but it does not reply to it: it has no In-Reply-To and no salutation.
        """
        message, original = forwarded.message, forwarded.original
        signature = self.builder.body_parts(forwarded, forwarded.customer, forwarded.by).signature
        return self._agent_mail(
            "forward",
            event,
            forwarded.queue,
            message,
            BodyParts(signature=signature, forwarded=original, say=self.builder.desk),
            to=message.to,
            subject=wording.forward_subject(forwarded.number, message.subject or forwarded.title),
            references=(original.message_id,) if original.message_id else (),
        )

    def a_bounced_mail_is_resent(self, bounced: ArticleBounced, event: Recorded) -> RequestAgentMail:
        """The mail as it came in, resent by us (A7.15; RFC 5322, section 3.6.6).

        An article that was no mail, or that carries malware, becomes a new mail with nothing but its writer's words;
        answers go to the writer, as they would if the mail were theirs.
        """
        original = bounced.original
        fields: dict[str, Any]
        infected = any(each.scan == "infected" for each in original.attachments)
        if bounced.raw is not None and not infected:
            fields = {"subject": original.subject or bounced.title, "text": "", "resent": bounced.raw}
        else:
            fields = {
                "subject": wording.opening_subject(bounced.number, original.subject or bounced.title),
                "text": mail_body.text_of(original, BodyParts(say=self.builder.desk)),
                "html": mail_body.html_of(original, BodyParts(say=self.builder.desk), by_agent=False),
                "attachments": _attachments(original),
                "reply_to": original.sender if original.sender and mailable(original.sender.email) else None,
            }
        notification, mail = self.builder.mail("bounce", event, bounced.queue, to=bounced.to, **fields)
        return RequestAgentMail("bounce", notification, bounced.bounce, mail, self.builder.own_addresses())

    def _agent_mail(
        self,
        kind: Literal["answer", "forward"],
        event: Recorded,
        queue: QueueRef,
        message: Message,
        parts: BodyParts,
        **fields: Any,
    ) -> RequestAgentMail:
        """A message that an agent has written. `fields` are more fields of `OutgoingMail`."""
        notification, mail = self.builder.mail(
            kind,
            event,
            queue,
            cc=message.cc,
            bcc=message.bcc,
            text=mail_body.text_of(message, parts),
            html=mail_body.html_of(message, parts),
            attachments=_attachments(message, *([parts.forwarded] if parts.forwarded is not None else [])),
            **fields,
        )
        return RequestAgentMail(kind, notification, message.id, mail, self.builder.own_addresses())

    def _quote(self, replied: AgentReplied, ticket: UUID) -> Quote | None:
        """The message that is answered, unless the agent has quoted something.

        Every recipient must have received it already.
        """
        last, message = self.inputs.last_messages.get(ticket), replied.message
        if last is None or not last.text.strip() or mail_body.quotes_already(message):
            return None
        if last.message_id is not None and last.message_id not in replied.references:
            return None  # it came after the message that the agent answers
        recipients = [*(message.to or (address_of(replied.customer),)), *message.cc, *message.bcc]
        if not {comparable(each.email) for each in recipients} <= last.readers:
            return None
        reader = self.inputs.people.get(replied.customer.id)
        language = reader.language if reader is not None else None
        say = self.builder.translator_of(reader)
        return Quote(wording.attribution(say, language, last.written_at, mail_body.line(last.writer)), last.text)


def _attachments(*messages: Message) -> tuple[Attachment, ...]:
    """The files of all messages, each once, without those in which a scanner found malware.

    A text that was too long for the event goes along as a file, so that nothing is lost.
    """
    files: dict[UUID, Attachment] = {}
    for message in messages:
        files |= {each.id: each for each in message.attachments if each.scan != "infected"}
        if message.text_blob is not None:
            whole = uuid5(message.id, "text")
            files[whole] = Attachment(id=whole, name="message.txt", blob=message.text_blob)
    return tuple(files.values())
