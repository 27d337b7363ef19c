"""What a notice says, in a sentence. Whatever has none of its own says what the ticket's history says of the event."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any
from uuid import UUID

from services.reporting.tickets.events.fold import summary

Data = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice for one reader. `type` and `data` are those of the event that it is about, as the history has them;
    empty if it is not in the history. `actor`: the name of who did it; empty if nobody did, or if it is not known.

    `rule`: the name of the trigger, if the notice is about one. `zone`: where the reader reads times.
    """

    kind: str
    reader: UUID
    type: str
    data: Data
    actor: str
    rule: str
    zone: tzinfo


def sentence(notice: Notice) -> str:
    """One sentence, or two short ones."""
    made = SENTENCES.get(notice.kind)
    return made(notice) if made is not None else f"{summary(notice.type, dict(notice.data)) or notice.kind}."


def _new_ticket(notice: Notice) -> str:
    return f"{_customer(notice.data)} opened this ticket."


def _follow_up(notice: Notice) -> str:
    return f"{_customer(notice.data)} wrote a message."


def _moved(notice: Notice) -> str:
    return f"{notice.actor} moved this ticket here." if notice.actor else "This ticket was moved here."


def _assigned(notice: Notice) -> str:
    if "ResponsibleChanged" in notice.type:
        return (
            f"{notice.actor} made you responsible for this ticket."
            if notice.actor
            else "You are responsible for this ticket now."
        )
    return f"{notice.actor} gave you this ticket." if notice.actor else "You own this ticket now."


def _lock_expired(notice: Notice) -> str:
    holder = notice.data.get("was") or {}
    if holder.get("id") == str(notice.reader):
        return "Your lock on this ticket has expired."
    return f"The lock of {holder.get('name') or 'somebody'} on this ticket has expired."


def _reminder(_: Notice) -> str:
    return "The time until which this ticket was to wait has come."


PROMISES = {"first_answer": "The first answer", "update": "The answer to the customer", "solution": "The solution"}


def _deadline_warned(notice: Notice) -> str:
    return f"{_promise(notice)} is due{_due(notice)}."


def _deadline_broken(notice: Notice) -> str:
    return f"{_promise(notice)} was due{_due(notice)}. That time is over."


def _rule(notice: Notice) -> str:
    return f"The rule {notice.rule} sent you a mail." if notice.rule else "A rule sent you a mail."


def _rule_suspended(notice: Notice) -> str:
    what = f"The rule {notice.rule}" if notice.rule else "A rule"
    return f"{what} was switched off: it could not do on this ticket what it says."


SENTENCES: Mapping[str, Callable[[Notice], str]] = {
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


def _customer(data: Data) -> str:
    customer = data.get("customer") or {}
    return customer.get("name") or customer.get("email") or "The customer"


def _promise(notice: Notice) -> str:
    return PROMISES.get(str(notice.data.get("clock")), "The work")


def _due(notice: Notice) -> str:
    try:
        due = datetime.fromisoformat(str(notice.data["due_at"])).astimezone(notice.zone)
    except (KeyError, ValueError, OverflowError):
        return ""
    return f" by {due:%Y-%m-%d %H:%M %Z}"
