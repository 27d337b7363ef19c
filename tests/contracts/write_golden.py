"""Writes missing golden events of types and of kinds of notifications: `python -m tests.contracts.write_golden`."""

import json
from dataclasses import replace

from shared.contracts.catalogue import event_types
from shared.contracts.envelope import Recorded, encode
from shared.contracts.notify import NotificationRequested
from shared.testing.samples import sample_event
from tests.contracts.test_golden_events import GOLDEN, KINDS


def write(name: str, event: Recorded) -> None:
    path = GOLDEN / f"{name}.json"
    if not path.exists():
        path.write_text(json.dumps(json.loads(encode(event)), indent=1, ensure_ascii=False) + "\n", "utf-8")
        print(f"wrote {path.name}")


for name, cls in event_types().items():
    write(name, sample_event(cls))
for kind in KINDS:
    requested = sample_event(NotificationRequested)
    write(
        f"{NotificationRequested.TYPE}+{kind}",
        replace(requested, payload=requested.payload.model_copy(update={"kind": kind})),
    )
