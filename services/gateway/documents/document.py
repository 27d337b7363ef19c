"""The rules of a configuration document: a queue, a person, a state, a template ...

What a rule needs to know of other documents comes with the command.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias, assert_never

from shared.contracts.directory import (
    CalendarRetired,
    CalendarSaved,
    Company,
    CompanyRetired,
    CompanySaved,
    MacroRetired,
    MacroSaved,
    MailboxRetired,
    MailboxSaved,
    Person,
    PersonRetired,
    PersonSaved,
    Priority,
    PriorityRetired,
    PrioritySaved,
    Queue,
    QueueRetired,
    QueueSaved,
    ReportScheduleRetired,
    ReportScheduleSaved,
    SalutationRetired,
    SalutationSaved,
    SignatureRetired,
    SignatureSaved,
    SlaRetired,
    SlaSaved,
    SmallDocumentRetired,
    SmallDocumentSaved,
    State,
    StateRetired,
    StateSaved,
    SwitchedOff,
    TemplateRetired,
    TemplateSaved,
    TicketFieldRetired,
    TicketFieldSaved,
    TopicRetired,
    TopicSaved,
    Trigger,
    TriggerRetired,
    TriggerSaved,
)
from shared.contracts.event import Event
from shared.contracts.marks.declaration import Document, DocumentKind
from shared.rules.rejected import Rejected
from shared.rules.states import STANDARD

DEFAULT_QUEUE = "postmaster"
LAST_ADMIN = "This is the last administrator. Make somebody else an administrator first."
SMALL_DOCUMENT_EVENTS: Mapping[DocumentKind, tuple[type[SmallDocumentSaved[Any]], type[SmallDocumentRetired[Any]]]] = {
    "state": (StateSaved, StateRetired),
    "priority": (PrioritySaved, PriorityRetired),
    "template": (TemplateSaved, TemplateRetired),
    "salutation": (SalutationSaved, SalutationRetired),
    "signature": (SignatureSaved, SignatureRetired),
    "field": (TicketFieldSaved, TicketFieldRetired),
    "mailbox": (MailboxSaved, MailboxRetired),
    "topic": (TopicSaved, TopicRetired),
    "report-schedule": (ReportScheduleSaved, ReportScheduleRetired),
    "calendar": (CalendarSaved, CalendarRetired),
    "sla": (SlaSaved, SlaRetired),
    "trigger": (TriggerSaved, TriggerRetired),
    "macro": (MacroSaved, MacroRetired),
}


@dataclass(frozen=True, slots=True)
class DocumentState:
    """A document after its events; None before the first one. `version`: their number."""

    document: Document | None = None
    retired: bool = False
    version: int = 0


@dataclass(frozen=True, slots=True)
class Save:
    """Saves the whole document. `last_admin`: the person is an administrator, and nobody else in use is one."""

    document: Document
    password_changed: bool = False
    last_admin: bool = False


@dataclass(frozen=True, slots=True)
class Retire:
    """Takes the document out of use.

    `named_by`: the slugs of documents in use that name it, by kind: it cannot go before they name something else.
    """

    last_admin: bool = False
    named_by: Mapping[DocumentKind, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SwitchOff:
    """Switches off this version of a trigger. A newer one is somebody's answer to what was wrong, and stays."""

    version: int
    switched_off: SwitchedOff


Command: TypeAlias = Save | Retire | SwitchOff


def initial() -> DocumentState:
    return DocumentState()


def decide(command: Command, state: DocumentState) -> list[Event]:
    match command:
        case Save(document=Person() as person, last_admin=True) if "admin" not in person.roles:
            raise Rejected(LAST_ADMIN)
        case Save() if command.document == state.document and not state.retired and not command.password_changed:
            return []
        case Save():
            return [_saved(command)]
        case Retire():
            if state.document is None or state.retired:
                return []
            _require_retirable(state.document, command)
            return [_retired(state.document)]
        case SwitchOff():
            return _switched_off(command, state)
        case _:
            assert_never(command)


def _switched_off(command: SwitchOff, state: DocumentState) -> list[Event]:
    trigger = state.document
    if not isinstance(trigger, Trigger) or state.retired or state.version != command.version or not trigger.active:
        return []
    off = trigger.model_copy(update={"active": False, "switched_off": command.switched_off})
    return [TriggerSaved(document=off)]


def _require_retirable(document: Document, command: Retire) -> None:
    match document:
        case Queue(slug=slug) if slug == DEFAULT_QUEUE:
            raise Rejected("The default queue cannot be retired.")
        case Person() if command.last_admin:
            raise Rejected(LAST_ADMIN)
        case State(slug=slug) if slug in STANDARD:
            raise Rejected("This is a standard state and cannot be retired.")
        case Priority():
            raise Rejected("Priorities cannot be retired. Instead, do not offer this one to customers.")
        case _ if command.named_by:
            named_by = "; ".join(f"{kind}: {', '.join(slugs)}" for kind, slugs in command.named_by.items())
            raise Rejected(f"Other documents name it ({named_by}). Change or retire them first.")
        case _:
            pass


def _saved(command: Save) -> Event:
    match command.document:
        case Queue() as queue:
            return QueueSaved(queue=queue)
        case Person() as person:
            return PersonSaved(person=person, password_changed=command.password_changed)
        case Company() as company:
            return CompanySaved(company=company)
        case small:
            return SMALL_DOCUMENT_EVENTS[small.KIND][0](document=small)


def _retired(document: Document) -> Event:
    match document:
        case Queue():
            return QueueRetired(queue=document)
        case Person():
            return PersonRetired(person=document)
        case Company():
            return CompanyRetired(company=document)
        case small:
            return SMALL_DOCUMENT_EVENTS[small.KIND][1](document=small)


def evolve(state: DocumentState, event: Event) -> DocumentState:
    version = state.version + 1
    match event:
        case QueueSaved(queue=document) | PersonSaved(person=document):
            return DocumentState(document, version=version)
        case CompanySaved(company=document) | SmallDocumentSaved(document=document):
            return DocumentState(document, version=version)
        case QueueRetired() | PersonRetired() | CompanyRetired() | SmallDocumentRetired():
            return replace(state, retired=True, version=version)
        case _:
            return replace(state, version=version)
