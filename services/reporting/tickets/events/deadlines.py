"""The clocks of a ticket: what is promised, and how far it is kept (A4.07, A5.17). The history tells the sums."""

from services.reporting.deadlines.words import CLOCKS, amount, moment
from services.reporting.tickets.events.registry import Data, change, summary_for_reader, told_at
from services.reporting.tickets.read_model.ticket_row import TicketRow
from shared.clocks.deadlines import apply, escalated, nearest_due
from shared.contracts.envelope import Recorded
from shared.contracts.routing import DeadlineBroken, DeadlinesChanged, DeadlineWarned
from shared.languages.translator import Translator


def _take(event: DeadlinesChanged | DeadlineWarned | DeadlineBroken, row: TicketRow) -> None:
    row.deadlines = apply(row.deadlines, event)
    row.escalated, row.due_at = escalated(row.deadlines.values()), nearest_due(row.deadlines.values())


@change.register
def _(event: DeadlinesChanged, row: TicketRow, recorded: Recorded) -> None:
    _take(event, row)


@summary_for_reader(DeadlinesChanged)
def _(data: Data, say: Translator) -> str:
    clock, change = _clock(data), data.get("change", "")
    minutes, used = data.get("minutes", 0), data.get("used_minutes", 0)
    at = told_at(data.get("at"))
    due = f"due {moment(told_at(data.get('due_at')), say, beside=at)}" if data.get("due_at") else ""
    of_all = f"{amount(used)} of {amount(minutes)} minutes used"
    match change:
        case "set" | "moved":
            calendar = _calendar(data["calendar"]) if data.get("calendar") else ""
            counted = f"{amount(minutes)} minutes{calendar} from {moment(told_at(data.get('since')), say, beside=at)}"
            so_far = f"{amount(used)} used" if used else ""
            paused = "paused" if data.get("state") == "paused" else ""
            return f"{clock} {change}: {_list(counted, so_far, paused, due, _sla(data))}"
        case "paused":
            return f"{clock} paused: {_list(of_all, f'{amount(max(0, minutes - used))} left')}"
        case "resumed":
            return f"{clock} resumed: {_list(of_all, due)}"
        case "kept" | "ended":
            return f"{clock} {'kept' if change == 'kept' else 'ended late'}: {of_all}"
        case "withdrawn":
            return f"{clock} withdrawn: no service level promises it any more"
        case _:  # of a later version
            return f"{clock} {change}: {_list(of_all, due)}"


@change.register
def _(event: DeadlineWarned, row: TicketRow, recorded: Recorded) -> None:
    _take(event, row)


@summary_for_reader(DeadlineWarned)
def _(data: Data, say: Translator) -> str:
    due = moment(told_at(data.get("due_at")), say, beside=told_at(data.get("fired_at")))
    return f"{_clock(data)} nearly over: {_list(f'due {due}', _sla(data))}"


@change.register
def _(event: DeadlineBroken, row: TicketRow, recorded: Recorded) -> None:
    _take(event, row)


@summary_for_reader(DeadlineBroken)
def _(data: Data, say: Translator) -> str:
    due = moment(told_at(data.get("due_at")), say, beside=told_at(data.get("fired_at")))
    return f"{_clock(data)} broken: {_list(f'was due {due}', _sla(data))}"


def _clock(data: Data) -> str:
    clock: str = data.get("clock") or ""
    return CLOCKS.get(clock, clock).capitalize()


def _calendar(data: Data) -> str:
    """With its version: when the calendar was changed, it is all that tells why the clock moved."""
    return f" of {data.get('slug', '')} version {data.get('version', '')}"


def _sla(data: Data) -> str:
    sla = data.get("sla") or {}
    return f"{sla.get('name', 'a service level')} version {sla.get('version', '')}"


def _list(*parts: str) -> str:
    return ", ".join(part for part in parts if part)
