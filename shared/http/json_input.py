"""Reads JSON from outside: strict, and nothing that a later step could not store or give back."""

import json
import re
from typing import Any, NamedTuple

import orjson

from shared.http import problems
from shared.http.serving.limits import MOST_VALUES

DEEPEST = 64
"""Levels of nesting; orjson writes 254 at most, so that deeper input could be taken but never answered."""

_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
"""Possessive, and content with a text that does not end: linear in whatever is sent."""
_NUL = re.compile("\x00")
_SURROGATE = re.compile("[\ud800-\udfff]")


def read_json(body: bytes, *, values: int | None = MOST_VALUES) -> Any:
    """The value of a JSON text in UTF-8. NaN and infinities are not JSON.

    Raises json.JSONDecodeError for what is not JSON, Problem 422 naming the field for NUL characters, lone surrogates,
    too much nesting and more than so many `values`: those take memory and time however short the text is, so that they are
    counted before anything is made of it.
    """
    if values is not None and _separators(body) > values and _separators(_STRING.sub(b"", body)) > values:
        raise problems.invalid("", f"holds more than {values} values")
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        if "surrogate" in error.msg:
            _name_lone_surrogate(body)
        raise
    if b"\\u0000" in body:
        _refuse(value, _NUL, "must not contain NUL characters")
    if body.count(b"[") + body.count(b"{") > DEEPEST and _deeper(value, DEEPEST):
        raise problems.invalid("", f"is nested more than {DEEPEST} levels deep")
    return value


def _separators(body: bytes) -> int:
    """About the number of values in a JSON text without strings."""
    return body.count(b",") + body.count(b"[") + body.count(b"{")


def _name_lone_surrogate(body: bytes) -> None:
    """orjson tells a position only; the standard library's parser lets them pass, so that the field can be found."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return
    _refuse(value, _SURROGATE, "must not contain lone surrogates")


def _refuse(value: Any, forbidden: re.Pattern[str], detail: str) -> None:
    """Raises Problem 422 for the first text in a value, keys included, that has such a character. Pointers are made for that one
    alone; no recursion, for the value's depth is not yet known to be small."""
    waiting: list[_Place] = [_Place(value)]
    while waiting:
        place = waiting.pop()
        if isinstance(place.value, str):
            if forbidden.search(place.value):
                raise problems.invalid(_SURROGATE.sub("\ufffd", place.pointer()), detail)
        elif isinstance(place.value, dict):
            for key, below in place.value.items():
                inside = _Place(below, place, key)
                if forbidden.search(key):
                    raise problems.invalid(_SURROGATE.sub("\ufffd", inside.pointer()), detail)
                waiting.append(inside)
        elif isinstance(place.value, list):
            waiting.extend(_Place(below, place, index) for index, below in enumerate(place.value))


class _Place(NamedTuple):
    """A part of a value, and the way to it."""

    value: Any
    above: "_Place | None" = None
    key: str | int = ""

    def pointer(self) -> str:
        keys: list[str | int] = []
        place = self
        while place.above is not None:
            keys.append(place.key)
            place = place.above
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
