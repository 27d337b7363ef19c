"""What every command of the desk carries besides its own content: who gives it, when, and the settings that apply."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from shared.contracts.parts import PersonRef, StateRef

ActorKind = Literal["agent", "rule", "customer", "system"]


@dataclass(frozen=True, slots=True)
class Actor:
    """Who gives a command: a person, a rule that administrators configured, or the system."""

    kind: ActorKind
    id: UUID
    name: str

    @property
    def reference(self) -> PersonRef:
        """The actor as events name them."""
        return PersonRef(id=self.id, name=self.name)


@dataclass(frozen=True, slots=True)
class ConfiguredState:
    """A state, and how long a ticket waits in it if it is a pending one and nobody gives a date."""

    state: StateRef
    close_after_hours: float | None = None


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """What the configuration says of the ticket's queue. A move carries the settings of the new queue.

    `required_fields` must have a value before the ticket is closed (A7.25). `after_reply` is the state after a reply
    that names none (A5.03).
    """

    lock_timeout: timedelta | None = None
    required_fields: tuple[str, ...] = ()
    after_reply: ConfiguredState | None = None


@dataclass(frozen=True, slots=True)
class CommandContext:
    """`lock_on_action` is false for bulk commands: they leave unlocked tickets unlocked."""

    actor: Actor
    at: datetime
    settings: QueueSettings = field(default_factory=QueueSettings)
    lock_on_action: bool = True

    @property
    def takes_lock(self) -> bool:
        """Whether the actor locks an unlocked ticket by working on it. Locks and ownership are for agents."""
        return self.lock_on_action and self.actor.kind == "agent"
