"""Rules as actors of events: a rule acts as `<id of the trigger>/<version>` (decision 0112)."""

from uuid import UUID

from shared.contracts.envelope import Actor
from shared.contracts.parts import RuleRef

RULE = "rule"


def actor_of(rule: RuleRef) -> Actor:
    """A rule as the actor of what it does."""
    return Actor(RULE, f"{rule.id}/{rule.version}")


def rule_of(actor: Actor) -> tuple[UUID, int] | None:
    """The id and the version of the trigger that acted; None for any other actor."""
    identifier, _, version = (actor.id or "").partition("/")
    if actor.kind != RULE or not version.isascii() or not version.isdecimal():
        return None
    try:
        return UUID(identifier), int(version)
    except ValueError:
        return None
