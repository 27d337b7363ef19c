"""The list of attacks names tests that exist, at least one for each class."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| (\d+) \| (.+?) \| (.+) \| (.+?) \|$", re.MULTILINE)
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def test_every_attack_has_tests_that_exist() -> None:
    rows = ROW.findall((ROOT / "docs" / "security" / "mail.md").read_text("utf-8"))
    assert [int(number) for number, *_ in rows] == list(range(1, 26))
    for number, attack, defence, tests in rows:
        assert attack.startswith("**"), number
        assert defence, number
        named = NAMED.findall(tests)
        assert named, number
        for path, name in named:
            assert re.search(rf"^(?:async )?def {name}\(", (ROOT / path).read_text("utf-8"), re.MULTILINE), name
