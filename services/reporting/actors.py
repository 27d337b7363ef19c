"""Who did something, as the API shows it."""

from collections.abc import Iterable, Mapping
from typing import Any

from shared.automation.rule_actor import rule_of
from shared.contracts.envelope import Actor
from shared.database import Pool

NAMES = "SELECT id::text, document ->> 'name' AS name FROM directory.documents WHERE kind = 'trigger' AND id = ANY($1)"


async def rule_names(pool: Pool, actors: Iterable[tuple[str, str | None]]) -> dict[str, str]:
    """The names of today of the triggers among actors (kind and id), also of retired ones, by id."""
    rules = {rule[0] for kind, actor in actors if (rule := rule_of(Actor(kind, actor))) is not None}
    if not rules:
        return {}
    return {row["id"]: row["name"] for row in await pool.fetch(NAMES, list(rules))}


def actor_shown(kind: str, actor: str | None, names: Mapping[str, str]) -> dict[str, Any]:
    """`names`: those of `rule_names`."""
    rule = rule_of(Actor(kind, actor))
    if rule is None:
        return {"kind": kind, "id": actor}
    identifier, version = rule
    return {"kind": kind, "id": str(identifier), "name": names.get(str(identifier)), "version": version}
