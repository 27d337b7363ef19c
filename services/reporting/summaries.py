"""One line of words for every event of a ticket's history."""

from typing import Any


def summary(type_name: str, data: dict[str, Any]) -> str:
    """What happened, for a person; the type's own name for one that is not known here."""
    match type_name.removeprefix("helpdesk.").rpartition(".v")[0]:
        case "TicketOpened":
            return f"Opened by {_name(data.get('opened_by') or data.get('customer'))} ({data.get('channel', '')})"
        case "CustomerMessageReceived":
            return f"{_name(data.get('customer'))} wrote"
        case "TicketQueued":
            return f"Put into the queue {_name(data.get('queue'))}"
        case "TicketLocked":
            taken = data.get("taken_over_from")
            return f"Locked by {_name(data.get('by'))}" + (f", taken over from {_name(taken)}" if taken else "")
        case "TicketUnlocked":
            return f"Lock of {_name(data.get('was'))} ended ({data.get('because', 'released')})"
        case "OwnerChanged":
            return f"Owner is now {_name(data.get('to'))}" + (f", was {_name(data['was'])}" if data.get("was") else "")
        case "StateChanged":
            until = f" until {data['pending_until']}" if data.get("pending_until") else ""
            return f"State changed from {_name(data.get('was'))} to {_name(data.get('to'))}{until}"
        case "AgentReplied":
            return f"{_name(data.get('by'))} answered"
        case "NoteAdded":
            return f"{_name(data.get('by'))} wrote {'an internal note' if data.get('internal', True) else 'a note'}"
        case "CustomerAnswered":
            return "The desk took note of the customer's message"
        case "TimeAccounted":
            return f"{_name(data.get('by'))} accounted {data.get('units', 0):g} time units"
        case "NotificationRequested":
            return f"{str(data.get('kind', 'mail')).capitalize()} to be sent to {_recipients(data.get('mail') or {})}"
        case "NotificationSent":
            return f"Sent by {data.get('transport', 'mail')}"
        case "NotificationFailed":
            return f"Could not be sent: {data.get('reason', '')}"
        case "NotificationSuppressed":
            return f"Not sent: {data.get('reason', '')}"
        case other:
            return other


def _name(part: dict[str, Any] | None) -> str:
    return "nobody" if not part else part.get("name") or part.get("email") or part.get("slug") or "somebody"


def _recipients(mail: dict[str, Any]) -> str:
    return ", ".join(a.get("email", "") for a in mail.get("to", [])) or "nobody"
