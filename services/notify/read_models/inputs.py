"""What policies need beyond an event. `handler` looks it up before they react, so that they stay pure."""

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from services.notify.read_models.last_messages import LastMessage
from services.notify.read_models.ticket_facts import TicketFacts
from shared.contracts.directory import Person, Queue


class RejectionCounts(NamedTuple):
    """How often a ticket's customer was told that it takes no more messages."""

    older_than_ten_minutes: int
    older_than_a_day: int


@dataclass(frozen=True, slots=True)
class PolicyInputs:
    """What was looked up for a batch of events.

    `queues` are those that the directory's copy does not hold yet. `people` have a record that is in use; the key is
    the id that was asked for, which may be one that a customer had before they had a record. `last_messages` may be
    quoted by a reply. `subscribers` want notices about their queues. `followers` of queues for which a trigger sends a
    mail; `rule_mails`: how many mails of triggers each address got before the last 24 hours, by ticket.
    """

    queues: dict[UUID, Queue] = field(default_factory=dict)
    tickets: dict[UUID, TicketFacts] = field(default_factory=dict)
    people: dict[UUID, Person] = field(default_factory=dict)
    last_messages: dict[UUID, LastMessage] = field(default_factory=dict)
    rejections: dict[UUID, RejectionCounts] = field(default_factory=dict)
    subscribers: list[Person] = field(default_factory=list)
    followers: dict[UUID, list[Person]] = field(default_factory=dict)
    rule_mails: dict[UUID, Counter[str]] = field(default_factory=dict)

    def clear(self) -> None:
        """Another batch begins. Subscribers stay: they change only with people's documents."""
        for each in (
            self.queues,
            self.tickets,
            self.people,
            self.last_messages,
            self.rejections,
            self.followers,
            self.rule_mails,
        ):
            each.clear()
