"""Triggers that matched and may not act any more: retired, switched off or suspended meanwhile."""

from collections.abc import Sequence
from uuid import UUID

from services.routing.matches import suspension
from shared.contracts.parts import RuleRef
from shared.database import Connection
from shared.directory.copy import DirectoryCopy


async def out_of_use(
    connection: Connection, copy: DirectoryCopy, rules: Sequence[RuleRef]
) -> dict[tuple[UUID, int], str]:
    """Why rules may not act any more, by id and version."""
    wanted = {rule.id for rule in rules}
    suspended = await suspension.suspended(connection, wanted)
    if any(copy.configuration.versions.get(rule.id, 0) < rule.version for rule in rules):
        await copy.load()  # another process knew the trigger before this one
    active = {each.id: each.active for each in copy.configuration.triggers.values() if each.id in wanted}
    found: dict[tuple[UUID, int], str] = {}
    for rule in rules:
        if rule.id not in active:
            found[rule.id, rule.version] = "The rule was retired before it could act."
        elif not active[rule.id]:
            found[rule.id, rule.version] = "The rule was switched off before it could act."
        elif (rule.id, rule.version) in suspended:
            found[rule.id, rule.version] = "The rule is suspended, because it cannot do what it says."
    return found
