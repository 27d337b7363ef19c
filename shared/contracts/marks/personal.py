"""Marks fields that hold personal data.

`Personal[str]` behaves as `str`. Erasure will look for the mark, so an unmarked field must not hold personal data.
"""

from typing import Annotated, TypeVar


class PersonalData:
    """The mark in a field's metadata."""

    def __repr__(self) -> str:
        return "PersonalData()"


T = TypeVar("T")
Personal = Annotated[T, PersonalData()]
