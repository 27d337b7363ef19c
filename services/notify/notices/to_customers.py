"""The notices to customers: subject and text of each, which are translated for their reader."""

from collections.abc import Mapping

from services.notify.notices.declaration import CustomerNotice
from services.notify.read_models.ticket_facts import TicketFacts
from shared.languages.translator import N_

RECEIPT = CustomerNotice(
    kind="receipt",
    subject=N_("Your request has arrived"),
    text=N_("""\
Hello{% if customer.name %} {{ customer.name }}{% endif %},

Thank you for contacting {{ queue.name }}. Your request has arrived and got the number \
{{ ticket.number }}{% if ticket.title %}:

    {{ ticket.title }}
{% else %}.
{% endif %}
We will look at it and answer you by mail. To add something, simply reply to this mail and leave the number in the \
subject, so that everything about your request stays together.

{{ queue.name }}
"""),
    auto_submitted="auto-replied",
)

REJECTION = CustomerNotice(
    kind="follow_up_rejected",
    subject=N_("Your request is closed"),
    text=N_("""\
Hello{% if customer.name %} {{ customer.name }}{% endif %},

Your message has arrived, but your request {{ ticket.number }} is closed and takes no more messages\
{% if ticket.title %}:

    {{ ticket.title }}
{% else %}.
{% endif %}
If you need us again, please write a new mail to {{ queue.address }} with a subject of its own, rather than an \
answer to this one. It will become a new request and get our attention.

{{ queue.name }}
"""),
    auto_submitted="auto-replied",
)


def _reopened(ticket: TicketFacts) -> str | None:
    return "the ticket is not closed any more" if ticket.state not in (None, "closed") else None


CLOSED = CustomerNotice(
    kind="closed",
    subject=N_("Your request is closed"),
    text=N_("""\
Hello{% if customer.name %} {{ customer.name }}{% endif %},

Your request {{ ticket.number }} is closed{% if ticket.title %}:

    {{ ticket.title }}
{% else %}.
{% endif %}
{% if queue.takes_more %}If something is still missing, simply reply to this mail and leave the number in the \
subject.{% else %}If you need us again, please write a new mail to {{ queue.address }} with a subject of its own.\
{% endif %}

{{ queue.name }}
"""),
    auto_submitted="auto-generated",
    outdated=_reopened,
)

TO_CUSTOMERS: Mapping[str, CustomerNotice] = {notice.kind: notice for notice in (RECEIPT, REJECTION, CLOSED)}
