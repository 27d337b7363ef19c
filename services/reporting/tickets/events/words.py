"""Parts of sentences for the history: how people, tickets, queues and others are named."""

from typing import Any

from services.reporting.tickets.events.registry import Data
from shared.rules.states import PRIORITIES


def name(part: Data | None) -> str:
    return "nobody" if not part else part.get("name") or part.get("email") or part.get("slug") or "somebody"


def by(data: Data) -> str:
    return f" by {name(data['by'])}" if data.get("by") else ""


def undoing(data: Data) -> str:
    return ", undoing an earlier step" if data.get("undoes") else ""


def ticket(part: Data | None) -> str:
    return f"ticket {part['number']}" if part and part.get("number") else "another ticket"


def queue(part: Data | None) -> str:
    return f"the queue {name(part)}" if part else "another queue"


def priority(number: Any) -> str:
    return PRIORITIES.get(number, str(number))


def recipients(mail: Data | None) -> str:
    return ", ".join(a.get("email", "") for a in (mail or {}).get("to", [])) or "nobody"
