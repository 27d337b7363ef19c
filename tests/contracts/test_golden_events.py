"""Events of every type and version that was ever published stay readable.

A golden file is written once, when its type appears (`python -m tests.contracts.write_golden`), and never changed.
`TYPE+KIND.json` holds an event of another kind of the same type.
"""

import json
from pathlib import Path
from typing import Any, get_args

import pytest

from shared.contracts.catalogue import event_types
from shared.contracts.envelope import decode, encode
from shared.contracts.event import UPCASTERS, Unknown, parse
from shared.contracts.notify import NotificationKind, NotificationRequested
from tests.contracts.readers import read_by_all

GOLDEN = Path(__file__).parent / "golden"
FILES = sorted(GOLDEN.glob("*.json"))
KINDS = frozenset(get_args(NotificationKind)) - {"receipt"}
"""The kinds that have a golden file of their own, beside that of the type."""


def test_every_published_version_has_its_golden_event() -> None:
    assert {path.stem.partition("+")[0] for path in FILES} == set(event_types()) | set(UPCASTERS)
    assert {path.stem for path in FILES if "+" in path.stem} == {f"{NotificationRequested.TYPE}+{k}" for k in KINDS}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_golden_event_is_written_as_it_was_read(path: Path) -> None:
    text = path.read_bytes()
    event = decode(text)
    assert not isinstance(event.payload, Unknown)
    assert decode(encode(event)) == event
    if event.type == event.payload.TYPE:  # a retired version is read as its successor
        assert kept(json.loads(text)["data"], json.loads(event.payload.model_dump_json()))


def kept(stored: Any, now: Any) -> bool:
    """Whether every stored value is still there. Optional fields may have been added since."""
    if isinstance(stored, dict):
        return isinstance(now, dict) and all(name in now and kept(value, now[name]) for name, value in stored.items())
    if isinstance(stored, list):
        return len(stored) == len(now) and all(map(kept, stored, now))
    return bool(stored == now)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_reader_accepts_a_golden_event(path: Path) -> None:
    read_by_all(decode(path.read_bytes()))


def test_an_unknown_event_is_kept_as_it_is() -> None:
    assert parse("helpdesk.TicketSungTo.v1", {"song": "x"}) == Unknown(data={"song": "x"})


def test_an_unknown_field_is_ignored() -> None:
    (path,) = [p for p in FILES if p.stem == "helpdesk.TicketUnlocked.v1"]
    raw = json.loads(path.read_text("utf-8"))
    raw["data"]["mood"] = "good"
    assert decode(json.dumps(raw).encode()) == decode(path.read_bytes())
