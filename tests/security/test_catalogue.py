"""The lists of attacks name tests that exist, at least one for each row."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| (\d+) \| (\*\*.+?\*\*.*?) \| (.+) \| (.+?) \|$", re.MULTILINE)
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


@pytest.mark.parametrize(("document", "kinds"), [("mail.md", 26), ("system.md", 38)])
def test_every_attack_has_tests_that_exist(document: str, kinds: int) -> None:
    rows = ROW.findall((ROOT / "docs" / "security" / document).read_text("utf-8"))
    assert [int(number) for number, *_ in rows] == list(range(1, kinds + 1))
    for number, _, _, tests in rows:
        named = NAMED.findall(tests)
        assert named, number
        assert not NAMED.sub("", tests).strip(), number  # a test without its function shows nothing in particular
        for path, name in named:
            source = (ROOT / path).read_text("utf-8")
            assert re.search(rf"^(?:async )?def {name}\(", source, re.MULTILINE), (number, path, name)
