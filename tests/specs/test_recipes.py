"""The recipes of CONTRIBUTING.md are complete: an example of each stands in the files that its recipe lists, in no others."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CODE = ("services", "shared", "deploy")
PATH = re.compile(r"`((?:services|shared|deploy|tests)/[\w/.<>]+)`")


@dataclass(frozen=True, slots=True)
class Recipe:
    """`steps`: the files of the numbered list; `cases`: those that only some changes touch. Both may have `<name>`.

    The first of the example's `words` stands in these files only. The others may have readers elsewhere.
    """

    title: str
    words: tuple[str, ...]
    steps: tuple[str, ...]
    cases: tuple[str, ...]

    def __str__(self) -> str:
        return self.title


def recipes() -> list[Recipe]:
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8").partition("## Recipes\n")[2].partition("\n## ")[0]
    found = []
    for section in text.split("### ")[1:]:
        title, _, body = section.partition("\n")
        example = re.search(r"^Example: (.+)\.$", body, re.MULTILINE)
        assert example is not None, f"the recipe {title!r} has no example"
        steps = [path for step in re.findall(r"^\d\. (.+)", body, re.MULTILINE) for path in PATH.findall(step)]
        cases = [path for path in PATH.findall(body) if path not in steps]
        found.append(Recipe(title, tuple(re.findall(r"`([^`]+)`", example[1])), tuple(steps), tuple(cases)))
    return found


@cache
def code() -> dict[str, str]:
    """Path -> text of every module that is written by hand."""
    modules = [path for folder in CODE for path in sorted((ROOT / folder).rglob("*.py"))]
    return {str(path.relative_to(ROOT)): path.read_text("utf-8") for path in modules}


def files(patterns: tuple[str, ...]) -> set[str]:
    return {str(path.relative_to(ROOT)) for pattern in patterns for path in ROOT.glob(re.sub(r"<\w+>", "*", pattern))}


def mentions(word: str) -> set[str]:
    whole = re.compile(rf"(?<!\w){re.escape(word)}(?!\w)")
    return {path for path, text in code().items() if whole.search(text)}


@pytest.mark.parametrize("recipe", recipes(), ids=str)
def test_an_example_stands_in_the_files_of_its_recipe_only(recipe: Recipe) -> None:
    elsewhere = mentions(recipe.words[0]) - files(recipe.steps + recipe.cases)
    assert sorted(elsewhere) == [], f"{recipe.words[0]} stands in files that its recipe does not list"


@pytest.mark.parametrize("recipe", recipes(), ids=str)
def test_every_file_of_a_recipe_is_part_of_its_example(recipe: Recipe) -> None:
    mentioning = set().union(*map(mentions, recipe.words))
    for step in recipe.steps:
        if not step.startswith("tests/"):
            assert files((step,)) & mentioning, f"{step} is listed, and the example does not need it"


@pytest.mark.parametrize(
    ("title", "most"),
    [
        ("A setting of a queue", 2),
        ("A column of the ticket list, with a filter", 3),
        ("A notice to the owner of a ticket", 3),
        ("An event with its command", 6),
    ],
)
def test_a_usual_change_stays_small(title: str, most: int) -> None:
    found = {recipe.title: recipe for recipe in recipes()}
    assert title in found, f"there is no recipe {title!r}: has its heading changed?"
    assert len(found[title].steps) <= most
