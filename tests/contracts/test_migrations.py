"""A migration that has landed is never edited: databases that applied it would refuse every later update.

`migrations.sha256` holds the digest of each migration. A new migration adds its line
(`sha256sum FILE >> tests/contracts/migrations.sha256`, from the top folder).
"""

import hashlib
from pathlib import Path

ROOT = Path(__file__).parents[2]
LINES = Path(__file__).with_name("migrations.sha256").read_text("utf-8").splitlines()
PINNED = {name: digest for digest, _, name in (line.partition("  ") for line in LINES)}
FILES = sorted(
    str(path.relative_to(ROOT))
    for folder in ("services", "shared")
    for path in (ROOT / folder).glob("*/migrations/*.sql")
)


def test_every_migration_is_pinned_and_none_has_gone() -> None:
    assert sorted(PINNED) == FILES


def test_no_migration_has_changed() -> None:
    digests = {name: hashlib.sha256((ROOT / name).read_bytes()).hexdigest() for name in FILES}
    assert {name for name, digest in digests.items() if PINNED.get(name) != digest} == set()
