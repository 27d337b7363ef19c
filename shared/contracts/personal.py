"""Marks fields that hold personal data.

`Personal[str]` reads as `str`; the mark is what erasure will look for, so nothing unmarked may hold personal data
(architecture, section 2).
"""

from typing import Annotated, TypeVar


class PersonalData:
    """The mark itself, found in a field's metadata."""

    def __repr__(self) -> str:
        return "PersonalData()"


T = TypeVar("T")
Personal = Annotated[T, PersonalData()]
