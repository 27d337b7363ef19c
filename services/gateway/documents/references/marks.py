"""Reads the marks of a declaration: the `Annotated` metadata of fields and of the types within them."""

from types import NoneType, UnionType
from typing import Annotated, Any, NamedTuple, TypeGuard, TypeVar, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from shared.contracts.marks.declaration import DocumentPart

M = TypeVar("M")


class Marked(NamedTuple):
    """A type and the marks on it."""

    annotation: Any
    marks: tuple[Any, ...]

    def find(self, kind: type[M]) -> M | None:
        return next((mark for mark in self.marks if isinstance(mark, kind)), None)


def marked(annotation: Any) -> Marked:
    """A type within a field, such as the items of a list."""
    if get_origin(annotation) is Annotated:
        inner, *marks = get_args(annotation)
        return Marked(inner, tuple(marks))
    return Marked(annotation, ())


def marked_field(field: FieldInfo) -> Marked:
    return Marked(field.annotation, tuple(field.metadata))


def is_part(annotation: Any) -> TypeGuard[type[DocumentPart]]:
    return isinstance(annotation, type) and issubclass(annotation, DocumentPart)


def items_of(annotation: Any) -> Any:
    """The type of the items of a list, or of a tuple of any length; None for other types."""
    return get_args(annotation)[0] if get_origin(annotation) in (tuple, list) else None


def alternatives(annotation: Any) -> tuple[Any, ...]:
    """The types of a union; none for other types."""
    return get_args(annotation) if get_origin(annotation) in (Union, UnionType) else ()


def not_null(annotation: Any) -> Any:
    """X for `X | None`; other types as they are."""
    others = [each for each in alternatives(annotation) if each is not NoneType]
    return others[0] if len(others) == 1 else annotation
