"""The documents of the examples in docs/rules.md, as they stand there."""

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

GUIDE = Path(__file__).parents[1] / "docs" / "rules.md"
_DOCUMENT = re.compile(r"^`PUT (/[a-z0-9/-]+)`\n```json\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_EXAMPLE = re.compile(r"^### (\d+)\. ", re.MULTILINE)


class Saved(NamedTuple):
    """A document and the address below /api/v1 that it is saved under."""

    path: str
    document: dict[str, Any]


def examples() -> dict[int, list[Saved]]:
    """The documents of each example, by its number."""
    _, *parts = _EXAMPLE.split(GUIDE.read_text("utf-8"))
    return {
        int(number): [Saved(path, json.loads(text)) for path, text in _DOCUMENT.findall(part)]
        for number, part in zip(parts[::2], parts[1::2], strict=True)
    }
