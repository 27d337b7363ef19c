"""What the documents name exists, and their lines are short enough to read a diff."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
DOCUMENTS += sorted((ROOT / "docs").rglob("*.md"))
WIDTH = 120

LINK = re.compile(r"\]\(([^)\s]+)\)")
PATH = re.compile(r"(?<![\w./<>-])(?:services|shared|deploy|tests|docs|\.ci)/[\w./*<>-]*")
PROGRAM = re.compile(r"python -m ((?:services|shared|deploy|tests)[\w.*<>]*)")
PLACEHOLDER = re.compile(r"<[\w-]+>|\bNNNN\b")

every_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


def links(text: str) -> set[str]:
    """The files that a document's links lead to, relative to its folder."""
    targets = {target.partition("#")[0] for target in LINK.findall(text) if ":" not in target}
    return targets - {""}


def paths(text: str) -> set[str]:
    """The paths of the repository that a document names; a placeholder such as `<name>` stands for any name."""
    return {PLACEHOLDER.sub("*", path.rstrip(".")) for path in PATH.findall(LINK.sub("]", text))}


def programs(text: str) -> set[str]:
    """The modules of the repository that a document starts, as paths."""
    return {PLACEHOLDER.sub("*", name).replace(".", "/") for name in PROGRAM.findall(text)}


def exists(path: str) -> bool:
    return any(ROOT.glob(path))


@every_document
def test_every_path_that_a_document_names_exists(document: Path) -> None:
    text = document.read_text("utf-8")
    assert sorted(path for path in paths(text) if not exists(path)) == []
    assert sorted(target for target in links(text) if not (document.parent / target).exists()) == []


@every_document
def test_every_program_that_a_document_starts_exists(document: Path) -> None:
    started = programs(document.read_text("utf-8"))
    assert sorted(path for path in started if not exists(f"{path}.py") and not exists(f"{path}/__main__.py")) == []


@every_document
def test_no_line_of_a_document_is_too_long(document: Path) -> None:
    lines = document.read_text("utf-8").splitlines()
    assert [number for number, line in enumerate(lines, 1) if len(line) > WIDTH] == []


def test_placeholders_stand_for_any_name_and_a_links_target_belongs_to_its_document() -> None:
    text = "`tests/a.py::test_b`, `docs/<name>.md`, docs/NNNN-title.md. [c](deploy/c.md#d), [e](#e)"
    text += ", `python -m shared.<f>`"
    assert paths(text) == {"tests/a.py", "docs/*.md", "docs/*-title.md"}
    assert links(text) == {"deploy/c.md"}
    assert programs(text) == {"shared/*"}
