"""Which other documents a document names."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from services.gateway import document_rows
from services.gateway.documents.references.marks import Marked, is_part, items_of, marked, marked_field, not_null
from services.gateway.documents.references.rule_parts import SHOWN
from shared.automation.parts import FieldName, FieldValues, OrWord, Part
from shared.contracts.directory import Macro, Queue, Sla, Topic, Trigger
from shared.contracts.marks.declaration import Document, DocumentKind, MayName, ReferenceTo
from shared.database import Connection

BINDING: tuple[type[Document], ...] = (Queue, Topic, Sla, Trigger, Macro)
"""What these name cannot be retired. Lists such as the queues of a template just become shorter. People may always
leave."""

Name = tuple[DocumentKind, str]
"""The kind of a document and its slug; of a person: the id."""

_RULE_KINDS: tuple[DocumentKind, ...] = ("queue", "state", "company", "topic", "calendar", "field", "template")
"""What conditions and actions can name, besides people."""

_ADAPTERS: Mapping[type[Document], Mapping[str, TypeAdapter[Any]]] = {
    model: {field: TypeAdapter(annotation) for field, annotation in typed.items()} for model, typed in SHOWN.items()
}


def names_in(document: Document) -> set[Name]:
    """The documents that a document names, without people."""
    found = set[Name]()
    typed = SHOWN.get(type(document), {})
    for field, info in type(document).model_fields.items():
        value = getattr(document, field)
        if field in typed:
            found.update(_of_rule(type(document), field, value))
        else:
            found.update(_of_value(marked_field(info), value))
    return found


async def named_by(connection: Connection, document: Document) -> Mapping[DocumentKind, Sequence[str]]:
    """The documents in use that keep this one from being retired, because they name it: up to ten slugs of each kind."""
    found: dict[DocumentKind, list[str]] = {}
    kinds = may_name(document.KIND)
    for row in await document_rows.mentioning(connection, document, kinds) if kinds else ():
        if (document.KIND, document.url_name) in names_in(row.document):
            found.setdefault(row.document.KIND, []).append(row.document.url_name)
    return {kind: slugs[:10] for kind, slugs in found.items()}


def may_name(kind: DocumentKind) -> list[DocumentKind]:
    """The kinds of documents that can keep one of this kind from being retired."""
    return [model.KIND for model in BINDING if kind in _kinds_named(model)]


@cache
def _kinds_named(model: type[Document]) -> frozenset[DocumentKind]:
    """The kinds that such a document can name."""
    kinds = set[DocumentKind]()
    for info in model.model_fields.values():
        kinds.update(_kinds(marked_field(info)))
    if model in SHOWN:
        kinds.update(_RULE_KINDS)
    return frozenset(kinds)


def _kinds(value: Marked) -> Iterator[DocumentKind]:
    inner = marked(not_null(value.annotation))
    reference = _reference(value)
    if reference is not None:
        yield reference.kind
    elif is_part(inner.annotation):
        for info in inner.annotation.model_fields.values():
            yield from _kinds(marked_field(info))
    elif (item := items_of(inner.annotation)) is not None:
        yield from _kinds(marked(item))


def _reference(value: Marked) -> ReferenceTo | MayName | None:
    inner = marked(not_null(value.annotation))
    return value.find(ReferenceTo) or inner.find(ReferenceTo) or value.find(MayName)


def _of_rule(model: type[Document], field: str, value: Any) -> Iterator[Name]:
    try:
        parts = _ADAPTERS[model][field].validate_python(value)
    except ValidationError:  # of a later version: each of its texts may be a name
        for text in _texts(value):
            for kind in _RULE_KINDS:
                yield kind, text.removeprefix(FieldName.PREFIX)
        return
    yield from _of_value(Marked(None, ()), parts)


def _of_value(mark: Marked, value: Any) -> Iterator[Name]:
    inner = marked(not_null(mark.annotation))
    reference = _reference(mark)
    words = mark.find(OrWord) or inner.find(OrWord)
    if reference is not None:
        is_word = words is not None and value in words.words
        if reference.kind != "person" and isinstance(value, str) and not is_word:
            yield reference.kind, value
    elif mark.find(FieldName) is not None:
        yield "field", str(value).removeprefix(FieldName.PREFIX)
    elif mark.find(FieldValues) is not None:
        for slug in value:
            yield "field", slug
    elif isinstance(value, BaseModel):
        for field, info in type(value).model_fields.items():
            if not isinstance(value, Part) or field in value.model_fields_set:
                yield from _of_value(marked_field(info), getattr(value, field))
    elif isinstance(value, list | tuple):
        item = items_of(inner.annotation)
        for each in value:
            yield from _of_value(marked(item), each)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, below in value.items():
            yield name
            yield from _texts(below)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)
