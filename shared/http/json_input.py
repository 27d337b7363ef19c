"""Reads JSON input strictly: accepts only what can be stored and returned later."""

import json
import re
from typing import Any, NamedTuple

import orjson

from shared.http import problems
from shared.http.serving.limits import MOST_VALUES

DEEPEST = 64
"""Levels of nesting. orjson writes at most 254, so deeper input could never be returned."""

_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
"""Possessive quantifiers and the optional closing quote make it linear for any input."""
_NUL = re.compile("\x00")
_SURROGATE = re.compile("[\ud800-\udfff]")


def read_json(body: bytes, *, values: int | None = MOST_VALUES) -> Any:
    """The value of a JSON text in UTF-8. NaN and infinities are not JSON.

    Raises json.JSONDecodeError for what is not JSON, and Problem 422 for NUL characters, lone surrogates, deep nesting
    and more than `values` values. Values are counted before parsing, because many of them take much memory and time
    even in a short text.
    """
    if values is not None and _separators(body) > values and _separators(_STRING.sub(b"", body)) > values:
        raise problems.invalid("", f"The body has more than {values} values.")
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        if "surrogate" in error.msg:
            _name_lone_surrogate(body)
        raise
    if b"\\u0000" in body:
        _refuse(value, _NUL, "NUL characters are not allowed.")
    if body.count(b"[") + body.count(b"{") > DEEPEST and _deeper(value, DEEPEST):
        members = value if isinstance(value, dict) else {}
        where = [key for key, below in members.items() if _deeper(below, DEEPEST - 1)]
        raise problems.invalid(problems.pointer("body", *where[:1]), f"This is nested more than {DEEPEST} levels deep.")
    return value


def _separators(body: bytes) -> int:
    """Approximately the number of values in a JSON text without strings."""
    return body.count(b",") + body.count(b"[") + body.count(b"{")


def _name_lone_surrogate(body: bytes) -> None:
    """Raises Problem 422 with the field. orjson tells only a position; the standard library accepts surrogates."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return
    _refuse(value, _SURROGATE, "Lone surrogates are not allowed.")


def _refuse(value: Any, forbidden: re.Pattern[str], detail: str) -> None:
    """Raises Problem 422 for the first text or key in a value that has such a character.

    Does not recurse: the value may be deeply nested. Builds a pointer for the text that it finds only.
    """
    waiting: list[_Part] = [_Part(value)]
    while waiting:
        part = waiting.pop()
        if isinstance(part.value, str):
            if forbidden.search(part.value):
                raise problems.invalid(_SURROGATE.sub("\ufffd", part.pointer()), detail)
        elif isinstance(part.value, dict):
            for key, below in part.value.items():
                inside = _Part(below, part, key)
                if forbidden.search(key):
                    raise problems.invalid(_SURROGATE.sub("\ufffd", inside.pointer()), detail)
                waiting.append(inside)
        elif isinstance(part.value, list):
            waiting.extend(_Part(below, part, index) for index, below in enumerate(part.value))


class _Part(NamedTuple):
    """A part of a value, and its path."""

    value: Any
    above: "_Part | None" = None
    key: str | int = ""

    def pointer(self) -> str:
        keys: list[str | int] = []
        part = self
        while part.above is not None:
            keys.append(part.key)
            part = part.above
        return problems.pointer("body", *reversed(keys))


def _deeper(value: Any, levels: int) -> bool:
    layer = [value]
    for _ in range(levels + 1):
        layer = [
            below
            for part in layer
            if isinstance(part, (dict, list))
            for below in (part.values() if isinstance(part, dict) else part)
        ]
        if not layer:
            return False
    return True
