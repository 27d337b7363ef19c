"""What the desk's rules did or could not do, and who was told. It is in the history only."""

from uuid import UUID

from services.reporting.tickets.events import words
from services.reporting.tickets.events.notifications import kind_in_words
from services.reporting.tickets.events.registry import Data, summary_of
from shared.contracts.notify import NoticeGiven
from shared.contracts.routing import RuleActionLeftOut, RuleNotified


@summary_of(RuleActionLeftOut)
def _(data: Data) -> str:
    action = data.get("action", "an action")
    left_out = "did nothing" if action == RuleActionLeftOut.ALL_ACTIONS else f"could not do {action!r}"
    return f"The rule {_rule(data)} {left_out}: {data.get('reason', '')}"


@summary_of(RuleNotified)
def _(data: Data) -> str:
    to = ", ".join(dict.fromkeys("a person" if _is_id(each) else each for each in data.get("to", ())))
    return f"The rule or macro {_rule(data)} sends the template {data.get('template', '')!r} to {to or 'nobody'}"


@summary_of(NoticeGiven)
def _(data: Data) -> str:
    people = len(data.get("people", ()))
    instead = f", {len(data['substitutes_for'])} of them as a substitute" if data.get("substitutes_for") else ""
    return f"{kind_in_words(data.get('kind', ''))} to {people} {'person' if people == 1 else 'people'}{instead}"


def _rule(data: Data) -> str:
    rule = data.get("rule") or {}
    return f"{words.name(rule)!r} version {rule.get('version', '')}"


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
