"""Makes the document that a request asks for, with the other documents that it names looked up (decision record
0095)."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar
from uuid import UUID

from services.gateway import document_rows
from services.gateway.documents.draft import Draft
from services.gateway.documents.marks import Marked, is_part, items_of, marked, marked_field, not_null
from shared.addresses import canonical
from shared.contracts.marks.declaration import Document, DocumentPart, Named, PersonOrAddress, ReadOnly, ReferenceTo
from shared.contracts.marks.open_values import Known
from shared.database import Connection
from shared.http.problems import FieldError

D = TypeVar("D", bound=Document)


async def document_from(
    draft: Draft, model: type[D], document_id: UUID, was: D | None, connection: Connection
) -> tuple[D, list[FieldError]]:
    """The document, and what is wrong with names in it. Read-only fields stay as they were."""
    references = _References(connection, was)
    sent, values = draft.model_dump(), dict[str, Any](id=document_id)
    for name, info in model.model_fields.items():
        field = marked_field(info)
        if name == "id":
            continue
        if field.find(ReadOnly) is not None:
            if was is not None:
                values[name] = getattr(was, name)
            continue
        found = await references.resolved(field, sent[name], f"/{name}")
        values[name] = sent[name] if found is None else found
    wanted = model.model_validate(values)
    if isinstance(was, Named) and was.url_name != wanted.url_name:
        references.errors.insert(0, FieldError("/slug", "A slug cannot change: tickets and documents refer to it."))
    return wanted, references.errors


def without_repeats(document: D) -> D:
    """The document with each value once in its lists; to be called after the checks, whose errors count the values as
    they were sent."""
    return document.model_copy(
        update={name: tuple(dict.fromkeys(value)) for name, value in document if isinstance(value, tuple)}
    )


class _References:
    """Replaces references by slugs or ids. None stands for what could not be resolved."""

    def __init__(self, connection: Connection, was: Document | None) -> None:
        self.connection = connection
        self.errors: list[FieldError] = []
        self._named_before = set(_leaves(was.model_dump())) if was is not None else set()

    async def resolved(self, value: Marked, sent: Any, at: str) -> Any:
        if sent is None:
            return None
        inner = marked(not_null(value.annotation))
        reference = value.find(ReferenceTo) or inner.find(ReferenceTo)
        if reference is not None:
            row = await self._found(reference, sent, at)
            return row and (row.id if inner.annotation is UUID else row.document.url_name)
        if value.find(PersonOrAddress) is not None:
            return await self._person_or_address(sent, at)
        if is_part(inner.annotation):
            return await self._part(inner.annotation, sent, at)
        item = items_of(inner.annotation)
        return sent if item is None else await self._items(marked(item), sent, at)

    async def _found(self, reference: ReferenceTo, sent: str, at: str) -> document_rows.Row | None:
        row = await document_rows.find(self.connection, reference.kind, sent)
        if row is not None and (not row.retired or (reference.keeps_retired and row.id in self._named_before)):
            return row
        self.errors.append(FieldError(at, f"No such {reference.kind}."))
        return None

    async def _person_or_address(self, sent: str, at: str) -> str | None:
        if "@" in sent:
            address = canonical(sent)
            if address is None:
                self.errors.append(FieldError(at, "This is not a valid e-mail address."))
            return address
        row = await document_rows.find(self.connection, "person", sent)
        if row is not None and (not row.retired or str(row.id) in self._named_before):
            return str(row.id)
        self.errors.append(FieldError(at, "No such person, and not an e-mail address."))
        return None

    async def _part(self, model: type[DocumentPart], sent: Mapping[str, Any], at: str) -> dict[str, Any] | None:
        fields = model.model_fields.items()
        part = {name: await self.resolved(marked_field(info), sent[name], f"{at}/{name}") for name, info in fields}
        return part if all(part[name] is not None or sent[name] is None for name in part) else None

    async def _items(self, item: Marked, sent: Sequence[Any], at: str) -> Sequence[Any]:
        known = item.find(Known)
        if known is not None:
            return [value for value in known.values if value in sent]
        resolved = [(n, await self.resolved(item, each, f"{at}/{n}")) for n, each in enumerate(sent)]
        found = [(n, each) for n, each in resolved if each is not None]
        if not is_part(item.annotation):
            return [each for _, each in found]
        names = [name for name, info in item.annotation.model_fields.items() if marked_field(info).find(ReferenceTo)]
        for name in names:
            before: set[Any] = set()
            for n, each in found:
                if each[name] in before:
                    self.errors.append(FieldError(f"{at}/{n}/{name}", "This is in the list twice."))
                before.add(each[name])
        return [each for _, each in found]


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for each in value.values():
            yield from _leaves(each)
    elif isinstance(value, tuple):
        for each in value:
            yield from _leaves(each)
    else:
        yield value
