"""What a notice says, in a sentence for its reader. Whatever has none of its own says what the ticket's history says of
the event."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from services.reporting.tickets.events.fold import summary
from shared.languages.translator import N_, Translator

Data = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice for one reader. `type` and `data` are those of the event that it is about, as the history has them;
    empty if it is not in the history. `actor`: the name of who did it; empty if nobody did, or if it is not known.

    `rule`: the name of the trigger, if the notice is about one.
    """

    kind: str
    reader: UUID
    type: str
    data: Data
    actor: str
    rule: str


def sentence(notice: Notice, say: Translator) -> str:
    """One sentence, or two short ones, in the reader's language."""
    made = SENTENCES.get(notice.kind)
    return made(notice, say) if made is not None else f"{summary(notice.type, dict(notice.data)) or notice.kind}."


def _new_ticket(notice: Notice, say: Translator) -> str:
    return say.gettext("{customer} opened this ticket.", customer=_customer(notice.data, say))


def _follow_up(notice: Notice, say: Translator) -> str:
    return say.gettext("{customer} wrote a message.", customer=_customer(notice.data, say))


def _moved(notice: Notice, say: Translator) -> str:
    if notice.actor:
        return say.gettext("{actor} moved this ticket here.", actor=notice.actor)
    return say.gettext("This ticket was moved here.")


def _assigned(notice: Notice, say: Translator) -> str:
    if "ResponsibleChanged" in notice.type:
        if notice.actor:
            return say.gettext("{actor} made you responsible for this ticket.", actor=notice.actor)
        return say.gettext("You are responsible for this ticket now.")
    if notice.actor:
        return say.gettext("{actor} gave you this ticket.", actor=notice.actor)
    return say.gettext("You own this ticket now.")


def _lock_expired(notice: Notice, say: Translator) -> str:
    holder = notice.data.get("was") or {}
    if holder.get("id") == str(notice.reader):
        return say.gettext("Your lock on this ticket has expired.")
    if holder.get("name"):
        return say.gettext("The lock of {holder} on this ticket has expired.", holder=holder["name"])
    return say.gettext("A lock on this ticket has expired.")


def _reminder(_: Notice, say: Translator) -> str:
    return say.gettext("The time until which this ticket was to wait has come.")


WARNED: Mapping[str, str] = {
    "first_answer": N_("The first answer is due by {due}."),
    "update": N_("The answer to the customer is due by {due}."),
    "solution": N_("The solution is due by {due}."),
}
BROKEN: Mapping[str, str] = {
    "first_answer": N_("The first answer was due by {due}. That time is over."),
    "update": N_("The answer to the customer was due by {due}. That time is over."),
    "solution": N_("The solution was due by {due}. That time is over."),
}


def _deadline_warned(notice: Notice, say: Translator) -> str:
    text = WARNED.get(str(notice.data.get("clock")), N_("A deadline is due by {due}."))
    return say.gettext(text, due=_due(notice, say))


def _deadline_broken(notice: Notice, say: Translator) -> str:
    text = BROKEN.get(str(notice.data.get("clock")), N_("A deadline was due by {due}. That time is over."))
    return say.gettext(text, due=_due(notice, say))


def _rule(notice: Notice, say: Translator) -> str:
    if notice.rule:
        return say.gettext("The rule {rule} sent you a mail.", rule=notice.rule)
    return say.gettext("A rule sent you a mail.")


def _rule_suspended(notice: Notice, say: Translator) -> str:
    if notice.rule:
        return say.gettext(
            "The rule {rule} was switched off: it could not do on this ticket what it says.", rule=notice.rule
        )
    return say.gettext("A rule was switched off: it could not do on this ticket what it says.")


SENTENCES: Mapping[str, Callable[[Notice, Translator], str]] = {
    "new_ticket": _new_ticket,
    "follow_up": _follow_up,
    "moved": _moved,
    "assigned": _assigned,
    "lock_expired": _lock_expired,
    "reminder": _reminder,
    "deadline_warned": _deadline_warned,
    "deadline_broken": _deadline_broken,
    "rule": _rule,
    "rule_suspended": _rule_suspended,
}


def _customer(data: Data, say: Translator) -> str:
    customer = data.get("customer") or {}
    return customer.get("name") or customer.get("email") or say.gettext("The customer")


def _due(notice: Notice, say: Translator) -> str:
    """When a deadline is due; a dash if nothing is known of it."""
    try:
        return say.moment(datetime.fromisoformat(str(notice.data["due_at"])))
    except (KeyError, ValueError):
        return "-"
