"""One line of words for every event of a ticket's history."""

from typing import Any

from shared.rules.states import PRIORITIES

STANDINGS = {"outsider": ", whom the desk had asked", "unverified": ", who is not known to take part"}
AUTOMATIC = {
    "failure": "A mail could not be delivered",
    "delay": "A mail is delayed",
    "delivered": "A mail was delivered",
    "complaint": "A mail was complained about",
    "auto_reply": "An automatic reply came",
}

MAILS = {
    "forward": "Forwarded article",
    "bounce": "Resent mail",
    "follow_up_rejected": "Refusal of the message",
    "closed": "Word of the closing",
    "new_ticket": "Notice of the new ticket",
    "follow_up": "Notice of the new message",
    "moved": "Notice of the move",
    "lock_expired": "Notice of the expired lock",
}
"""What a notification of a kind is called where the kind's own name says it badly."""


def summary(type_name: str, data: dict[str, Any]) -> str:
    """What happened, for a person; the type's own name for one that is not known here."""
    # Fields that equal their default are not recorded, so that each is asked for with `get`.
    match type_name.removeprefix("helpdesk.").rpartition(".v")[0]:
        case "TicketOpened":
            form = f", with the form {_name(data['form'].get('topic'))}" if data.get("form") else ""
            return f"Opened by {_name(data.get('opened_by') or data.get('customer'))} ({data.get('channel', '')}){form}"
        case "CustomerMessageReceived":
            standing = data.get("standing", "participant")
            return f"{_name(data.get('customer'))} wrote" + STANDINGS.get(standing, "")
        case "AgentMailReceived":
            return f"{_name(data.get('by'))} wrote an internal note by mail"
        case "AutomaticMailReceived":
            return AUTOMATIC.get(data.get("kind", ""), "A machine answered")
        case "TicketQueued":
            return f"Put into {_queue(data.get('queue'))}"
        case "TicketLocked":
            taken = data.get("taken_over_from")
            return f"Locked by {_name(data.get('by'))}" + (f", taken over from {_name(taken)}" if taken else "")
        case "TicketUnlocked":
            return f"Lock of {_name(data.get('was'))} ended ({data.get('because', 'released')})"
        case "OwnerChanged":
            return f"Owner is now {_name(data.get('to'))}" + (f", was {_name(data['was'])}" if data.get("was") else "")
        case "ResponsibleChanged":
            return f"Responsible is now {_name(data.get('to'))}{_by(data)}"
        case "StateChanged":
            until = f" until {data['pending_until']}" if data.get("pending_until") else ""
            why = ", its time had come" if data.get("fired_at") else _back(data)
            return f"State changed from {_name(data.get('was'))} to {_name(data.get('to'))}{until}{_by(data)}{why}"
        case "AgentReplied":
            return f"{_name(data.get('by'))} answered"
        case "NoteAdded":
            return f"{_name(data.get('by'))} wrote {_note(data)}"
        case "CustomerAnswered":
            return "The desk took note of the customer's message"
        case "TimeAccounted":
            return f"{_name(data.get('by'))} accounted {data.get('units', 0):g} time units"
        case "CallRecorded":
            return f"{_name(data.get('by'))} {'was called' if data.get('direction') == 'in' else 'called'}"
        case "ArticleForwarded":
            return f"{_name(data.get('by'))} forwarded an article to {_recipients(data.get('message'))}"
        case "ArticleBounced":
            return f"{_name(data.get('by'))} sent a mail on to {_recipients(data)}"
        case other:
            return _decided(other, data) or _told(other, data) or other


def _decided(event: str, data: dict[str, Any]) -> str | None:
    """What the desk changed about the ticket."""
    match event:
        case "PriorityChanged":
            return f"Priority changed from {_priority(data.get('was'))} to {_priority(data.get('to'))}{_by(data)}"
        case "TicketMoved":
            return f"Moved from {_queue(data.get('was'))} to {_queue(data.get('to'))}{_by(data)}{_back(data)}"
        case "TicketRenamed":
            return f"Title changed from {data.get('was', '')!r} to {data.get('to', '')!r}{_by(data)}"
        case "FieldsChanged":
            changes = (f"{name} is {'empty' if v is None else v}" for name, v in (data.get("values") or {}).items())
            return f"Fields changed: {', '.join(changes)}{_by(data)}"
        case "TagsAdded":
            return f"Tagged {', '.join(data.get('tags', ()))}{_by(data)}"
        case "TagsRemoved":
            return f"Tags removed: {', '.join(data.get('tags', ()))}{_by(data)}"
        case "CustomerChanged":
            return f"Customer is now {_name(data.get('to'))}, was {_name(data.get('was'))}{_by(data)}"
        case "TicketsLinked":
            return f"Linked: {_link(data)}{_by(data)}"
        case "TicketsUnlinked":
            return f"No longer linked: {_link(data)}{_by(data)}"
        case "TicketMerged":
            return f"Merged into {_ticket(data.get('into'))}{_by(data)}"
        case "TicketAbsorbed":
            return f"{_ticket(data.get('other'))} was merged into this one{_by(data)}"
        case "MergeUndone":
            return f"Merge into {_ticket(data.get('into'))} taken back{_by(data)}"
        case "TicketReleased":
            return f"{_ticket(data.get('other'))} lives by itself again{_by(data)}"
        case "TicketSplit":
            return f"Split: {len(data.get('articles', ()))} articles became a ticket of their own{_by(data)}"
        case "SplitUndone":
            return f"Split taken back{_by(data)}"
        case "TicketRemoved":
            return f"Removed: {data.get('because', '')}{_by(data)}"
        case "ReminderReached":
            return f"Reminder: due at {data.get('due_at', '')}"
        case _:
            return None


def _told(event: str, data: dict[str, Any]) -> str | None:
    """What people were told, and where their messages go."""
    match event:
        case "FollowUpRejected":
            return f"The message of {_name(data.get('customer'))} was refused: the ticket takes no more"
        case "NotificationRequested":
            kind = data.get("kind", "mail")
            left_out = "".join(f"; not to {each['recipient']}: {each['reason']}" for each in data.get("left_out", ()))
            return f"{MAILS.get(kind, kind.capitalize())} to be sent to {_recipients(data.get('mail'))}{left_out}"
        case "NotificationSent":
            return f"Sent by {data.get('transport', 'mail')}"
        case "NotificationDelayed":
            return f"Still to be sent: {data.get('reason', '')}"
        case "NotificationFailed":
            return f"Could not be sent: {data.get('reason', '')}"
        case "NotificationSuppressed":
            return f"Not sent: {data.get('reason', '')}"
        case _:
            return None


def _note(data: dict[str, Any]) -> str:
    if data.get("kind") == "solution":
        return "the solution"
    return "an internal note" if data.get("internal", True) else "a note"


def _name(part: dict[str, Any] | None) -> str:
    return "nobody" if not part else part.get("name") or part.get("email") or part.get("slug") or "somebody"


def _by(data: dict[str, Any]) -> str:
    return f" by {_name(data['by'])}" if data.get("by") else ""


def _back(data: dict[str, Any]) -> str:
    return ", taking back an earlier step" if data.get("undoes") else ""


def _ticket(part: dict[str, Any] | None) -> str:
    return f"ticket {part['number']}" if part and part.get("number") else "another ticket"


def _queue(part: dict[str, Any] | None) -> str:
    return f"the queue {_name(part)}" if part else "another queue"


def _link(data: dict[str, Any]) -> str:
    other, outgoing = _ticket(data.get("other")), data.get("outgoing", True)
    match data.get("kind"):
        case "parent":
            return f"{other} is {'its parent' if outgoing else 'its child'}"
        case "duplicate":
            return f"it is a duplicate of {other}" if outgoing else f"{other} is a duplicate of it"
        case _:
            return f"it is related to {other}"


def _priority(number: Any) -> str:
    return PRIORITIES.get(number, str(number))


def _recipients(mail: dict[str, Any] | None) -> str:
    return ", ".join(a.get("email", "") for a in (mail or {}).get("to", [])) or "nobody"
