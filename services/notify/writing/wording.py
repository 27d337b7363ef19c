"""What notify writes by itself: subjects, the receipt, and notices. The texts are rendered by the same engine as administrators' templates."""

from shared.rules.subjects import REPLY, token

RECEIPT = """\
Hello{% if customer.name %} {{ customer.name }}{% endif %},

Thank you for contacting {{ queue.name }}. Your request has arrived and got the number {{ ticket.number }}{% if ticket.title %}:

    {{ ticket.title }}
{% else %}.
{% endif %}
We will look at it and answer you by mail. To add something, simply reply to this mail and leave the number in the subject, so that \
everything about your request stays together.

{{ queue.name }}
"""

REJECTION = """\
Hello{% if customer.name %} {{ customer.name }}{% endif %},

Your message has arrived, but your request {{ ticket.number }} is closed and takes no more messages{% if ticket.title %}:

    {{ ticket.title }}
{% else %}.
{% endif %}
If you need us again, please write a new mail to {{ queue.address }} with a subject of its own, rather than an answer to this one. It \
will become a new request and get our attention.

{{ queue.name }}
"""

LOCK_EXPIRED = """\
Hello {{ agent.name }},

Your lock on ticket {{ ticket.number }} in {{ queue.name }} ended at {{ time.due }}, because its time was over:

    {{ ticket.title }}

Others can work on the ticket now. To go on with it, please lock it again.

This is an automatic notice. Please do not answer it: your answer would become a message on the ticket.
"""

REMINDER = """\
Hello{% if agent.name %} {{ agent.name }}{% endif %},

Ticket {{ ticket.number }} in {{ queue.name }} was to wait until {{ time.due }}. That time has come:

    {{ ticket.title }}

{% if agent.owns %}You own it.{% else %}Nobody owns it.{% endif %}

This is an automatic notice. Please do not answer it: your answer would become a message on the ticket.
"""

RECEIVED = "Your request has arrived"
ENDED = "Your request is closed"
"""Subjects of automatic mails that say nothing in their reader's own words."""

ATTRIBUTIONS = {
    "en": "On {date}, {name} wrote:",
    "nb": "Den {date} skrev {name}:",
    "nn": "Den {date} skreiv {name}:",
    "no": "Den {date} skrev {name}:",
    "sv": "Den {date} skrev {name}:",
    "da": "Den {date} skrev {name}:",
    "nl": "Op {date} schreef {name}:",
    "de": "Am {date} schrieb {name}:",
    "fr": "Le {date}, {name} a écrit :",
    "ru": "{date}, {name} пишет:",
    "es": "El {date}, {name} escribió:",
    "it": "Il {date}, {name} ha scritto:",
    "pl": "Dnia {date}, {name} napisał(a):",
}
"""What stands above quoted words, by language."""
LEFT_OUT = "[...]"

ANOTHERS_LOCK_EXPIRED = """\
Hello{% if agent.name %} {{ agent.name }}{% endif %},

The lock of {{ holder.name }} on ticket {{ ticket.number }} in {{ queue.name }} ended at {{ time.due }}, because its time was over:

    {{ ticket.title }}

This is an automatic notice. Please do not answer it: your answer would become a message on the ticket.
"""

NEW_TICKET = """\
Hello{% if agent.name %} {{ agent.name }}{% endif %},

{{ customer.name }} has a new ticket {{ ticket.number }} in {{ queue.name }}:

    {{ ticket.title }}

{{ message.text }}

This is an automatic notice. Please do not answer it: your answer would become a message on the ticket.
"""

FOLLOW_UP = """\
Hello{% if agent.name %} {{ agent.name }}{% endif %},

{{ customer.name }} wrote on ticket {{ ticket.number }} in {{ queue.name }}:

    {{ ticket.title }}

{{ message.text }}

This is an automatic notice. Please do not answer it: your answer would become a message on the ticket.
"""

MOVED = """\
Hello{% if agent.name %} {{ agent.name }}{% endif %},

Ticket {{ ticket.number }} was moved to {{ queue.name }}:

    {{ ticket.title }}

This is an automatic notice. Please do not answer it: your answer would become a message on the ticket.
"""

CLOSED = """\
Hello{% if customer.name %} {{ customer.name }}{% endif %},

Your request {{ ticket.number }} is closed{% if ticket.title %}:

    {{ ticket.title }}
{% else %}.
{% endif %}
{% if queue.takes_more %}If something is still missing, simply reply to this mail and leave the number in the subject.{% else %}If you need \
us again, please write a new mail to {{ queue.address }} with a subject of its own.{% endif %}

{{ queue.name }}
"""

LONGEST_QUOTE = 4_000
"""Characters of a customer's message in a notice; the ticket has all of it."""

FORWARDED, END = "---- Forwarded message ----", "---- End of forwarded message ----"
WHOLE_TEXT_ATTACHED = "[The whole text is in the attached file.]"


def reply_subject(number: str, subject: str) -> str:
    """`Re: [Ticket#NUMBER] subject` (A2.07), whatever prefixes and tokens have piled up before the subject. One that has the token, and at
    most one prefix, stays as its writer wanted it."""
    prefixes, tokens, rest = _begun(number, subject)
    if prefixes <= 1 and (tokens == 1 or (tokens == 0 and token(number) in rest)):
        return subject
    return f"Re: {rest}" if token(number) in rest else f"Re: {token(number)} {rest}".rstrip()


def _begun(number: str, subject: str) -> tuple[int, int, str]:
    """How many reply prefixes and tokens a subject begins with, and the rest."""
    prefixes = tokens = place = 0
    while True:
        if (found := REPLY.match(subject, place)) is not None:
            prefixes, place = prefixes + 1, found.end()
        elif subject.startswith(token(number), place):
            tokens, place = tokens + 1, place + len(token(number))
        elif place < len(subject) and subject[place].isspace():
            place += 1
        else:
            return prefixes, tokens, subject[place:]


def attribution(language: str | None, date: str, name: str) -> str:
    """The line above words that are quoted, in the reader's language where it is known."""
    known = ATTRIBUTIONS.get((language or "").lower().partition("-")[0].partition("_")[0], ATTRIBUTIONS["en"])
    return known.format(date=date, name=name)


def opening_subject(number: str, subject: str) -> str:
    """The subject of a mail that begins a conversation."""
    return subject if token(number) in subject else f"{token(number)} {subject}".rstrip()


def forward_subject(number: str, subject: str) -> str:
    """`Fwd: [Ticket#NUMBER] subject`, once."""
    marked = opening_subject(number, subject)
    return marked if marked.lower().startswith(("fwd:", "fw:")) else f"Fwd: {marked}"
