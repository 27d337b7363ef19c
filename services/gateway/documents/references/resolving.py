"""Makes the document that a request asks for, with the other documents that it names looked up (decision record
0095)."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from services.gateway import document_rows
from services.gateway.documents.draft import Draft
from services.gateway.documents.references.marks import Marked, is_part, items_of, marked, marked_field, not_null
from services.gateway.documents.references.rule_parts import TAKEN
from shared import fields
from shared.addresses import canonical
from shared.automation.parts import CustomerOrAddress, FieldName, FieldValues, OrWord, Part
from shared.contracts.directory import TicketField
from shared.contracts.marks.declaration import Document, DocumentPart, Named, PersonOrAddress, ReadOnly, ReferenceTo
from shared.contracts.marks.open_values import Known
from shared.database import Connection
from shared.http.problems import FieldError, pointer
from shared.input_types import is_id
from shared.rules.refusals import Invalid
from shared.timestamps import timestamp

D = TypeVar("D", bound=Document)


async def document_from(
    draft: Draft, model: type[D], document_id: UUID, was: D | None, connection: Connection
) -> tuple[D, list[FieldError]]:
    """The document, and what is wrong with names in it. Read-only fields stay as they were."""
    references = _References(connection, was)
    typed = TAKEN.get(model, {})
    sent, values = draft.model_dump(exclude=set(typed)), dict[str, Any](id=document_id)
    for name, info in model.model_fields.items():
        field = marked_field(info)
        if name == "id":
            continue
        if (read_only := field.find(ReadOnly)) is not None:
            if was is not None and not read_only.until_saved:
                values[name] = getattr(was, name)
            continue
        if name in typed:
            values[name] = await references.in_rule(Marked(None, ()), getattr(draft, name), f"/{name}")
            continue
        found = await references.resolved(field, sent[name], f"/{name}")
        values[name] = sent[name] if found is None else found
    wanted = model.model_validate(values)
    if isinstance(was, Named) and was.url_name != wanted.url_name:
        references.errors.insert(0, FieldError("/slug", "A slug cannot change: tickets and documents refer to it."))
    return wanted, references.errors


def without_repeats(document: D) -> D:
    """The document with each value once in its lists, except actions; to be called after the checks, whose errors count
    the values as they were sent."""
    actions = TAKEN.get(type(document), {})
    return document.model_copy(
        update={
            name: tuple(dict.fromkeys(value))
            for name, value in document
            if isinstance(value, tuple) and name not in actions
        }
    )


class _References:
    """Replaces references by slugs or ids. None stands for what could not be resolved."""

    def __init__(self, connection: Connection, was: Document | None) -> None:
        self.connection = connection
        self.errors: list[FieldError] = []
        self._named_before = set(map(str, _leaves(was.model_dump()))) if was is not None else set()

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
        if row is not None and (not row.retired or (reference.keeps_retired and str(row.id) in self._named_before)):
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

    async def in_rule(self, mark: Marked, value: Any, at: str) -> Any:
        """A part of a rule as documents hold it: what was sent, with the names in it replaced."""
        if value is None:
            return None
        inner = marked(not_null(mark.annotation))
        reference = mark.find(ReferenceTo) or inner.find(ReferenceTo)
        words = mark.find(OrWord) or inner.find(OrWord)
        if words is not None and value in words.words:
            return value
        if isinstance(value, Part):
            return {
                name: await self.in_rule(marked_field(info), getattr(value, field), f"{at}/{name}")
                for field, info in type(value).model_fields.items()
                if field in value.model_fields_set
                for name in [info.alias or field]
            }
        if isinstance(value, list):
            item = marked(items_of(inner.annotation))
            return [await self.in_rule(item, each, f"{at}/{n}") for n, each in enumerate(value)]
        if reference is not None:
            row = await self._found(reference, value, at)
            return row and (str(row.id) if reference.kind == "person" else row.document.url_name)
        if mark.find(PersonOrAddress) is not None:
            return await self._person_or_address(value, at)
        if mark.find(CustomerOrAddress) is not None:
            return await self._customer(value, at)
        if mark.find(FieldName) is not None:
            await self._found(ReferenceTo("field"), value.removeprefix(FieldName.PREFIX), at)
        elif mark.find(FieldValues) is not None:
            await self._field_values(value, at)
        return timestamp(value) if isinstance(value, datetime) else value

    async def _customer(self, sent: str, at: str) -> str | None:
        """The id of a person; of others the address or id, because the gateway does not know them."""
        row = await document_rows.find(self.connection, "person", sent)
        if row is not None:
            return str(row.id)
        if is_id(sent):
            return str(UUID(sent))
        address = canonical(sent)
        if address is None:
            self.errors.append(FieldError(at, "No such person, and not an e-mail address."))
        return address

    async def _field_values(self, values: Mapping[str, Any], at: str) -> None:
        for slug, value in values.items():
            where = at + pointer("body", slug)
            row = await self._found(ReferenceTo("field"), slug, where)
            if row is None or not isinstance(row.document, TicketField):
                continue
            try:
                fields.checked({slug: value}, {slug: row.document})
            except Invalid as wrong:
                self.errors.append(FieldError(where, wrong.detail))

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
    elif isinstance(value, tuple | list):
        for each in value:
            yield from _leaves(each)
    else:
        yield value
