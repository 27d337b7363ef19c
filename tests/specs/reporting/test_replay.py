"""Where a trigger would have acted in the life of a ticket (A9.02): the same rules as at the desk, on past events."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from services.reporting.dry_runs.replay import WITH_MESSAGES, Act, PastEvent, Replay, Told, Wanted
from shared.automation.evaluation import compiled
from shared.contracts import intake, routing
from shared.contracts.envelope import Actor
from shared.contracts.event import Event
from shared.contracts.parts import Address, CustomerRef, Message, PersonRef, QueueRef, SlaRef, TicketRef, TopicRef
from shared.rules.states import CLOSED_SUCCESSFUL, NEW, OPEN
from tests.specs.requirement import requirement

START = datetime(2026, 11, 23, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)
KARI = PersonRef(id=UUID(int=1), name="Kari")
IT, HR = (QueueRef(id=UUID(int=n), slug=slug, name=slug.upper()) for n, slug in ((10, "it"), (11, "hr")))
PER = CustomerRef(id=UUID(int=20), email="per@acme.example", name="Per", company="acme")
TRIGGER, OTHER = UUID(int=30), UUID(int=31)
AGENT, SYSTEM, CUSTOMER, SERVICE = (
    Actor("agent", str(KARI.id)), Actor("system", "timer:pending"), Actor("customer", str(PER.id)), Actor("service", "routing")
)  # fmt: skip
MAIL = Message(id=UUID(int=50), channel="email", text="It burns.\n> quoted", new_text="It burns.")
QUEUED = routing.TicketQueued(
    number="1", title="Hums", queue=IT, customer=PER, state=NEW, priority=4, channel="email", tags=("laptop",),
    fields={"room": "B 214"}, topic=TopicRef(id=UUID(int=3), slug="broken", name="Broken"), at=START,
)  # fmt: skip
OPENED = intake.TicketOpened(number="1", title="Hums", queue=IT, customer=PER, channel="email", message=MAIL)
SLA = SlaRef(id=UUID(int=60), slug="gold", name="Gold", version=1)


def rule(trigger: UUID) -> Actor:
    return Actor("rule", f"{trigger}/3")


class Life:
    """The events of a ticket, an hour apart, as the history has them."""

    def __init__(self) -> None:
        self.events: list[PastEvent] = []
        self.at = START

    def add(
        self, payload: Event, actor: Actor = AGENT, *, cause: UUID | None = None, told: Event | None = None
    ) -> "Life":
        event = UUID(int=1000 + len(self.events))
        brings_message = type(payload).TYPE in WITH_MESSAGES
        came = Told(UUID(int=event.int + 1000), self.at, told) if told is not None else None
        if brings_message:
            came = Told(event, self.at, payload)
        known = None if brings_message else payload
        self.events.append(PastEvent(event, type(payload).TYPE, self.at, actor, cause, known, came))
        self.at += HOUR
        return self


def opened(told: intake.TicketOpened = OPENED) -> Life:
    return Life().add(QUEUED, SERVICE, told=told)


def acts(life: Life, *on: str, idle: timedelta | None = None, end: datetime | None = None, **when: Any) -> list[Act]:
    condition: Mapping[str, Any] = when.get("when", {"all": []})
    wanted = Wanted(TRIGGER, on, idle, compiled(condition, {}), True, START, end or life.at)
    replay = Replay(wanted)
    found = [act for event in life.events for act in replay.then(event)]
    return [*found, *replay.until(wanted.end)]


def is_(field: str, *values: Any) -> dict[str, Any]:
    return {"field": field, "is": list(values)}


@requirement("A9.02")
@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        (is_("queue", "it"), True), (is_("queue", "hr"), False), (is_("state", "new"), True), (is_("priority", 4), True),
        (is_("customer", str(PER.id)), True), (is_("company", "acme"), True), (is_("topic", "broken"), True),
        (is_("tag", "laptop"), True), (is_("fields.room", "B 214"), True), (is_("actor", "customer"), True),
        (is_("actor", "system"), False), (is_("from", PER.email), True), ({"field": "text", "contains": ["BURNS"]}, True),
        ({"field": "text", "contains": ["quoted"]}, False), (is_("escalated", False), True),
    ],
)  # fmt: skip
def test_an_opening_is_judged_with_what_was_written(condition: dict[str, Any], holds: bool) -> None:
    found = acts(opened(), "opened", when=condition)
    assert found == ([Act(UUID(int=2000), START)] if holds else [])


def test_who_opened_a_ticket_for_somebody_else_is_an_agent() -> None:
    told = OPENED.model_copy(update={"opened_by": KARI})
    assert acts(opened(told), "opened", when=is_("actor", "agent"))


def test_an_event_is_judged_on_the_ticket_right_after_it() -> None:
    life = opened().add(routing.TicketMoved(to=HR, was=IT, by=KARI)).add(routing.PriorityChanged(to=5, was=4, by=KARI))
    life.add(routing.TicketMoved(to=IT, was=HR, by=KARI))
    assert acts(life, "moved", when=is_("queue", "hr")) == [Act(UUID(int=1001), START + HOUR)]
    assert acts(life, "moved", when=is_("priority", 5)) == [Act(UUID(int=1003), START + 3 * HOUR)]
    assert acts(life, "opened", when=is_("priority", 5)) == []


def test_a_customers_message_is_named_by_what_came_in() -> None:
    message = Message(id=UUID(int=51), channel="email", text="Well?", sender=Address(email="pia@acme.example"))
    told = intake.CustomerMessageReceived(number="1", customer=PER, message=message)
    life = opened().add(routing.CustomerAnswered(article=message.id), SERVICE, told=told)
    assert acts(life, "customer-message", when=is_("from", "pia@acme.example")) == [Act(UUID(int=2001), START + HOUR)]
    assert acts(life, "customer-message", when=is_("actor", "customer"))


def test_what_was_taken_back_is_no_happening() -> None:
    life = opened().add(routing.PriorityChanged(to=5, was=4, by=KARI))
    life.add(routing.PriorityChanged(to=4, was=5, by=KARI, undoes=UUID(int=1001)))
    assert [act.event for act in acts(life, "priority-changed")] == [UUID(int=1001)]


def test_notes_that_nobody_wrote_are_no_happening() -> None:
    def note(text: str, kind: str = "note") -> routing.NoteAdded:
        return routing.NoteAdded(by=KARI, message=Message(id=UUID(int=52), channel="note", text=text), kind=kind)

    life = opened().add(note(routing.MOVED_NOTE, "move")).add(note("moved, see below", "move")).add(note("Look."))
    assert [act.event.int for act in acts(life, "note")] == [1002, 1003]
    assert [act.event.int for act in acts(life, "note", when={"field": "text", "contains": ["look"]})] == [1003]


def test_clocks_warn_and_break() -> None:
    clock: dict[str, Any] = {"clock": "first_answer", "sla": SLA, "due_at": START + 2 * HOUR}
    changed = routing.DeadlinesChanged(
        change="set", at=START, since=START, minutes=120, used_minutes=0, state="running", **clock
    )
    warned = routing.DeadlineWarned(warn_at=START + HOUR, fired_at=START + HOUR, **clock)
    broken = routing.DeadlineBroken(fired_at=START + 2 * HOUR, **clock)
    life = opened().add(changed, SYSTEM).add(warned, SYSTEM).add(broken, SYSTEM)
    assert acts(life, "deadline-warned", when=is_("escalated", True)) == [Act(UUID(int=1002), START + 2 * HOUR)]
    assert acts(life, "deadline-broken", when=is_("actor", "system")) == [Act(UUID(int=1003), START + 3 * HOUR)]
    assert acts(life, "opened", when=is_("escalated", True)) == []


def test_no_rule_answers_its_own_doing_but_that_of_others() -> None:
    tagged = routing.TagsAdded(tags=("x",), by=KARI)
    life = opened().add(tagged, rule(TRIGGER), cause=UUID(int=2000)).add(tagged, rule(OTHER), cause=UUID(int=1001))
    assert [act.event.int for act in acts(life, "tagged")] == [1002]


def test_a_chain_ends_after_five_rules() -> None:
    life = opened()
    for n in range(6):
        life.add(routing.TagsAdded(tags=(f"c{n}",)), rule(UUID(int=100 + n)), cause=life.events[-1].id)
    assert [act.event.int for act in acts(life, "tagged")] == [1001, 1002, 1003, 1004]


def test_only_what_happened_in_the_time_counts() -> None:
    life = opened().add(routing.PriorityChanged(to=5, was=4)).add(routing.PriorityChanged(to=4, was=5))
    assert [a.at for a in acts(life, "priority-changed", end=START + 2 * HOUR)] == [START + HOUR]


@requirement("A9.02")
def test_idle_is_told_once_after_each_act_of_a_person() -> None:
    life = opened().add(routing.StateChanged(to=OPEN, was=NEW, by=KARI))
    life.at += 5 * HOUR
    life.add(routing.TagsAdded(tags=("late",)), rule(OTHER)).add(routing.PriorityChanged(to=5, was=4, by=KARI))
    life.at += 10 * HOUR
    found = acts(life, "idle", idle=3 * HOUR)
    assert found == [Act(UUID(int=1001), START + 4 * HOUR), Act(UUID(int=1003), START + 11 * HOUR)]
    assert acts(life, "idle", idle=3 * HOUR, when=is_("priority", 5)) == found[1:]
    assert acts(life, "idle", idle=3 * HOUR, end=START + 4 * HOUR) == []


def test_what_is_closed_rests() -> None:
    life = opened().add(routing.StateChanged(to=CLOSED_SUCCESSFUL, was=NEW, by=KARI))
    life.at += 10 * HOUR
    assert acts(life, "idle", idle=3 * HOUR) == []


def test_on_a_merged_ticket_no_rule_acts() -> None:
    other = TicketRef(id=UUID(int=99), number="2", title="Hums too")
    life = opened().add(routing.TicketMerged(into=other, was=NEW, by=KARI)).add(routing.TagsAdded(tags=("x",), by=KARI))
    life.add(routing.MergeUndone(into=other, state=NEW, by=KARI)).add(routing.TagsAdded(tags=("y",), by=KARI))
    assert [act.event.int for act in acts(life, "tagged")] == [1004]
