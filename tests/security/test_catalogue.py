"""The lists of attacks name tests that exist, at least one for each attack."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ENTRY = re.compile(
    r"^### (\d+)\. .+\n\n\*\*Attack\.\*\* (?:.+\n)+\n\*\*Defence\.\*\* (?:.+\n)+\n\*\*Tests:\*\*\n\n((?:.+\n)+)",
    re.MULTILINE,
)
FILE = re.compile(r"^- `(tests/[\w/]+\.py)`:\s(?:\s\s)?(`\w+`(?:,\s+`\w+`)*)\n", re.MULTILINE)


@pytest.mark.parametrize(("document", "kinds"), [("mail.md", 26), ("system.md", 43)])
def test_every_attack_has_tests_that_exist(document: str, kinds: int) -> None:
    text = (ROOT / "docs" / "security" / document).read_text("utf-8")
    entries = ENTRY.findall(text)
    assert [int(number) for number, _ in entries] == list(range(1, kinds + 1)) and text.count("\n### ") == kinds
    for number, tests in entries:
        files = FILE.findall(tests)
        assert files, number
        assert not FILE.sub("", tests), number  # a file without one of its tests shows nothing in particular
        for path, names in files:
            source = (ROOT / path).read_text("utf-8")
            for name in re.findall(r"\w+", names):
                assert re.search(rf"^(?:async )?def {name}\(", source, re.MULTILINE), (number, path, name)
