"""What notify writes by itself: subjects and the receipt's text."""

RECEIPT = """\
Hello {{ customer.name }},

Thank you for contacting {{ queue.name }}. Your request has arrived and got the number {{ ticket.number }}:

    {{ ticket.title }}

We will look at it and answer you by mail. To add something, simply reply to this mail and leave the number in the subject, so that \
everything about your request stays together.

{{ queue.name }}
"""
"""Rendered by the same engine as the templates of administrators."""


def token(number: str) -> str:
    """What a subject carries so that a reply finds its ticket (A2.06 to A2.08)."""
    return f"[Ticket#{number}]"


def reply_subject(number: str, subject: str) -> str:
    """`Re: [Ticket#NUMBER] subject` (A2.07); a subject that has the token already stays as its writer wanted it."""
    return subject if token(number) in subject else f"Re: {token(number)} {subject}".rstrip()


def opening_subject(number: str, subject: str) -> str:
    """The subject of a mail that begins a conversation."""
    return subject if token(number) in subject else f"{token(number)} {subject}".rstrip()
