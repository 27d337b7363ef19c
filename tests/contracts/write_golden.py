"""Adds the golden event of every type that has none yet: `python -m tests.contracts.write_golden`."""

import json

from shared.contracts.catalogue import event_types
from shared.contracts.envelope import encode
from shared.testing.samples import sample_event
from tests.contracts.test_golden_events import GOLDEN

for name, cls in event_types().items():
    path = GOLDEN / f"{name}.json"
    if not path.exists():
        path.write_text(json.dumps(json.loads(encode(sample_event(cls))), indent=1, ensure_ascii=False) + "\n", "utf-8")
        print(f"wrote {path.name}")
