"""Whatever happens to a ticket: its clocks are what a slow count by hand, minute by minute over its history, gives."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.routing.ticket.lifecycle import Reopen
from services.routing.ticket.properties import SetPriority
from services.routing.ticket.relations import MergeInto, Unmerge
from shared.clocks.working_time import ALWAYS, WorkingTime, working_time
from shared.contracts.directory import Calendar, Sla
from shared.contracts.parts import TicketRef
from shared.contracts.routing import DeadlineBroken, StateChanged, TicketMerged
from shared.rules.rejected import Rejected
from shared.rules.states import CLOSED_SUCCESSFUL, OPEN, PENDING_REMINDER
from tests.specs.routing.clocks.stage import OPENED, Desk, minutes, sla

OTHER = TicketRef(id=UUID(int=77), number="2026112310000026", title="Other")
DAY = Calendar(
    id=UUID(int=5),
    slug="day",
    name="Day",
    timezone="UTC",
    hours={"mon": (("09:05", "09:40"), ("10:10", "11:00"), ("12:30", "24:00")), "tue": (("00:00", "24:00"),)},
)
SLAS = (
    (sla("gold"),),
    (sla("gold", calendar="day"),),
    (sla("gold", pauses_in=(), warn_percent=100), sla("high", order=0, priorities=(5,), solution_minutes=45)),
    (sla("high", order=0, priorities=(5,), solution_minutes=45, calendar="day"), sla("rest", order=9)),
    (sla("gold", first_answer_minutes=None, solution_minutes=33.0, pauses_in=("pending-reminder", "open")),),
    (),
)
ENDED = ("closed", "merged")


@dataclass
class Change:
    at: int
    state: str
    type: str
    undone: bool = False


@dataclass
class ByHand:
    """What has happened to the ticket. Times are minutes since the opening."""

    changes: list[Change] = field(default_factory=lambda: [Change(0, "new", "new")])
    undo: list[tuple[Change, Change | None, bool]] = field(default_factory=list)
    """The state changes and their undoing, newest last: the change, what an undo added, whether it is an undo."""
    answered: bool = False
    waits_since: int | None = None

    def now(self) -> Change:
        return [each for each in self.changes if not each.undone][-1]

    def at(self, minute: int) -> Change:
        """The state during a minute."""
        return [each for each in self.changes if not each.undone and each.at <= minute][-1]

    def used(self, since: int, until: int, promise: Sla, time: WorkingTime) -> int:
        return sum(
            1
            for minute in range(since, until)
            if self.at(minute).type not in ENDED
            and self.at(minute).state not in promise.pauses_in
            and time.contains(moment(minute))
        )


def moment(minute: int) -> datetime:
    return OPENED + minutes(minute)


def chosen(slas: tuple[Sla, ...], priority: int) -> Sla | None:
    fitting = [each for each in slas if not each.priorities or priority in each.priorities]
    return min(fitting, key=lambda each: (each.order, each.slug), default=None)


def limit_of(promise: Sla | None, clock: str) -> float | None:
    if promise is None:
        return None
    limits = {"first_answer": promise.first_answer_minutes, "update": promise.update_minutes}
    return limits.get(clock, promise.solution_minutes)


OPERATIONS = (
    "reply",
    "message",
    "wait",
    "open",
    "close",
    "undo",
    "priority",
    "merge",
    "unmerge",
    "reopen",
    "slas",
    "rest",
)


@settings(max_examples=250, deadline=None)
@example(0, [("message", 0, 0), ("reply", 0, 0), ("slas", 0, 5), ("message", 1, 0)])
@given(
    st.integers(0, len(SLAS) - 1),
    st.lists(st.tuples(st.sampled_from(OPERATIONS), st.integers(0, 45), st.integers(0, len(SLAS) - 1)), max_size=14),
)
def test_the_clocks_are_those_of_a_count_by_hand(first: int, steps: list[tuple[str, int, int]]) -> None:
    slas: tuple[Sla, ...] = SLAS[first]
    hand, at = ByHand(), 0
    desk = Desk(*slas, calendars=(DAY,)).open()
    for operation, later, number in steps:
        at += later
        fire(desk, at)
        slas = do(desk, hand, operation, at, number, slas)
        fire(desk, at)
        compare(desk, hand, at, slas)
    told: set[tuple[object, ...]] = set()
    for new, _ in desk.log:
        if isinstance(new.payload, DeadlineBroken):
            key = (new.payload.clock, new.payload.due_at, new.payload.sla.id, new.payload.fired_at)
            assert key not in told
            told.add(key)


def fire(desk: Desk, at: int) -> None:
    """What workers do until this minute."""
    for clock in ("first_answer", "update", "solution"):
        desk.fire(clock, at)


def do(desk: Desk, hand: ByHand, operation: str, at: int, number: int, slas: tuple[Sla, ...]) -> tuple[Sla, ...]:
    before = hand.now()
    try:
        match operation:
            case "reply":
                desk.reply(at)  # the state after a reply is open
                hand.answered, hand.waits_since = True, None
                _enter(hand, at, "open", "open")
            case "message":
                desk.message(at)
                if before.type != "merged":
                    hand.waits_since = at if hand.waits_since is None else hand.waits_since
                    if before.type == "closed":
                        _enter(hand, at, "open", "open")
                elif hand.waits_since is None:
                    hand.waits_since = at
            case "wait" if before.type != "merged":
                desk.wait(at)
                _enter(hand, at, PENDING_REMINDER.slug, PENDING_REMINDER.type, again=True)
            case "open" if before.type != "merged":
                desk.set_state(at, OPEN)
                _enter(hand, at, "open", "open")
            case "close" if before.type != "merged":
                desk.close(at)
                _enter(hand, at, CLOSED_SUCCESSFUL.slug, "closed")
            case "reopen" if before.type == "closed":
                desk.decide(Reopen(desk.context(at)), at)
                _enter(hand, at, "open", "open")
            case "undo" if hand.undo and before.type != "merged":
                desk.undo(at, StateChanged)
                _undo(desk, hand, at)
            case "priority":
                desk.decide(SetPriority(desk.context(at), 5 if desk.state.priority == 3 else 3), at)
            case "merge" if before.type != "merged":
                desk.decide(MergeInto(desk.context(at), OTHER), at)
                hand.changes.append(Change(at, "merged", "merged"))
                hand.undo.clear()
            case "unmerge" if before.type == "merged":
                merged = next(new for new, _ in reversed(desk.log) if isinstance(new.payload, TicketMerged))
                desk.decide(Unmerge(desk.context(at), OTHER, merged.id), at)
                before.undone = True
                hand.undo.clear()
            case "slas":
                slas = SLAS[number]
                desk.configure(*slas, calendars=(DAY,), version=2)
                desk.count(at)
            case _:
                pass
    except Rejected:
        pass
    return slas


def _enter(hand: ByHand, at: int, state: str, kind: str, *, again: bool = False) -> None:
    if hand.now().state == state and not again:
        return
    change = Change(at, state, kind)
    hand.changes.append(change)
    hand.undo.append((change, None, False))


def _undo(desk: Desk, hand: ByHand, at: int) -> None:
    change, added, undoing = hand.undo[-1]
    if undoing and change.state != desk.state.state.slug:  # it was pending, and is opened instead
        _enter(hand, at, "open", "open", again=True)
        return
    if undoing:
        change.undone = False
        if added is not None:
            added.undone = True
        hand.undo.append((change, None, False))
        return
    change.undone = True
    extra = None
    if hand.now().state != desk.state.state.slug:
        extra = Change(at, desk.state.state.slug, desk.state.state.type)
        hand.changes.append(extra)
    hand.undo.append((change, extra, True))


def compare(desk: Desk, hand: ByHand, at: int, slas: tuple[Sla, ...]) -> None:
    assert desk.state.state.slug == hand.now().state
    promise = chosen(slas, desk.state.priority)
    time = working_time(DAY) if promise is not None and promise.calendar else ALWAYS
    ended = hand.now().type in ENDED
    since = {"first_answer": None if hand.answered else 0, "update": hand.waits_since, "solution": 0}
    for clock, begun in since.items():
        known = desk.state.timeline.deadlines.get(clock)
        if begun is None or ended:
            assert known is None or known.ended_at is not None, (clock, known)
            continue
        limit = limit_of(promise, clock)
        if limit is None or promise is None:
            # What was over before the customer wrote again stays as it was kept or broken.
            over = known.ended_at if known is not None and clock == "update" else None
            assert known is None or (over is not None and over <= moment(begun)), (clock, known)
            continue
        used = hand.used(begun, at, promise, time)
        assert known is not None and known.ended_at is None, (clock, known)
        assert known.since == moment(begun)
        paused = hand.now().state in promise.pauses_in
        state = "broken" if used >= limit else "paused" if paused else "running"
        assert known.state == state, (clock, known, used, limit, at)
        if state == "running":
            assert known.due_at == due_by_hand(at, limit - used, time)
            assert known.warned == (used >= limit * promise.warn_percent / 100)
            counted = known.used_minutes + time.between(known.at, moment(at)) / timedelta(minutes=1)
            assert counted == used


def due_by_hand(at: int, left: float, time: WorkingTime) -> datetime | None:
    for minute in range(at, at + 3 * 24 * 60):
        if time.contains(moment(minute)):
            left -= 1
        if left <= 0:
            return moment(minute + 1)
    return time.after(moment(at), minutes(left)) if left < 0 else _far(time, at, left)


def _far(time: WorkingTime, at: int, left: float) -> datetime | None:
    """Later than three days: the next week, by the module that has tests of its own."""
    return time.after(moment(at + 3 * 24 * 60), minutes(left))
