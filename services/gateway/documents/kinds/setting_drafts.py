"""The smaller documents as they are sent in: states, priorities, standard answers, salutations, signatures, fields, topics."""

from typing import Annotated, ClassVar, Literal, TypeVar
from uuid import UUID

from pydantic import Field

from services.gateway.documents import rows
from services.gateway.documents.drafts import Draft
from services.gateway.documents.names import Reference, Slug, Title
from shared import templates
from shared.contracts.directory import (
    AskedField,
    Priority,
    Queue,
    Salutation,
    Setting,
    Signature,
    State,
    Template,
    TicketField,
    Topic,
)
from shared.contracts.parts import StateType
from shared.database import Connection
from shared.http.bodies import Body, Flag, Line, Text, Whole
from shared.http.problems import FieldError, invalid_fields
from shared.rules.states import STANDARD

FOR_FORMS: frozenset[StateType] = frozenset(("open", "pending_reminder", "pending_auto_close", "closed"))
"""The types of states that an agent can choose; the others are the system's own."""
LONGEST_TEMPLATE = 100_000
S = TypeVar("S", bound=Setting)


class SettingDraft(Draft):
    """What the smaller documents share. `slug` names one for ever, because tickets, queues and templates name it; `name` may change."""

    slug: Slug
    name: Title

    def _kept(self, model: type[S], current: rows.Row | None, errors: list[FieldError]) -> S | None:
        """The document as it was."""
        was = current.document if current is not None else None
        if not isinstance(was, model):
            return None
        if was.slug != self.slug:
            errors.append(FieldError("/slug", "stays as it is, because tickets and other settings name it"))
        return was


class StateDraft(SettingDraft):
    """A state of tickets (A5.01). The rules look at its type alone, which therefore stays."""

    type: StateType
    close_after_hours: Annotated[
        float | None,
        Field(
            strict=True,
            gt=0,
            le=87_660,
            allow_inf_nan=False,
            description="how long a pending state waits by itself; null: 24",
        ),
    ] = None

    async def document(self, connection: Connection, document_id: UUID, current: rows.Row | None) -> State:
        errors: list[FieldError] = []
        was = self._kept(State, current, errors)
        if was is not None and was.type != self.type:
            errors.append(FieldError("/type", "stays as it is, because tickets are in this state"))
        standard = STANDARD.get(self.slug)
        if was is None and self.type not in FOR_FORMS and (standard is None or standard.type != self.type):
            errors.append(FieldError("/type", f"must be one of {', '.join(sorted(FOR_FORMS))}"))
        if self.close_after_hours is not None and not self.type.startswith("pending"):
            errors.append(FieldError("/close_after_hours", "belongs to a pending state"))
        if errors:
            raise invalid_fields(errors)
        return State(
            id=document_id, slug=self.slug, name=self.name, type=self.type, close_after_hours=self.close_after_hours
        )


class PriorityDraft(SettingDraft):
    """One of the five priorities (A4.02); its slug is its number."""

    number: Annotated[Whole, Field(ge=1, le=5)]
    offered_to_customers: Flag = True

    async def document(self, connection: Connection, document_id: UUID, current: rows.Row | None) -> Priority:
        errors: list[FieldError] = []
        self._kept(Priority, current, errors)
        if self.slug != str(self.number):
            errors.append(FieldError("/slug", "is the priority's number"))
        if errors:
            raise invalid_fields(errors)
        return Priority(
            id=document_id,
            slug=self.slug,
            name=self.name,
            number=self.number,
            offered_to_customers=self.offered_to_customers,
        )


class TemplateDraft(SettingDraft):
    """A standard answer (A8.01), for the queues that it names, or for every queue."""

    subject: Line = ""
    text: Annotated[Text, Field(min_length=1, max_length=LONGEST_TEMPLATE)]
    queues: Annotated[list[Reference], Field(max_length=500)] = Field(default_factory=list)

    async def document(self, connection: Connection, document_id: UUID, current: rows.Row | None) -> Template:
        errors = [*_faults("/subject", self.subject), *_faults("/text", self.text)]
        self._kept(Template, current, errors)
        queues = await _queues(connection, self.queues, "/queues", errors)
        if errors:
            raise invalid_fields(errors)
        return Template(
            id=document_id, slug=self.slug, name=self.name, subject=self.subject, text=self.text, queues=queues
        )


class WordsDraft(SettingDraft):
    """What stands at one end of every mail."""

    MODEL: ClassVar[type[Salutation | Signature]]

    text: Annotated[Text, Field(max_length=10_000)]

    async def document(
        self, connection: Connection, document_id: UUID, current: rows.Row | None
    ) -> Salutation | Signature:
        errors = _faults("/text", self.text)
        self._kept(self.MODEL, current, errors)
        if errors:
            raise invalid_fields(errors)
        return self.MODEL(id=document_id, slug=self.slug, name=self.name, text=self.text)


class SalutationDraft(WordsDraft):
    """How a mail begins (A8.03)."""

    MODEL = Salutation


class SignatureDraft(WordsDraft):
    """How a mail ends (A8.04)."""

    MODEL = Signature


class FieldDraft(SettingDraft):
    """A field of tickets (A7.27, A21.09). `required_in`: the queues whose tickets need a value before they are closed."""

    kind: Literal["text", "number", "date", "flag", "choice"] = "text"
    choices: Annotated[list[Annotated[Line, Field(min_length=1, max_length=200)]], Field(max_length=500)] = Field(
        default_factory=list
    )
    required_in: Annotated[list[Reference], Field(max_length=500)] = Field(default_factory=list)

    async def document(self, connection: Connection, document_id: UUID, current: rows.Row | None) -> TicketField:
        errors: list[FieldError] = []
        was = self._kept(TicketField, current, errors)
        if was is not None and was.kind != self.kind:
            errors.append(FieldError("/kind", "stays as it is, because tickets have values of it"))
        if (self.kind == "choice") != bool(self.choices):
            wrong = "is missing" if self.kind == "choice" else "belongs to the kind choice"
            errors.append(FieldError("/choices", wrong))
        queues = await _queues(connection, self.required_in, "/required_in", errors)
        if errors:
            raise invalid_fields(errors)
        return TicketField(
            id=document_id,
            slug=self.slug,
            name=self.name,
            kind=self.kind,
            choices=tuple(dict.fromkeys(self.choices)),
            required_in=queues,
        )


class AskedFieldDraft(Body):
    """A field that the topic asks, by its slug."""

    field: Reference
    required: Flag = False


class TopicDraft(SettingDraft):
    """What somebody can ask for (A3.12): the queue it leads to, when it is the right one (`guidance`), and what it asks."""

    queue: Reference
    guidance: Annotated[Text, Field(max_length=10_000)] = ""
    fields: Annotated[list[AskedFieldDraft], Field(max_length=100)] = Field(default_factory=list)
    attachment_required: Flag = False
    offered_to_customers: Flag = True

    async def document(self, connection: Connection, document_id: UUID, current: rows.Row | None) -> Topic:
        errors: list[FieldError] = []
        self._kept(Topic, current, errors)
        queue = await rows.find(connection, "queue", self.queue)
        if queue is None or queue.retired:
            errors.append(FieldError("/queue", "there is no such queue"))
        asked: dict[str, AskedField] = {}
        for n, each in enumerate(self.fields):
            field = await rows.find(connection, "field", each.field)
            if field is None or field.retired:
                errors.append(FieldError(f"/fields/{n}/field", "there is no such field"))
            elif (slug := rows.slug_of(field.document)) in asked:
                errors.append(FieldError(f"/fields/{n}/field", "is asked twice"))
            else:
                asked[slug] = AskedField(field=slug, required=each.required)
        if errors or queue is None:
            raise invalid_fields(errors)
        return Topic(
            id=document_id,
            slug=self.slug,
            name=self.name,
            queue=rows.slug_of(queue.document),
            guidance=self.guidance,
            fields=tuple(asked.values()),
            attachment_required=self.attachment_required,
            offered_to_customers=self.offered_to_customers,
        )


def _faults(pointer: str, source: str) -> list[FieldError]:
    """Why a text cannot be used as a template."""
    fault = templates.fault(source)
    return [FieldError(pointer, fault)] if fault else []


async def _queues(
    connection: Connection, references: list[str], pointer: str, errors: list[FieldError]
) -> tuple[str, ...]:
    """The slugs of queues in use that a document names."""
    slugs: list[str] = []
    for n, reference in enumerate(references):
        found = await rows.find(connection, "queue", reference)
        if found is None or found.retired or not isinstance(found.document, Queue):
            errors.append(FieldError(f"{pointer}/{n}", "there is no such queue"))
        else:
            slugs.append(found.document.slug)
    return tuple(dict.fromkeys(slugs))
