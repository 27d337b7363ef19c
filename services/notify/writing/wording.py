"""Subjects, and the lines that mark quoted and forwarded messages."""

from datetime import datetime

from shared.languages.translator import N_, Translator
from shared.rules.subjects import REPLY, token

ATTRIBUTION = N_("On {date}, {name} wrote:")
"""The line above a quote."""
OTHER_ATTRIBUTIONS = {
    "nn": "Den {date} skreiv {name}:",
    "da": "Den {date} skrev {name}:",
    "de": "Am {date} schrieb {name}:",
    "fr": "Le {date}, {name} a écrit :",
    "es": "El {date}, {name} escribió:",
    "it": "Il {date}, {name} ha scritto:",
    "pl": "Dnia {date}, {name} napisał(a):",
}
"""The same in languages without a catalogue."""
LEFT_OUT = "[...]"

FORWARDED, END = N_("---- Forwarded message ----"), N_("---- End of forwarded message ----")
WHOLE_TEXT_ATTACHED = N_("[The whole text is in the attached file.]")


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


def attribution(say: Translator, language: str | None, when: datetime, name: str) -> str:
    """The line above a quote, in the reader's language if it is known. `say` is the reader's translator.

    Where we have the words of a language alone, the date is in figures, which everybody reads.
    """
    primary = (language or "").lower().replace("_", "-").partition("-")[0]
    if primary in OTHER_ATTRIBUTIONS:
        return OTHER_ATTRIBUTIONS[primary].format(date=say.figures(when), name=name)
    return say.gettext(ATTRIBUTION, date=say.moment(when), name=name)


def opening_subject(number: str, subject: str) -> str:
    """The subject of a mail that begins a conversation."""
    return subject if token(number) in subject else f"{token(number)} {subject}".rstrip()


def forward_subject(number: str, subject: str) -> str:
    """`Fwd: [Ticket#NUMBER] subject`, once."""
    marked = opening_subject(number, subject)
    return marked if marked.lower().startswith(("fwd:", "fw:")) else f"Fwd: {marked}"
