"""Derives the request and answer models of a document from its declaration (decision record 0095)."""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from functools import cache
from typing import Annotated, Any, Literal, Union

from pydantic import Field, create_model
from pydantic.fields import FieldInfo

from services.gateway.documents.draft import Draft
from services.gateway.documents.references import rule_parts
from services.gateway.documents.references.marks import (
    Marked,
    alternatives,
    is_part,
    items_of,
    marked,
    marked_field,
    not_null,
)
from shared.contracts.marks.declaration import (
    Document,
    DocumentPart,
    Input,
    PersonOrAddress,
    ReadOnly,
    ReferenceTo,
    Shown,
)
from shared.contracts.marks.open_values import Known
from shared.http import story
from shared.http.bodies import Body
from shared.input_types import Flag, Line, Reference, Whole


class About(Body):
    """What an answer adds to a document."""

    version: Annotated[int, Field(examples=[3])]
    retired: Annotated[bool, Field(examples=[False])]
    created_at: Annotated[datetime, Field(examples=[story.OPENED_AT])]
    updated_at: Annotated[datetime, Field(examples=[story.ANSWERED_AT])]


_STRICT: dict[Any, Any] = {bool: Flag, int: Whole, str: Line}
_NAMED_BY = {"person": "By login, id or e-mail address."}


def draft_model(model: type[Document], name: str, base: type[Draft] = Draft) -> type[Draft]:
    """The body of a request that saves such a document."""
    typed = rule_parts.TAKEN.get(model, {})
    fields: dict[str, Any] = {
        field: (typed[field], Field(description=info.description)) if field in typed else _draft_field(info)
        for field, info in model.model_fields.items()
        if field != "id"
    }
    return create_model(name, __base__=base, __doc__=model.__doc__, **fields)


def body_model(model: type[Document], name: str, only: Collection[str]) -> type[Body]:
    """The body of a request that brings these fields of such a document."""
    fields: dict[str, Any] = {field: _draft_field(model.model_fields[field]) for field in only}
    return create_model(name, __base__=Body, __doc__=model.__doc__, **fields)


def shown_model(
    model: type[Document],
    name: str,
    *,
    always: Collection[str] = (),
    example: Mapping[str, Any] | None = None,
    more: Mapping[str, tuple[Any, Any]] | None = None,
) -> type[Body]:
    """The answer that shows such a document.

    `always`: the fields that everybody sees, if there are others that not everybody sees. `example`: values of the
    fields in the example of the API's description; the others have their defaults there. `more`: fields that are not
    of the document, with type and description.
    """
    examples = {"id": story.DOCUMENT, **_defaults(model), **(example or {})}
    fields: dict[str, Any] = {}
    for field, info in [*model.model_fields.items(), *About.model_fields.items()]:
        shown = rule_parts.SHOWN.get(model, {}).get(field) or _shown(marked_field(info))
        described: dict[str, Any] = {
            "description": info.description,
            "examples": [examples[field]] if field in examples else info.examples,
        }
        if always and field not in always:
            fields[field] = (shown | None, Field(default=None, **described))
        else:
            fields[field] = (shown, Field(**described))
    fields |= more or {}
    return create_model(name, __base__=Body, __doc__=model.__doc__, **fields)


def _defaults(model: type[Document]) -> dict[str, Any]:
    """The defaults of the fields as JSON has them."""
    return {
        field: list(info.default) if isinstance(info.default, tuple) else info.default
        for field, info in model.model_fields.items()
        if not info.is_required()
    }


def _draft_field(info: FieldInfo) -> tuple[Any, Any]:
    field = marked_field(info)
    taken = _taken(field)
    read_only = field.find(ReadOnly)
    if read_only is not None:
        description = f"Ignored; use {read_only.instead}."
        return taken | None, Field(default=None, description=description, json_schema_extra={"readOnly": True})
    reference = _reference(field)
    named_by = _NAMED_BY.get(reference.kind, "By slug or id.") if reference else None
    description = " ".join(filter(None, (info.description, named_by)))
    return taken, _with_default(field, info, description or None)


def _with_default(field: Marked, info: FieldInfo, description: str | None) -> Any:
    mark = field.find(Input) or Input()
    if mark.default is not None:
        return Field(default=mark.default, description=description)
    if mark.required or info.is_required():
        return Field(description=description)
    if info.default == ():
        return Field(default_factory=list, description=description)
    return Field(default=info.default, description=description)


def _reference(field: Marked) -> ReferenceTo | None:
    """The document's kind that a field, or each of its items, refers to."""
    inner = marked(items_of(field.annotation) or not_null(field.annotation))
    return field.find(ReferenceTo) or inner.find(ReferenceTo)


def _taken(value: Marked) -> Any:
    """The type that the API takes for a value."""
    mark, known = value.find(Input), value.find(Known)
    if value.find(ReferenceTo) is not None or value.find(PersonOrAddress) is not None:
        taken: Any = Reference
    elif mark is not None and mark.taken is not None:
        taken = _mapped(mark.taken, _taken, _draft_part)
    elif known is not None:
        taken = Literal[known.values]
    else:
        taken = _mapped(value.annotation, _taken, _draft_part)
        taken = _STRICT.get(taken, taken)
    return Annotated[taken, Field(**mark.constraints)] if mark is not None and mark.constraints else taken


def _shown(value: Marked) -> Any:
    """The type that the API shows for a value."""
    mark = value.find(Shown)
    return _mapped(value.annotation if mark is None else mark.shown, _shown, _shown_part)


def _mapped(annotation: Any, inner: Callable[[Marked], Any], part: Callable[[type[DocumentPart]], type[Body]]) -> Any:
    """The type as JSON has it: tuples as lists, parts of a document as models of their own."""
    if is_part(annotation):
        return part(annotation)
    items = items_of(annotation)
    if items is not None:
        return list[inner(marked(items))]  # type: ignore[misc]
    if choices := alternatives(annotation):
        return Union[tuple(inner(marked(choice)) for choice in choices)]  # noqa: UP007
    return annotation


@cache
def _draft_part(model: type[DocumentPart]) -> type[Body]:
    fields: dict[str, Any] = {field: _draft_field(info) for field, info in model.model_fields.items()}
    return create_model(f"{model.__name__}Draft", __base__=Body, __doc__=model.__doc__, **fields)


@cache
def _shown_part(model: type[DocumentPart]) -> type[Body]:
    fields: dict[str, Any] = {
        field: (_shown(marked_field(info)), Field(description=info.description))
        for field, info in model.model_fields.items()
    }
    return create_model(f"{model.__name__}Shown", __base__=Body, __doc__=model.__doc__, **fields)
