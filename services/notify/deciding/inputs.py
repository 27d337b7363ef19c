"""What the policies know beyond an event and the snapshots; looked up for each batch before they react, because they are pure."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from shared.contracts.directory import Person, Queue
from shared.contracts.parts import Address, CustomerRef, PersonRef, QueueRef


@dataclass(frozen=True, slots=True)
class Remembered:
    """A ticket as routing last told of it, for events that name neither number nor queue. `customer` and `message_id`, their newest mail's, are
    null where they are not known, nor the type of its `state`; `by_machine`: no person opened it; `proven`: its title is not just anybody's words;
    `answers_to` is where its customer wants mails, if not at their own address. One that was merged is the ticket in which it goes on."""

    number: str
    title: str
    queue: QueueRef
    owner: PersonRef | None = None
    responsible: PersonRef | None = None
    customer: CustomerRef | None = None
    message_id: str | None = None
    by_machine: bool = False
    proven: bool = False
    answers_to: tuple[Address, ...] = ()
    state: str | None = None


@dataclass(frozen=True, slots=True)
class LastWords:
    """What was said last on a ticket by somebody who takes part in it. `readers`: the addresses, as `addresses.comparable` writes them, of its
    writer and of all whom it was sent to."""

    words: str
    writer: str
    said_at: datetime
    readers: frozenset[str]
    message_id: str | None = None


class Refusals(NamedTuple):
    """How often a ticket's customer was told that it takes no more messages: before the last ten minutes, before the last 24 hours."""

    before_lately: int
    before_today: int


@dataclass(frozen=True, slots=True)
class Known:
    """`queues` the snapshot lacks yet; `tickets` that somebody is told of; `people` in use, who may be told or are written to, by their ids and by those that they had as customers before they had a record; `words` that an
    answer may quote; `refusals` told before; `wanting`, by id, are those who want notices of what happens in their queues."""

    queues: dict[UUID, Queue] = field(default_factory=dict)
    tickets: dict[UUID, Remembered] = field(default_factory=dict)
    people: dict[UUID, Person] = field(default_factory=dict)
    words: dict[UUID, LastWords] = field(default_factory=dict)
    refusals: dict[UUID, Refusals] = field(default_factory=dict)
    wanting: list[Person] = field(default_factory=list)

    def forget(self) -> None:
        """Another batch begins. Who wants notices changes with the documents only."""
        for each in (self.queues, self.tickets, self.people, self.words, self.refusals):
            each.clear()
