"""Header fields with instructions for a ticket system (A1.26). They count only on trusted channels, because anybody can
write them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from services.intake.mail.structure.mime import Part, clean, decoded

_PREFIXES = ("x-ledgerdesk-", "x-otrs-", "x-znuny-", "x-rt-", "x-zammad-")
_MEANINGS = {
    "queue": "queue",
    "group": "queue",
    "priority": "priority",
    "priorityid": "priority",
    "state": "state",
    "tags": "tags",
    "tag": "tags",
}
_TAG = re.compile(r"[^,;\s]{1,60}")
MOST_TAGS = 20
MOST_FIELDS = 20
LONGEST = 200
LONGEST_NAME = 60


@dataclass(frozen=True, slots=True)
class Instructions:
    """What the fields ask for; empty where they ask for nothing."""

    queue: str = ""
    priority: int | None = None
    state: str = ""
    tags: tuple[str, ...] = ()


def instructions_in(fields: Sequence[tuple[str, str]]) -> Instructions:
    """The meaning of `control_fields`. Of several fields with the same meaning the first counts; unknown values are
    ignored."""
    meant: dict[str, str] = {}
    for name, value in fields:
        prefix = next(each for each in _PREFIXES if name.startswith(each))
        meaning = _MEANINGS.get(name.removeprefix(prefix))
        if meaning is not None:
            meant.setdefault(meaning, value)
    first = meant.get("priority", "")[:1]
    return Instructions(
        queue=meant.get("queue", "").strip().lower().replace(" ", "-"),
        priority=int(first) if first in tuple("12345") else None,
        state=meant.get("state", "").strip().lower().replace(" ", "-"),
        tags=tuple(dict.fromkeys(tag.lower() for tag in _TAG.findall(meant.get("tags", ""))))[:MOST_TAGS],
    )


def control_fields(root: Part) -> tuple[tuple[str, str], ...]:
    """The fields of a mail with instructions for a ticket system, each once, with their values."""
    found: dict[str, str] = {}
    for name, value in root.fields:
        if name.startswith(_PREFIXES) and len(found) < MOST_FIELDS:
            found.setdefault(name[:LONGEST_NAME], clean(decoded(value))[:LONGEST])
    return tuple(found.items())
