"""After a release, keeps its schemas as those of the previous one: `python -m tests.contracts.keep_schemas`."""

from shared.contracts.generate import documents
from tests.contracts.test_tomorrow import PREVIOUS

for path in PREVIOUS.glob("*.json"):
    path.unlink()
for name, text in documents().items():
    if name != "asyncapi.json":
        (PREVIOUS / name).write_text(text, "utf-8")
