"""The checks of a chaos run find what is wrong with clocks and rules: each is seen to fail here."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson

from shared.contracts.event import Event, data_of
from shared.contracts.parts import SlaRef
from shared.contracts.routing import DeadlineBroken, DeadlinesChanged, DeadlineWarned
from tests.chaos import rules
from tests.chaos.rules import Logged

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
SOON, LATER = NOW + timedelta(seconds=3), NOW + timedelta(seconds=6)
TICKET, CAUSE = UUID(int=1), UUID(int=2)
SLA = SlaRef(id=UUID(int=3), slug="chaos", name="Chaos", version=1)
NAMES = {"7": "opened", "8": "turns"}
PEOPLE = {login: UUID(int=n) for n, login in enumerate((*rules.PRESENT, rules.ALWAYS_AWAY), start=20)}
SET = DeadlinesChanged(
    clock="solution", change="set", at=NOW, sla=SLA, since=NOW, minutes=0.1, used_minutes=0, state="running",
    due_at=LATER, warn_at=SOON,
)  # fmt: skip
WARNED = DeadlineWarned(clock="solution", due_at=LATER, sla=SLA, warn_at=SOON, fired_at=SOON)
BROKEN = DeadlineBroken(clock="solution", due_at=LATER, sla=SLA, fired_at=LATER)


def logged(*payloads: Event) -> list[Logged]:
    return [
        Logged(TICKET, UUID(int=100 + n), type(each).__name__, None, None, orjson.loads(data_of(each)))
        for n, each in enumerate(payloads)
    ]


def event(name: str, rule: str | None = None, cause: UUID | None = CAUSE, n: int = 0, **data: Any) -> Logged:
    return Logged(UUID(int=TICKET.int + n), UUID(int=200 + n), name, rule, cause, data)


def test_a_clock_is_warned_and_broken_once() -> None:
    at_end = LATER + timedelta(seconds=1)
    assert rules.clocks(logged(SET, WARNED, BROKEN), at_end) == (2, [])
    for wrong in (
        (SET, BROKEN),
        (SET, WARNED),
        (SET, WARNED, WARNED, BROKEN),
        (SET, WARNED, BROKEN, BROKEN),
        (WARNED,),
    ):
        assert rules.clocks(logged(*wrong), at_end)[1], wrong
    kept = SET.model_copy(update={"change": "kept", "state": "kept", "ended_at": SOON})
    assert rules.clocks(logged(SET, kept), at_end)[1] == []
    late = kept.model_copy(update={"ended_at": SOON + timedelta(seconds=1)})
    assert rules.clocks(logged(SET, late), at_end)[1], "the warning is missing"


def test_a_rule_acts_once_for_each_cause() -> None:
    queued = event("TicketQueued", channel="phone")
    did = event("NoteAdded", rule="7")
    wanted = rules.expected_acts([queued])
    assert rules.difference(wanted, rules.acts([queued, did], NAMES)) == []
    assert rules.difference(wanted, rules.acts([queued], NAMES))
    assert rules.difference(wanted, rules.acts([queued, did, did], NAMES))
    assert rules.difference(wanted, rules.acts([queued, did, event("NoteAdded", rule="7", cause=None)], NAMES))
    assert rules.difference(wanted, rules.acts([queued, event("RuleActionLeftOut", rule="7")], NAMES)) == []
    merged = rules.expected_acts([queued, event("TicketMerged"), event("TagsAdded", tags=["chaos"])])
    assert merged == wanted


def test_turns_are_fair() -> None:
    def given(*logins: str) -> list[str]:
        changes = [
            event("OwnerChanged", rule="8", n=n, to={"id": str(PEOPLE[login])}) for n, login in enumerate(logins)
        ]
        return rules.unfair(changes, NAMES, PEOPLE)

    one, other = rules.PRESENT
    assert given(one, other, one) == []
    assert given(one, other, one, one)
    assert given(one, other, rules.ALWAYS_AWAY)
