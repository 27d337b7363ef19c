"""Who did something, as the API shows it. A rule acts as `<id of the trigger>/<version>` (decision 0112)."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from shared.database import Pool

NAMES = "SELECT id::text, document ->> 'name' AS name FROM directory.documents WHERE kind = 'trigger' AND id = ANY($1)"
RULE = "rule"


def rule_of(kind: str, actor: str | None) -> tuple[str, int] | None:
    """The id and the version of the trigger that acted; None for any other actor."""
    identifier, _, version = (actor or "").partition("/")
    if kind != RULE or not version.isascii() or not version.isdecimal():
        return None
    try:
        return str(UUID(identifier)), int(version)
    except ValueError:
        return None


async def rule_names(pool: Pool, actors: Iterable[tuple[str, str | None]]) -> dict[str, str]:
    """The names of today of the triggers among actors (kind and id), also of retired ones, by id."""
    rules = {rule[0] for kind, actor in actors if (rule := rule_of(kind, actor)) is not None}
    if not rules:
        return {}
    return {row["id"]: row["name"] for row in await pool.fetch(NAMES, [UUID(each) for each in rules])}


def actor_shown(kind: str, actor: str | None, names: Mapping[str, str]) -> dict[str, Any]:
    """`names`: those of `rule_names`."""
    rule = rule_of(kind, actor)
    if rule is None:
        return {"kind": kind, "id": actor}
    identifier, version = rule
    return {"kind": kind, "id": identifier, "name": names.get(identifier), "version": version}
