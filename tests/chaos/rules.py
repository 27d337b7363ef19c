"""Clocks and rules in a chaos run: what is set up for them, and what their log must hold in the end.

The expectations are worked out here, from the events of routing's log alone.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from shared.clocks.deadlines import Deadline, Deadlines, apply
from shared.contracts.event import Event, parse
from shared.contracts.routing import DeadlineBroken, DeadlineWarned

WARNED_AFTER = 3.0
"""Seconds from the opening to the warning of the first answer."""
SLA: dict[str, Any] = {
    "slug": "chaos",
    "name": "Chaos",
    "order": 1,
    "first_answer_minutes": 2 * WARNED_AFTER / 60,
    "solution_minutes": 0.2,
    "warn_percent": 50,
}
"""Its solution time alternates under load: open tickets are counted anew."""
SOLUTION_MINUTES = (0.2, 0.25)
ALWAYS_AWAY = "ola"
PRESENT = ("nils", "eva")
COMES_AND_GOES = "siv"
TRIGGERS: dict[str, dict[str, Any]] = {
    "opened": {"on": ["opened"]},
    "tagged": {"on": ["tagged"], "when": {"field": "tag", "is": ["chaos"]}},
    "answered": {"on": ["answered"]},
    "warned": {"on": ["deadline-warned"], "when": {"field": "escalated", "is": [True]}},
    "broken": {"on": ["deadline-broken"]},
    "idle": {"on": ["idle"], "idle_minutes": 0.1, "when": {"field": "channel", "is": ["email"]}},
    "turns": {
        "on": ["opened"],
        "when": {"field": "channel", "is": ["email"]},
        "then": [{"do": "assign", "to": "round-robin"}],
    },
}
EVENTS = """
SELECT stream_id, version, event_id, type, actor_kind, actor_id, causation_id, data::text AS data
  FROM es.events
 WHERE stream_id IN (SELECT stream_id FROM es.streams WHERE category = 'ticket')
 ORDER BY stream_id, version
"""
DOCUMENTS = "SELECT slug, id::text AS id FROM directory.documents WHERE kind = $1"


def documents(queue: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The path and the body of each document, in the order in which they are saved."""
    yield "/slas/chaos", {**SLA, "queues": [queue]}
    for name, trigger in TRIGGERS.items():
        slug, when = f"chaos-{name}", trigger.get("when")
        here = {"field": "queue", "is": [queue]}
        then = trigger.get("then", [{"do": "note", "text": f"saw {name}"}])
        condition = {"all": [here, when] if when is not None else [here]}
        yield f"/triggers/{slug}", {**trigger, "slug": slug, "name": slug, "when": condition, "then": then}


@dataclass(frozen=True, slots=True)
class Logged:
    """An event of routing's log."""

    stream: UUID
    id: UUID
    type: str
    rule: str | None
    """The id of the trigger that did it."""
    cause: UUID | None
    data: dict[str, Any]

    @classmethod
    def of(cls, row: Any) -> "Logged":
        rule = str(row["actor_id"]).partition("/")[0] if row["actor_kind"] == "rule" else None
        short = row["type"].removeprefix("helpdesk.").rpartition(".v")[0]
        return cls(row["stream_id"], row["event_id"], short, rule, row["causation_id"], json.loads(row["data"]))

    @property
    def payload(self) -> Event:
        return parse(f"helpdesk.{self.type}.v1", self.data)


Acts = Counter[tuple[str, UUID, UUID | None]]
"""How often a rule acted: (its name, ticket, cause)."""


def expected_acts(events: Sequence[Logged]) -> Acts:
    """What the rules must have done, but for the idle one, each once for each cause. On a merged ticket they do nothing:
    it goes on in another one."""
    found: Acts = Counter()
    merged: set[UUID] = set()
    for event in events:
        if event.type == "TicketMerged":
            merged.add(event.stream)
        if event.stream in merged:
            continue
        match event.type:
            case "TicketQueued":
                found["opened", event.stream, event.cause] = 1
                if event.data["channel"] == "email":
                    found["turns", event.stream, event.cause] = 1
            case "TagsAdded" if "chaos" in event.data["tags"]:
                found["tagged", event.stream, event.id] = 1
            case "AgentReplied":
                found["answered", event.stream, event.id] = 1
            case "DeadlineWarned":
                found["warned", event.stream, event.id] = 1
            case "DeadlineBroken":
                found["broken", event.stream, event.id] = 1
            case _:
                pass
    return found


def expected_idle(events: Sequence[Logged]) -> Acts:
    """Mails that nobody has touched but rules: nobody acted after the opening."""
    return Counter(
        {("idle", e.stream, e.cause): 1 for e in events if e.type == "TicketQueued" and e.data["channel"] == "email"}
    )


def acts(events: Sequence[Logged], names: Mapping[str, str]) -> Acts:
    """What the rules have done or, where it was impossible, left out. `names`: of triggers, by id."""
    found: Acts = Counter()
    for event in events:
        if event.rule is None:
            continue
        name = names.get(event.rule, event.rule)
        wanted = "OwnerChanged" if name == "turns" else "NoteAdded"
        if event.type in (wanted, "RuleActionLeftOut"):
            found[name, event.stream, event.cause] += 1
    return found


def difference(expected: Acts, found: Acts) -> list[str]:
    """What was done more or less often than it must have been."""
    return [
        f"rule {name} on {ticket} because of {cause}: {found[name, ticket, cause]} times, not {expected[name, ticket, cause]}"
        for name, ticket, cause in sorted(expected.keys() | found.keys(), key=str)
        if expected[name, ticket, cause] != found[name, ticket, cause]
    ]


def unfair(events: Sequence[Logged], names: Mapping[str, str], people: Mapping[str, UUID]) -> list[str]:
    """What is wrong with the turns: those who are always there get as many tickets, who is away gets none."""
    given = Counter(
        UUID(event.data["to"]["id"])
        for event in events
        if event.type == "OwnerChanged"
        and event.rule is not None
        and names.get(event.rule) == "turns"
        and event.data["to"]
    )
    counts = [given[people[login]] for login in PRESENT]
    wrong = [f"turns of those who are there: {counts}"] if max(counts) - min(counts) > 1 else []
    return wrong + ([f"{ALWAYS_AWAY} is away and got work"] if given[people[ALWAYS_AWAY]] else [])


def clocks(events: Iterable[Logged], now: datetime) -> tuple[int, list[str]]:
    """How many warnings and breaches there are, and what is wrong with them: each clock is warned and broken at its
    time, once, and nothing that was due is missing."""
    told: Counter[tuple[UUID, str, str, datetime]] = Counter()
    wrong: list[str] = []
    tickets: dict[UUID, Deadlines] = defaultdict(dict)
    for event in events:
        if not event.type.startswith("Deadline"):
            continue
        payload = event.payload
        before = tickets[event.stream]
        match payload:
            case DeadlineWarned():
                told[event.stream, payload.clock, "warned", payload.warn_at] += 1
                known = before.get(payload.clock)
                if known is None or known.warned or known.warn_at != payload.warn_at:
                    wrong.append(f"{event.stream} {payload.clock} was warned although it was {known}")
            case DeadlineBroken():
                told[event.stream, payload.clock, "broken", payload.due_at] += 1
                known = before.get(payload.clock)
                if known is None or known.state == "broken" or known.due_at != payload.due_at:
                    wrong.append(f"{event.stream} {payload.clock} was broken although it was {known}")
            case _:
                pass
        tickets[event.stream] = apply(before, payload)
    wrong += [f"{each} {count} times" for each, count in told.items() if count != 1]
    for ticket, deadlines in tickets.items():
        wrong += [f"{ticket} {each}" for deadline in deadlines.values() for each in _missed(deadline, now)]
    return told.total(), wrong


def _missed(deadline: Deadline, now: datetime) -> Iterator[str]:
    """What should have been told of a clock until it ended, or until now."""
    if deadline.ended_at is None and deadline.state == "paused":
        return
    until = deadline.ended_at or now
    if deadline.warn_at is not None and deadline.warn_at < until and not deadline.warned:
        yield f"{deadline.clock} was not warned at {deadline.warn_at}"
    if deadline.due_at is not None and deadline.due_at < until and deadline.state != "broken":
        yield f"{deadline.clock} was not broken at {deadline.due_at}"


def now() -> datetime:
    return datetime.now(UTC)
