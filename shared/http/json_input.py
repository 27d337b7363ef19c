"""Reads JSON from outside: strict, and nothing that a later step could not store or give back."""

import json
import re
from collections.abc import Iterator
from typing import Any

import orjson

from shared.http import problems

DEEPEST = 64
"""Levels of nesting; orjson writes 254 at most, so that deeper input could be taken but never answered."""

_SURROGATE = re.compile("[\ud800-\udfff]")


def read_json(body: bytes) -> Any:
    """The value of a JSON text in UTF-8. NaN and infinities are not JSON.

    Raises json.JSONDecodeError for what is not JSON, Problem 422 naming the field for NUL characters, lone surrogates
    and too much nesting.
    """
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        if "surrogate" in error.msg:
            _name_lone_surrogate(body)
        raise
    if b"\\u0000" in body:
        for pointer, text in _texts(value, ()):
            if "\x00" in text:
                raise problems.invalid(pointer, "must not contain NUL characters")
    if body.count(b"[") + body.count(b"{") > DEEPEST and _deeper(value, DEEPEST):
        raise problems.invalid("", f"is nested more than {DEEPEST} levels deep")
    return value


def _name_lone_surrogate(body: bytes) -> None:
    """orjson tells a position only; the standard library's parser lets them pass, so that the field can be found."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return
    for pointer, text in _texts(value, ()):
        if _SURROGATE.search(text):
            raise problems.invalid(_SURROGATE.sub("\ufffd", pointer), "must not contain lone surrogates")


def _texts(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[str, str]]:
    """Every text in a value, keys included, with its pointer; no recursion, for its depth is not yet known to be small."""
    waiting = [(path, value)]
    while waiting:
        at, part = waiting.pop()
        if isinstance(part, str):
            yield problems.pointer("body", *at), part
        elif isinstance(part, dict):
            for key, below in part.items():
                yield problems.pointer("body", *at, key), key
                waiting.append(((*at, key), below))
        elif isinstance(part, list):
            waiting.extend(((*at, index), below) for index, below in enumerate(part))


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
