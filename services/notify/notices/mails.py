"""The mail that brings an agent their notices of one ticket. It is written when it leaves, and says how things stand
then."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from uuid import UUID, uuid5

from services.notify.notices.to_agents import BY_WORDING
from services.notify.read_models.ticket_facts import TicketFacts
from services.notify.ticket.commands import RequestNotice
from services.notify.writing import mail_body, wording
from services.notify.writing.mail_builder import MailBuilder
from shared import templates
from shared.contracts.directory import Person
from shared.contracts.parts import Address
from shared.languages.translator import N_, Translator

MOST_TOLD = 20
"""Notices whose texts one mail has. The mail says how many more there are."""

OPENING = N_("""\
Hello {{ agent.name }},

This is about ticket {{ ticket.number }} in {{ queue.name }}:

    {{ ticket.title }}
""")
STATES = {
    "closed": N_("The ticket is closed by now.\n"),
    "removed": N_("The ticket has been removed.\n"),
}
"""What has become of the ticket, by the type of its state, where that is not clear from the notices."""
CLOSING = N_(
    "This is an automatic notice. Please do not answer it: your answer would become a message on the ticket.\n"
)
SEVERAL = N_("News")
"""The subject of a mail with notices of several kinds."""

Details = Mapping[str, Mapping[str, str]]


def mail_of(
    builder: MailBuilder,
    ticket_id: UUID,
    ticket: TicketFacts,
    reader: Person,
    notices: Sequence[tuple[UUID, str, Details]],
) -> RequestNotice:
    """The mail with these notices (id, wording and details), in their order. Each wording is one of `BY_WORDING`.

    The same first notice leads to the same mail.
    """
    first = BY_WORDING[notices[0][1]]
    subjects = {BY_WORDING[each].subject for _, each, _ in notices}
    subject = first.subject if len(subjects) == 1 else SEVERAL
    say = builder.translator_of(reader)
    notification = uuid5(notices[0][0], str(reader.id))
    mail = builder.mail_about(
        ticket_id,
        notification,
        ticket.queue,
        to=(Address(email=reader.email, name=reader.name),),
        subject=wording.opening_subject(ticket.number, f"{say.gettext(subject)}: {ticket.title}"),
        text="\n".join(_paragraphs(builder, say, ticket, reader, notices)),
        auto_submitted="auto-generated",
    )
    return RequestNotice(notification, first.kind, mail, builder.own_addresses())


def _paragraphs(
    builder: MailBuilder,
    say: Translator,
    ticket: TicketFacts,
    reader: Person,
    notices: Sequence[tuple[UUID, str, Details]],
) -> Iterator[str]:
    known = {**builder.variables(ticket), "agent": _reader(ticket, reader)}
    if ticket.owner is not None:
        known["ticket"] = {**known["ticket"], "owner": mail_body.line(ticket.owner.name)}
    else:
        known["ticket"] = {**known["ticket"], "owner": ""}
    yield templates.render(say.gettext(OPENING), known)
    for _, each, details in notices[:MOST_TOLD]:
        text = say.gettext(BY_WORDING[each].text)
        yield templates.render(text, {**known, **details, "time": _times(details, say)})
    if len(notices) > MOST_TOLD:
        yield say.ngettext(
            "There is {number} more notice. Please look at the ticket.\n",
            "There are {number} more notices. Please look at the ticket.\n",
            len(notices) - MOST_TOLD,
        )
    if ticket.state in STATES:
        yield say.gettext(STATES[ticket.state])
    yield say.gettext(CLOSING)


def _reader(ticket: TicketFacts, reader: Person) -> Mapping[str, str]:
    owns = ticket.owner is not None and ticket.owner.id == reader.id
    return {"name": mail_body.line(reader.name), "owns": "yes" if owns else ""}


def _times(details: Details, say: Translator) -> Mapping[str, str]:
    times = details.get("time", {})
    return {name: say.moment(datetime.fromisoformat(each)) for name, each in times.items()}
