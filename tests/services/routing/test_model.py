"""Random commands of several people on several tickets, compared with a model so simple that it is obviously right."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from shared.rules.access import Identity
from tests.services.routing.workplace import ADMIN, KARI, OLA, Workplace, workplace

T = TypeVar("T")
PEOPLE: tuple[Identity, ...] = (KARI, OLA, ADMIN)
TICKETS = 4
tickets = st.integers(0, TICKETS - 1)
people = st.sampled_from(PEOPLE)


@dataclass
class Simple:
    """What the desk should show of a ticket."""

    state: str = "new"
    owner: str | None = None
    holder: str | None = None
    priority: int = 3
    title: str = ""
    tags: set[str] = field(default_factory=set)
    notes: int = 0
    into: int | None = None
    before: str = "new"
    links: set[int] = field(default_factory=set)

    def works(self, who: Identity) -> bool:
        return self.into is None and self.holder in (None, who.name)

    def takes(self, who: Identity) -> None:
        """An agent who works on an unlocked ticket locks it."""
        if self.holder is None:
            self.holder = self.owner = who.name


class Desks(RuleBasedStateMachine):
    """The desk behind its API; `here` and `loop` are set by the test."""

    here: Workplace
    loop: asyncio.AbstractEventLoop

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    @initialize()
    def open(self) -> None:
        self.numbers = [self.run(self.here.ticket()) for _ in range(TICKETS)]
        self.simple = [Simple(title=f"Matter {number}") for number in self.numbers]
        self.touched: set[int] = set(range(TICKETS))

    def give(self, n: int, command: str, body: dict[str, Any], who: Identity, *, goes: bool) -> None:
        answer = self.run(self.here.give(self.numbers[n], command, body, who=who))
        assert answer.status_code == (200 if goes else 409), (command, body, who.name, answer.text, self.simple[n])
        self.touched.add(n)

    @rule(n=tickets, who=people)
    def lock(self, n: int, who: Identity) -> None:
        ticket = self.simple[n]
        goes = ticket.works(who)
        self.give(n, "lock", {}, who, goes=goes)
        if goes and ticket.holder is None:
            ticket.holder = ticket.owner = who.name

    @rule(n=tickets, who=people)
    def take_over(self, n: int, who: Identity) -> None:
        ticket = self.simple[n]
        self.give(n, "lock", {"take_over": True, "text": "ill"}, who, goes=ticket.into is None)
        if ticket.into is None and ticket.holder != who.name:
            ticket.holder = ticket.owner = who.name

    @rule(n=tickets, who=people)
    def unlock(self, n: int, who: Identity) -> None:
        ticket = self.simple[n]
        goes = ticket.into is None and (ticket.works(who) or who is ADMIN)
        self.give(n, "unlock", {}, who, goes=goes)
        if goes:
            ticket.holder = None

    @rule(n=tickets, who=people, state=st.sampled_from(["open", "closed-successful"]))
    def reply(self, n: int, who: Identity, state: str) -> None:
        ticket = self.simple[n]
        goes = ticket.works(who)
        self.give(n, "reply", {"text": "x", "state": state}, who, goes=goes)
        if not goes:
            return
        ticket.takes(who)
        if state == "closed-successful":
            ticket.holder = None
        ticket.state = state

    @rule(n=tickets, who=people)
    def note(self, n: int, who: Identity) -> None:
        ticket = self.simple[n]
        self.give(n, "note", {"text": "x"}, who, goes=ticket.into is None)
        ticket.notes += ticket.into is None

    @rule(n=tickets, who=people)
    def close(self, n: int, who: Identity) -> None:
        ticket = self.simple[n]
        goes = ticket.works(who)
        self.give(n, "close", {}, who, goes=goes)
        if goes:
            ticket.state, ticket.holder = "closed-successful", None

    @rule(n=tickets, who=people)
    def reopen(self, n: int, who: Identity) -> None:
        ticket = self.simple[n]
        goes = ticket.works(who) and ticket.state == "closed-successful"
        self.give(n, "reopen", {}, who, goes=goes)
        if goes:
            ticket.state = "open"

    @rule(n=tickets, who=people, priority=st.integers(1, 5))
    def prioritise(self, n: int, who: Identity, priority: int) -> None:
        ticket = self.simple[n]
        goes = ticket.works(who)
        self.give(n, "set-priority", {"priority": priority}, who, goes=goes)
        if goes:
            ticket.priority = priority

    @rule(n=tickets, who=people, to=st.sampled_from(["kari", "ola"]))
    def assign(self, n: int, who: Identity, to: str) -> None:
        ticket = self.simple[n]
        goes = ticket.works(who)
        self.give(n, "assign", {"owner": to}, who, goes=goes)
        if goes and ticket.owner != to.capitalize():
            ticket.owner = to.capitalize()
            if ticket.holder is not None:
                ticket.holder = ticket.owner

    @rule(n=tickets, who=people, tag=st.sampled_from(["a", "b"]))
    def tag(self, n: int, who: Identity, tag: str) -> None:
        ticket = self.simple[n]
        self.give(n, "tag", {"tags": [tag]}, who, goes=ticket.into is None)
        if ticket.into is None:
            ticket.tags.add(tag)

    @rule(n=tickets, who=people, tag=st.sampled_from(["a", "b"]))
    def untag(self, n: int, who: Identity, tag: str) -> None:
        ticket = self.simple[n]
        self.give(n, "untag", {"tags": [tag]}, who, goes=ticket.into is None)
        if ticket.into is None:
            ticket.tags.discard(tag)

    @rule(one=tickets, two=tickets, who=people)
    def link(self, one: int, two: int, who: Identity) -> None:
        goes = one != two
        self.give(one, "link", {"to": self.numbers[two]}, who, goes=goes)
        if goes:
            self.touched.add(two)
            self.simple[one].links.add(two)
            self.simple[two].links.add(one)

    def living(self, n: int) -> int:
        into = self.simple[n].into
        return n if into is None else self.living(into)

    @rule(one=tickets, two=tickets, who=people)
    def merge(self, one: int, two: int, who: Identity) -> None:
        ticket, into = self.simple[one], self.living(two)
        goes = one != into and ticket.works(who)
        self.give(one, "merge", {"into": self.numbers[two]}, who, goes=goes)
        if goes:
            self.touched.add(into)
            ticket.before, ticket.state, ticket.holder, ticket.into = ticket.state, "merged", None, into

    @precondition(lambda self: any(ticket.into is not None for ticket in self.simple))
    @rule(n=tickets, who=people)
    def undo_merge(self, n: int, who: Identity) -> None:
        ticket = self.simple[n]
        if ticket.into is None:
            return
        events = self.run(self.here.events(self.numbers[n]))
        merged = [event for event in events if event.type == "helpdesk.TicketMerged.v1"][-1]
        self.give(n, "undo", {"event": str(merged.id)}, who, goes=True)
        self.touched.add(ticket.into)
        ticket.into, ticket.state = None, ticket.before

    @invariant()
    def agree(self) -> None:
        ids = [self.run(self.here.operations.find(number)) for number in self.numbers]
        for n in self.touched:
            state, wanted = self.run(self.here.state(self.numbers[n])), self.simple[n]
            shown = Simple(
                state=state.state.slug,
                owner=state.owner.name if state.owner else None,
                holder=state.locked_by.name if state.locked_by else None,
                priority=state.priority,
                title=state.title,
                tags=set(state.tags),
                notes=(self.run(self.here.kinds(self.numbers[n]))).count("NoteAdded"),
                into=ids.index(state.merged_into) if state.merged_into else None,
                before=wanted.before,
                links={ids.index(other) for _, other, _ in state.links},
            )
            assert shown == wanted
        self.touched = set()


async def test_the_desk_agrees_with_a_simple_model(postgres: Any, tmp_path: Path) -> None:
    async with workplace(postgres, tmp_path) as here:
        Desks.here, Desks.loop = here, asyncio.get_running_loop()
        chosen = settings(
            max_examples=30, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
        )
        await asyncio.to_thread(run_state_machine_as_test, Desks, settings=chosen)


pytestmark = pytest.mark.timeout(300)
