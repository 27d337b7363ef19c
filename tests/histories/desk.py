"""The desk of a made-up history: its queues, people, customers, topics and words."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from uuid import UUID

from shared.contracts.parts import CustomerRef, PersonRef, QueueRef, StateRef, TopicRef

_WORDS = (
    "printer scanner password account mailbox calendar screen keyboard network cable licence update driver server"
    " folder backup invoice order delivery contract meeting room projector phone headset battery charger login"
    " certificate browser spreadsheet report access badge door heating light window noise leak form signature"
)
_FAILINGS = (
    "does not start;is very slow;shows an error;was stolen;asks for a code;must be renewed;has vanished;"
    "cannot be opened;makes a noise;is missing;should be moved;does not answer"
)
WORDS, FAILINGS = _WORDS.split(), _FAILINGS.split(";")
WAITING_FOR_SUPPLIER = StateRef(slug="waiting-for-supplier", name="waiting for supplier", type="pending_reminder")


def _id(kind: int, n: int) -> UUID:
    return UUID(int=(kind << 64) + n)


@dataclass(frozen=True, slots=True)
class Desk:
    """Pass the documents of a running desk to make tickets in its queues; by default all are made up."""

    queues: Sequence[QueueRef] = tuple(
        QueueRef(id=_id(1, n), slug=slug, name=slug.replace("-", " ").title())
        for n, slug in enumerate(("it-support", "network", "hr", "facilities", "purchasing", "library", "lab", "web"))
    )
    agents: Sequence[PersonRef] = tuple(PersonRef(id=_id(2, n), name=f"Agent {n}") for n in range(40))
    customers: Sequence[CustomerRef] = tuple(
        CustomerRef(
            id=_id(3, n),
            email=f"customer{n}@firm{n % 97}.example",
            name=f"Customer {n}",
            company=f"firm-{n % 97}" if n % 4 else None,
        )
        for n in range(3_000)
    )
    topics: Sequence[TopicRef] = tuple(
        TopicRef(id=_id(4, n), slug=slug, name=slug.title()) for n, slug in enumerate(("new-badge", "loan", "move"))
    )
    tags: Sequence[str] = ("vip", "hardware", "software", "access", "complaint", "idea", "repeat")
    rooms: Sequence[str] = tuple(f"B {n}" for n in range(200, 260))
    states: Sequence[StateRef] = (WAITING_FOR_SUPPLIER,)
    """Pending states that the desk has beside the standard ones."""
    words: Sequence[str] = field(default_factory=lambda: WORDS)

    def title(self, chance: Random) -> str:
        return f"{chance.choice(self.words).title()} {chance.choice(FAILINGS)}"

    def text(self, chance: Random) -> str:
        """A message of one to eight sentences; some are much longer than most."""
        count = min(8, 1 + int(chance.paretovariate(1.6)))
        return " ".join(
            f"The {chance.choice(self.words)} in {chance.choice(self.rooms)} {chance.choice(FAILINGS)}."
            for _ in range(count)
        )
