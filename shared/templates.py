"""Templates that administrators write, such as salutations and signatures; their values are strings.

A template can show values and choose between texts. It has no loops, calls, macros or arithmetic, so that it cannot run
for long or access anything else. An invalid template is shown with its error; it never stops a mail.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from jinja2 import ChainableUndefined, Template, TemplateError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

Variables = Mapping[str, Mapping[str, str]]
"""Noun -> field -> value, such as `customer.name`."""

LONGEST_SOURCE = 50_000
LONGEST_RESULT = 20_000
"""Characters. Together with the text of an article, a mail stays far below the maximum size of an event."""

ALLOWED_FILTERS = frozenset(("capitalize", "default", "lower", "title", "trim", "upper"))
_ALLOWED = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.CondExpr, nodes.Name, nodes.Getattr, nodes.Const,
    nodes.Filter, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.Keyword,
)  # fmt: skip
_NAMES = {
    nodes.For: "loops",
    nodes.Call: "calls",
    nodes.Macro: "macros",
    nodes.Assign: "assignments",
    nodes.Include: "includes",
}


class Unknown(ChainableUndefined):
    """An unknown variable: false in a condition, `[unknown: ...]` where it is shown."""

    def __str__(self) -> str:
        return f"[unknown: {self._undefined_name}]"

    def __html__(self) -> str:
        return str(self)

    def __getattr__(self, name: str) -> "Unknown":
        if name.startswith("__"):
            raise AttributeError(name)
        return self.field(name)

    def field(self, name: str) -> "Unknown":
        return Unknown(name=f"{self._undefined_name}.{name}")


class _Noun:
    """The fields of one noun. It is not a dictionary because templates must not see a dictionary's methods."""

    __slots__ = ("fields", "noun")

    def __init__(self, noun: str, fields: Mapping[str, str]) -> None:
        self.noun, self.fields = noun, fields

    def __str__(self) -> str:
        return f"[unknown: {self.noun}]"


class _Environment(ImmutableSandboxedEnvironment):
    def getattr(self, obj: Any, attribute: str) -> Any:
        match obj:
            case _Noun():
                value = obj.fields.get(attribute)
                return Unknown(name=f"{obj.noun}.{attribute}") if value is None else value
            case Unknown():
                return obj.field(attribute)
            case _:
                return Unknown(name=attribute)


_environment = _Environment(undefined=Unknown, keep_trailing_newline=True, autoescape=False)
_environment.globals.clear()


class _Unusable(Exception):
    """Why a template is invalid, in words that its writer understands."""


def render(source: str, variables: Variables) -> str:
    """The rendered template. An invalid one is returned as it was written, below a line that says why."""
    compiled = _compiled(source)
    if isinstance(compiled, str):
        return compiled
    try:
        return compiled.render({noun: _Noun(noun, fields) for noun, fields in variables.items()})[:LONGEST_RESULT]
    except Exception as error:  # a mistake of the writer's, such as comparing a text with a number
        return _marked(source, type(error).__name__)


@lru_cache(maxsize=1024)
def _compiled(source: str) -> Template | str:
    try:
        if len(source) > LONGEST_SOURCE:
            raise _Unusable(f"it is longer than {LONGEST_SOURCE} characters")
        tree = _environment.parse(source)
        _check(tree)
        return _environment.from_string(tree)
    except _Unusable as error:
        return _marked(source, str(error))
    except TemplateError as error:
        return _marked(source, error.message or type(error).__name__)
    except (RecursionError, MemoryError, SyntaxError, ValueError, OverflowError):
        return _marked(source, "it is too deeply nested")


def fault(source: str) -> str:
    """Why a template is invalid; empty if it is valid."""
    compiled = _compiled(source)
    return compiled.partition("]")[0].removeprefix("[template not usable: ") if isinstance(compiled, str) else ""


def _check(tree: nodes.Template) -> None:
    """Raises _Unusable for anything that is not allowed. Nothing of the template has been evaluated yet."""
    for node in _all(tree):
        if not isinstance(node, _ALLOWED):
            what = next((name for kind, name in _NAMES.items() if isinstance(node, kind)), type(node).__name__.lower())
            raise _Unusable(f"{what} are not allowed" if what in _NAMES.values() else f"{what} is not allowed")
        if isinstance(node, nodes.Name) and node.name == "self":
            raise _Unusable("self is not a variable")  # to Jinja2 it is the template
        if isinstance(node, nodes.Filter) and node.name not in ALLOWED_FILTERS:
            raise _Unusable(f"there is no filter {node.name}")


def _all(tree: nodes.Node) -> Iterator[nodes.Node]:
    pending = [tree]
    while pending:
        node = pending.pop()
        yield node
        pending.extend(node.iter_child_nodes())


def _marked(source: str, reason: str) -> str:
    return f"[template not usable: {reason}]\n{source}"[:LONGEST_RESULT]
