"""Subjects, and the lines that mark quoted and forwarded messages."""

from shared.rules.subjects import REPLY, token

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
"""The line above a quote, by language."""
LEFT_OUT = "[...]"

FORWARDED, END = "---- Forwarded message ----", "---- End of forwarded message ----"
WHOLE_TEXT_ATTACHED = "[The whole text is in the attached file.]"


def reply_subject(number: str, subject: str) -> str:
    """`Re: [Ticket#NUMBER] subject` (A2.07), without the prefixes and tokens that have piled up before the subject.

    A subject that has the token and at most one prefix stays as it is.
    """
    prefixes, tokens, rest = _begun(number, subject)
    if prefixes <= 1 and (tokens == 1 or (tokens == 0 and token(number) in rest)):
        return subject
    return f"Re: {rest}" if token(number) in rest else f"Re: {token(number)} {rest}".rstrip()


def _begun(number: str, subject: str) -> tuple[int, int, str]:
    """The numbers of reply prefixes and tokens that a subject begins with, and the rest of it."""
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
    """The line above a quote, in the reader's language if it is known."""
    known = ATTRIBUTIONS.get((language or "").lower().partition("-")[0].partition("_")[0], ATTRIBUTIONS["en"])
    return known.format(date=date, name=name)


def opening_subject(number: str, subject: str) -> str:
    """The subject of a mail that begins a conversation."""
    return subject if token(number) in subject else f"{token(number)} {subject}".rstrip()


def forward_subject(number: str, subject: str) -> str:
    """`Fwd: [Ticket#NUMBER] subject`, once."""
    marked = opening_subject(number, subject)
    return marked if marked.lower().startswith(("fwd:", "fw:")) else f"Fwd: {marked}"
