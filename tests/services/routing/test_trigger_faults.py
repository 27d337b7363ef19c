"""Each match is done exactly once, whoever dies and however many work; what fails waits for an operator (A9.02)."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from services.routing import ticket
from services.routing.conclusions import Conclusions
from services.routing.matches import waiting
from services.routing.matches.idle import IdleTickets
from services.routing.matches.worker import TriggerWorker
from services.routing.ticket import Command
from shared.contracts.event import Event
from shared.contracts.routing import NoteAdded
from shared.eventstore.store import Store
from shared.runtime import failpoints
from shared.runtime.failpoints import FailpointRaised
from tests.services.routing.triggers import by_rules, opened, rule, save, settled
from tests.services.routing.workplace import HR, Workplace
from tests.specs.requirement import requirement

NOTE: dict[str, Any] = {"do": "note", "text": "seen"}
WAITING = "SELECT count(*) FROM routing.matches"


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    yield
    failpoints.arm("")


def another_worker(desk: Workplace) -> TriggerWorker:
    """A worker of another process."""
    store = Store(desk.pool, "routing")
    conclude = Conclusions(lambda: desk.copy.configuration)
    idle = IdleTickets(store, desk.operations.runner.states, lambda: conclude.rules)
    return TriggerWorker(desk.operations.runner, desk.operations, conclude.at_depth, idle)


async def notes(desk: Workplace, number: str) -> int:
    return sum(isinstance(event.payload, NoteAdded) for event in await by_rules(desk, number))


@requirement("A9.02")
async def test_many_workers_do_each_match_once(desk: Workplace) -> None:
    await rule(desk, "one", "opened", NOTE)
    await rule(desk, "two", "note", {"do": "tag", "tags": ["noted"]})
    numbers = [await opened(desk) for _ in range(60)]
    workers = [desk.worker, *(another_worker(desk) for _ in range(4))]

    async def work(worker: TriggerWorker) -> None:
        while await desk.pool.fetchval(WAITING):
            await worker.work(20)

    await asyncio.gather(*map(work, workers))
    for number in numbers:
        assert await notes(desk, number) == 1
        assert (await desk.state(number)).tags == ("noted",)


@pytest.mark.parametrize("moment", ["triggers.locked", "triggers.before_commit", "triggers.after_commit"])
@requirement("A9.02")
async def test_a_worker_that_dies_leaves_each_match_to_be_done_once(desk: Workplace, moment: str) -> None:
    await rule(desk, "one", "opened", NOTE)
    number = await opened(desk)
    failpoints.arm(f"{moment}=raise")
    with pytest.raises(FailpointRaised):
        await settled(desk)
    failpoints.arm("")
    await settled(desk)
    assert await notes(desk, number) == 1
    assert await desk.pool.fetchval(WAITING) == 0


@requirement("A9.02")
async def test_a_command_that_dies_leaves_its_event_and_its_match_or_neither(desk: Workplace) -> None:
    await rule(desk, "one", "tagged", NOTE)
    number = await opened(desk)
    failpoints.arm("append.before_commit=raise")
    assert (await desk.give(number, "tag", {"tags": ["x"]}, key="once")).status_code == 503
    assert await desk.pool.fetchval(WAITING) == 0
    failpoints.arm("append.after_commit=raise")
    await desk.give(number, "tag", {"tags": ["x"]}, key="once")
    assert await desk.pool.fetchval(WAITING) == 1
    failpoints.arm("")
    assert (await desk.give(number, "tag", {"tags": ["x"]}, key="once")).status_code == 200
    await settled(desk)
    assert await notes(desk, number) == 1


@requirement("A9.02")
async def test_a_match_that_fails_is_parked_alone_and_can_be_replayed(
    desk: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    await rule(desk, "bad", "opened", {"do": "set-priority", "priority": 5}, order=1)
    await rule(desk, "good", "opened", NOTE, order=2)
    number, other = await opened(desk), await opened(desk)
    decide = ticket.decide

    def broken(command: Command, state: ticket.Ticket) -> list[Event]:
        if state.number == number and type(command).__name__ == "SetPriority":
            raise ValueError("a bug of this version")
        return decide(command, state)

    with monkeypatch.context() as version:
        version.setattr(ticket, "decide", broken)
        await settled(desk)
        assert (await desk.state(number)).priority == 3
        assert (await desk.state(other)).priority == 5
        assert await notes(desk, number) == await notes(desk, other) == 1
        (parked,) = await waiting.Parked().parked(desk.pool)
        assert (parked.by, parked.events, parked.reason) == ("triggers", 1, "ValueError: a bug of this version")
        assert await desk.worker.work(100) == 0
    assert await waiting.Parked().replay(desk.pool, parked.stream) == 1
    await settled(desk)
    assert (await desk.state(number)).priority == 5
    assert await waiting.Parked().parked(desk.pool) == []


@requirement("A9.02")
async def test_two_workers_suspend_a_trigger_once(desk: Workplace) -> None:
    made = await rule(desk, "lost", "opened", {"do": "move", "queue": "hr"})
    for _ in range(20):
        await opened(desk)
    await save(desk, HR, 2, retired=True)
    other = another_worker(desk)

    async def work(worker: TriggerWorker) -> None:
        while await desk.pool.fetchval(WAITING):
            await worker.work(2)

    await asyncio.gather(work(desk.worker), work(other), work(another_worker(desk)))
    assert len(await desk.store.load(made.id)) == 1


async def test_a_trigger_whose_condition_is_not_known_here_is_suspended(desk: Workplace) -> None:
    made = await rule(desk, "later", "opened", NOTE, when={"field": "weather", "is": ["rain"]})
    number = await opened(desk)
    await settled(desk)
    assert await notes(desk, number) == 0
    assert await desk.store.load(made.id) == [], "what it names may still arrive"
    desk.worker.unusable.patience = timedelta()
    await settled(desk)
    assert [event.type for event in await desk.store.load(made.id)] == ["helpdesk.RuleSuspended.v1"]


async def test_a_match_whose_action_is_not_known_here_is_left_out_and_said(desk: Workplace) -> None:
    made = await rule(desk, "later", "opened", {"do": "explode"})
    number = await opened(desk)
    await settled(desk)
    assert [event.payload.action for event in await by_rules(desk, number)] == ["all"]  # type: ignore[attr-defined]
    assert len(await desk.store.load(made.id)) == 1


async def test_what_this_desk_has_not_heard_of_yet_suspends_no_trigger(desk: Workplace) -> None:
    made = await rule(desk, "early", "opened", {"do": "move", "queue": "on-its-way"})
    number = await opened(desk)
    await settled(desk)
    assert [event.payload.reason for event in await by_rules(desk, number)] == ["No such queue."]  # type: ignore[attr-defined]
    assert await desk.store.load(made.id) == []
