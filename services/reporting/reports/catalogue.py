"""Which reports there are: their parameters, and what each column means. `docs/metrics.md` defines each figure exactly."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

ValueKind = Literal["text", "number", "date"]
Unit = Literal["", "tickets", "events", "articles", "clocks", "minutes", "units", "percent"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of an answer. `unit` is empty for texts and dates."""

    name: str
    label: str
    kind: ValueKind
    unit: Unit
    meaning: str


@dataclass(frozen=True, slots=True)
class Report:
    """`by`: the values that rows can be divided by; `field.` stands for any field. `keys`: columns that every row is for.

    `past`: whether it is about a time, and not about now.
    """

    name: str
    label: str
    meaning: str
    by: Sequence[str]
    figures: Sequence[Column]
    keys: Sequence[Column] = ()
    past: bool = True


def _count(name: str, label: str, meaning: str, unit: Unit = "events") -> Column:
    return Column(name, label, "number", unit, meaning)


def _times(name: str, label: str, what: str) -> Iterator[Column]:
    yield Column(f"{name}_count", f"{label}: count", "number", "events", f"How many {what} ended in this time.")
    yield Column(f"{name}_mean", f"{label}: mean", "number", "minutes", f"The mean of {what}; empty without any.")
    for share in (50, 90, 95):
        meaning = f"{share} of 100 {what} are at most so long (percentile_cont); empty without any."
        yield Column(f"{name}_p{share}", f"{label}: {share} %", "number", "minutes", meaning)


BY: dict[str, Column] = {
    "queue": Column("queue", "Queue", "text", "", "The queue, by its slug."),
    "topic": Column("topic", "Topic", "text", "", "The topic of the form that opened the ticket, by its slug."),
    "tag": Column("tag", "Tag", "text", "", "A tag. A ticket with several tags is in several rows."),
    "channel": Column("channel", "Channel", "text", "", "The channel on which the ticket was opened."),
    "company": Column("company", "Company", "text", "", "The company of the customer, by its slug."),
    "owner": Column("owner", "Owner", "text", "", "The owner, by their login."),
    "priority": Column("priority", "Priority", "number", "", "The priority, from 1 (very low) to 5 (immediate)."),
    "person": Column("person", "Person", "text", "", "The agent who did it, by their login."),
    "ticket": Column("ticket", "Ticket", "text", "", "The ticket, by its number."),
    "day": Column("day", "Day", "date", "", "The day, in your time zone."),
}
FIELD = "field."
"""`by=field.<slug>`: the value of a field of the ticket."""
INTERVAL = Column("interval", "Interval", "date", "", "The first day of the interval. Weeks begin on Monday.")
OF_TICKETS = ("queue", "topic", "tag", "channel", "company", "owner", "priority", FIELD)

REPORTS: dict[str, Report] = {
    report.name: report
    for report in (
        Report(
            "volume",
            "Volume",
            "How much came in and went out.",
            OF_TICKETS,
            (
                _count("created", "Created", "Tickets that were opened."),
                _count("closed", "Closed", "Changes into a closed state from one that is not closed."),
                _count("reopened", "Reopened", "Changes out of a closed state into one that is new, open or pending."),
                _count("answered", "Answered", "Answers of agents to the customer."),
                _count(
                    "messages_in",
                    "Messages in",
                    "Articles of customers, those that opened a ticket included.",
                    "articles",
                ),
                _count(
                    "backlog", "Backlog", "Tickets that are new, open or pending at the end of the interval.", "tickets"
                ),
            ),
        ),
        Report(
            "times",
            "Times",
            "How long customers waited. A time counts when it ends.",
            OF_TICKETS,
            (
                *_times("first_answer", "First answer", "times from the opening to the first answer"),
                *_times("resolution", "Resolution", "times from the opening to a closing"),
                *_times("handling", "Handling", "times in which the ticket was new or open before a closing"),
                *_times(
                    "first_answer_working",
                    "First answer in working time",
                    "working times from the opening to the first answer, where a calendar applies",
                ),
                *_times(
                    "resolution_working",
                    "Resolution in working time",
                    "working times from the opening to a closing, where a calendar applies",
                ),
            ),
        ),
        Report(
            "agents",
            "Agents",
            "What each agent did, and what they have on their desk.",
            ("queue",),
            (
                _count("answered", "Answered", "Answers to customers."),
                _count("closed", "Closed", "Closings, also with an answer."),
                _count("taken_over", "Taken over", "Changes of owner from somebody else to this person."),
                _count("handed_on", "Handed on", "Changes of owner from this person to somebody else."),
                _count("notes", "Notes", "Notes, also those written with another command."),
                _count("calls", "Calls", "Telephone calls, in and out."),
                Column("time_units", "Time units", "number", "units", "Time units that the person accounted."),
                _count("open_now", "Open now", "Tickets that the person owns now and that are not closed.", "tickets"),
                _count(
                    "locked_now",
                    "Locked now",
                    "Tickets that the person has locked now and that are not closed.",
                    "tickets",
                ),
                Column(
                    "first_answer_p50",
                    "First answer: 50 %",
                    "number",
                    "minutes",
                    "The median of the times to a first answer that this person gave; empty without any.",
                ),
            ),
            keys=(BY["person"],),
        ),
        Report(
            "states",
            "States",
            "How tickets went through the states.",
            ("queue",),
            (
                _count("entered", "Entered", "How often a ticket came into the state."),
                Column(
                    "minutes", "Minutes", "number", "minutes", "How long tickets were in it within this time, together."
                ),
            ),
            keys=(Column("state", "State", "text", "", "The state, by its slug."),),
        ),
        Report(
            "moves",
            "Moves",
            "From which queue to which, and how long tickets had been in the one that they left.",
            (),
            (
                _count("count", "Count", "Moves."),
                Column("mean", "Mean", "number", "minutes", "The mean time in the queue before; empty without any."),
                Column(
                    "p50", "50 %", "number", "minutes", "The median of the time in the queue before; empty without any."
                ),
                Column(
                    "p90", "90 %", "number", "minutes", "90 of 100 such times are at most so long; empty without any."
                ),
            ),
            keys=(
                Column("from", "From", "text", "", "The queue before, by its slug."),
                Column("to", "To", "text", "", "The queue after, by its slug; empty if you may not know of it."),
            ),
        ),
        Report(
            "deadlines",
            "Deadlines",
            "How service levels were kept.",
            ("queue", "company", "priority"),
            (
                _count("kept", "Kept", "Clocks that ended in time."),
                _count("broken", "Broken", "Clocks whose time passed."),
                _count("running", "Running", "Clocks that run at the end of the interval, or now.", "clocks"),
                Column(
                    "share",
                    "Share kept",
                    "number",
                    "percent",
                    "Kept ones of 100 that were kept or broken; empty without any.",
                ),
            ),
            keys=(
                Column("sla", "SLA", "text", "", "The service level, by its slug."),
                Column("clock", "Clock", "text", "", "`first_answer`, `update` or `solution`."),
            ),
        ),
        Report(
            "time",
            "Time",
            "The work that agents accounted.",
            ("person", "queue", "company", "ticket", "day"),
            (Column("time_units", "Time units", "number", "units", "Time units."),),
        ),
        Report(
            "age",
            "Age",
            "How old the tickets are that are open now. `from` and `to` do not matter.",
            (),
            (_count("count", "Count", "Tickets that are new, open or pending now.", "tickets"),),
            keys=(Column("age", "Age", "text", "", "The time since the opening."),),
            past=False,
        ),
    )
}


def by_column(by: str) -> Column:
    """The column of a `by` value; the name of a field's column is the parameter itself."""
    if by.startswith(FIELD):
        return Column(by, by.removeprefix(FIELD), "text", "", "The value of the ticket's field.")
    return BY[by]
